import dataclasses
import re

import pytest

from darb.sw.dpp import DppConfig, DppLayerRule


@pytest.mark.parametrize(
    ("fields", "kind", "text"),
    [
        (
            {"granularity": "filters"},
            ValueError,
            "granularity must be one of weights, tiles, kernels, maps, not 'filters'",
        ),
        ({"keep": None}, TypeError, "one of keep and ratio must be given, not None and None"),
        ({"ratio": 4}, TypeError, "one of keep and ratio must be given, not 2 and 4"),
        ({"keep": 0}, ValueError, "keep must be at least 1, not 0"),
        ({"keep": 1.0}, TypeError, "keep must be an int, not 1.0"),
        (
            {"granularity": "tiles", "tile": 4, "keep": 5},
            ValueError,
            "keep must be in 1..4, not 5",
        ),
        (
            {"keep": None, "ratio": float("nan")},
            ValueError,
            "ratio must be finite and at least 1, not nan",
        ),
        ({"tile": 4}, ValueError, "tile must be left out for granularity weights, not 4"),
        ({"granularity": "tiles"}, TypeError, "tile must be an int, not None"),
        ({"epochs": 0}, ValueError, "epochs must be at least 1, not 0"),
        ({"frozen_epochs": 10}, ValueError, "frozen_epochs must be in 0..9, not 10"),
        (
            {"start_temperature": 0},
            ValueError,
            "start_temperature must be finite and above 0, not 0",
        ),
        ({"end_temperature": "1"}, TypeError, "end_temperature must be a number, not '1'"),
        ({"curve": "cosine"}, ValueError, "curve must be one of exponential, linear, not 'cosine'"),
        ({"entropy": -1}, ValueError, "entropy must be finite and at least 0, not -1"),
        ({"entropy": None}, TypeError, "entropy must be a number, not None"),
        ({"removal": "none"}, ValueError, "removal must be one of hard, soft, not 'none'"),
        ({"start": "random"}, ValueError, "start must be one of even, magnitude, not 'random'"),
        ({"bits": 9}, ValueError, "bits must be in 1..8, not 9"),
        ({"seed": -1}, ValueError, f"seed must be in 0..{(1 << 63) - 1}, not -1"),
        ({"layers": ["0"]}, TypeError, "layers must be a mapping, not ['0']"),
        ({"layers": {0: DppLayerRule(keep=1)}}, TypeError, "layers must be keyed by layer name, "),
        ({"layers": {"0": 2}}, TypeError, "layers['0'] must be a DppLayerRule, not 2"),
    ],
)
def test_refused(fields, kind, text):
    with pytest.raises(kind, match=f"^{re.escape(text)}"):
        DppConfig(**{"keep": 2, "epochs": 10, **fields})


def test_defaults_are_the_published_temperatures():
    config = DppConfig(keep=2, epochs=10, frozen_epochs=3)
    assert (config.start_temperature, config.end_temperature) == (5.0, 0.5)
    assert config.drawing_epochs == 7


def test_frozen_and_detached_from_its_arguments():
    rules = {"0": DppLayerRule(keep=1)}
    config = DppConfig(keep=2, epochs=1, layers=rules)
    rules["1"] = DppLayerRule(keep=1)
    assert list(config.layers) == ["0"]
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.keep = 3


@pytest.mark.parametrize(
    ("rule", "units", "kept"),
    [
        (DppLayerRule(keep=3), 9, 3),
        (DppLayerRule(ratio=4), 9, 2),
        (DppLayerRule(ratio=100), 9, 1),
        (DppLayerRule(ratio=1), 9, 9),
        (DppLayerRule(granularity="tiles", tile=8, keep=3), 2, 2),
    ],
)
def test_kept_of_a_row(rule, units, kept):
    assert rule.kept_of(units) == kept


def test_rules_of_layers():
    own = DppLayerRule(keep=1)
    maps = DppConfig(granularity="maps", ratio=2, epochs=1, layers={"own": own})
    assert maps.rule_of("own", linear=True, last=True) is own
    assert maps.rule_of("conv", linear=False, last=False) is maps
    assert maps.rule_of("conv", linear=False, last=True).ratio == 1
    assert maps.rule_of("fc", linear=True, last=False).ratio == 1
    kernels = DppConfig(granularity="kernels", ratio=2, epochs=1)
    assert kernels.rule_of("conv", linear=False, last=True) is kernels
    assert kernels.rule_of("fc", linear=True, last=False).ratio == 1
    weights = DppConfig(ratio=2, epochs=1)
    assert weights.rule_of("fc", linear=True, last=True) is weights
