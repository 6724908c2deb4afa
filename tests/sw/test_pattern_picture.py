import numpy as np
import pytest
from matplotlib.image import imread
from random_networks import random_network

from darb.golden import fit_config, pack
from darb.sw.exporting import export
from darb.sw.pattern_picture import draw_pattern, pattern_figure


@pytest.fixture
def network():
    return random_network(np.random.default_rng(2), (48, 30, 10), ks=(0, 2, 3), spare_columns=0.1)


def test_every_layer_has_its_panels_and_every_row_its_bar(network):
    figure = pattern_figure(pack(network, fit_config(network, lanes=4, rows=2)))
    assert len(figure.axes) == 4
    for number, layer in enumerate(network.layers):
        left, right = figure.axes[2 * number : 2 * number + 2]
        live = network.live_rows(number)
        assert left.get_title(loc="left").startswith(f"layer {layer.name}:  {live.size} of")
        densities = sorted(100 / layer.patterns[row].block_size for row in live)
        assert sorted(bar.get_width() for bar in right.patches) == densities
        marks = sum(len(collection.get_paths()) for collection in left.collections)
        assert marks == np.count_nonzero(layer.weights[live])


def test_marks_lie_at_packed_rows_and_stored_columns():
    network = random_network(np.random.default_rng(4), (16, 3), ks=(2,))
    figure = pattern_figure(pack(network, fit_config(network, lanes=2, rows=1)))
    (collection,) = figure.axes[0].collections
    centres = {
        tuple(int(value) for value in np.rint(path.get_extents().get_points().mean(axis=0)))
        for path in collection.get_paths()
    }
    rows, columns = np.nonzero(network.layers[0].in_stored_order())
    assert centres == set(zip(columns.tolist(), rows.tolist(), strict=True))


def test_the_file_is_a_picture_that_is_not_blank(network, tmp_path):
    directory = export(network, tmp_path / "image", lanes=4, rows=2)
    pixels = imread(draw_pattern(directory, tmp_path / "pattern.png"))
    assert min(pixels.shape[:2]) > 300
    assert pixels[..., :3].std() > 0.1
