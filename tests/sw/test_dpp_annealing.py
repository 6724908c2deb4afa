import re

import pytest

from darb.sw.dpp import temperature_at


@pytest.mark.parametrize("curve", ["exponential", "linear"])
@pytest.mark.parametrize("epochs", [2, 3, 40])
def test_falls_from_the_start_to_the_end(curve, epochs):
    values = [temperature_at(epoch, epochs=epochs, curve=curve) for epoch in range(epochs)]
    assert values[0] == 5.0
    assert values[-1] == 0.5
    assert values == sorted(values, reverse=True)
    assert len(set(values)) == epochs


def test_stays_after_the_end_and_one_epoch_is_the_end():
    assert temperature_at(9, epochs=4) == 0.5
    assert temperature_at(0, epochs=1, start=3, end=2) == 2.0


def test_curves():
    assert temperature_at(1, epochs=3, start=4, end=1) == 2.0
    assert temperature_at(1, epochs=3, start=4, end=1, curve="linear") == 2.5


@pytest.mark.parametrize(
    ("fields", "kind", "text"),
    [
        ({"epoch": -1}, ValueError, "epoch must be at least 0, not -1"),
        ({"epoch": 1.0}, TypeError, "epoch must be an int, not 1.0"),
        ({"epochs": 0}, ValueError, "epochs must be at least 1, not 0"),
        ({"start": 0}, ValueError, "start must be finite and above 0, not 0"),
        ({"end": None}, TypeError, "end must be a number, not None"),
        ({"curve": "cosine"}, ValueError, "curve must be one of exponential, linear, not 'cosine'"),
    ],
)
def test_refused(fields, kind, text):
    with pytest.raises(kind, match=f"^{re.escape(text)}$"):
        temperature_at(**{"epoch": 0, "epochs": 3, **fields})
