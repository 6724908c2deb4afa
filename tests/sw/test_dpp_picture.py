import pytest
from matplotlib.image import imread

from darb.sw.dpp import DppEpoch, SelectionMetrics
from darb.sw.dpp.picture import dpp_figure, draw_dpp


def history():
    def metrics(value):
        return SelectionMetrics(
            entropy=3 - value,
            confidence=value,
            agreement=value / 2,
            divergence=2 * value,
            diversity=value / 4,
        )

    return [
        DppEpoch(
            epoch=epoch, temperature=5 - epoch, layers={"a": metrics(share), "b": metrics(0.1)}
        )
        for epoch, share in enumerate((0.0, 0.5, 0.75))
    ]


def test_every_metric_of_every_layer_is_drawn():
    figure = dpp_figure(history(), validation=[0.5, 0.9])
    panels = figure.axes[:5]
    for panel in panels:
        assert [line.get_label() for line in panel.get_lines()] == ["a", "b"]
    drawn = [panel.get_lines()[0].get_ydata().tolist() for panel in panels]
    assert drawn == [
        [0.0, 0.5, 0.75],
        [0.0, 0.25, 0.375],
        [3.0, 2.5, 2.25],
        [0.0, 0.125, 0.1875],
        [0.0, 1.0, 1.5],
    ]
    assert figure.axes[5].get_lines()[0].get_ydata().tolist() == [5, 4, 3]
    assert figure.axes[6].get_lines()[0].get_ydata().tolist() == [50, 90]
    assert len(dpp_figure(history()).axes) == 6


def test_the_file_is_a_picture(tmp_path):
    path = draw_dpp(history(), tmp_path / "dpp.png")
    height, width, _ = imread(path).shape
    assert width > height > 300


def test_no_history_is_refused():
    with pytest.raises(ValueError, match=r"^history must have at least one epoch, not \[\]$"):
        dpp_figure([])
