"""PruneConfig and LayerOverride refuse what makes no sense, by name and rule."""

import copy
import dataclasses
import pickle
import re

import pytest

from darb.sw.pruning import LayerOverride, PruneConfig
from darb.sw.pruning.regular_blocks import RegularBlocks

ALL = "darb, bmwm, irregular, structured, block, n_m, bank_balanced"


@pytest.mark.parametrize(
    ("fields", "kind", "text"),
    [
        ({"ratio": "16"}, TypeError, "ratio must be a number, not '16'"),
        ({"ratio": True}, TypeError, "ratio must be a number, not True"),
        ({"ratio": 0.5}, ValueError, "ratio must be finite and at least 1, not 0.5"),
        ({"ratio": float("nan")}, ValueError, "ratio must be finite and at least 1, not nan"),
        ({"ratio": float("inf")}, ValueError, "ratio must be finite and at least 1, not inf"),
        (
            {"method": "x"},
            ValueError,
            f"method must be one of {ALL}, not 'x'",
        ),
        ({"method": None}, TypeError, "method must be a str, not None"),
        (
            {"assignment": "even"},
            ValueError,
            "assignment must be one of energy, density, sensitivity, not 'even'",
        ),
        (
            {"saliency": "taylor"},
            ValueError,
            "saliency must be one of magnitude, activation, fisher, not 'taylor'",
        ),
        (
            {"order": "random"},
            ValueError,
            "order must be one of natural, spread, searched, not 'random'",
        ),
        ({"left_out": 1.0}, ValueError, "left_out must be at least 0 and below 1, not 1.0"),
        (
            {"left_out": "auto"},
            TypeError,
            "left_out must be a number, 'searched' or None, not 'auto'",
        ),
        (
            {"left_out": "searched", "method": "irregular"},
            ValueError,
            "left_out must be left out for method irregular, not 'searched'",
        ),
        ({"lanes": 0}, ValueError, "lanes must be in 1..256, not 0"),
        ({"lanes": 3}, ValueError, "lanes must be a power of two, not 3"),
        ({"rows": 5}, ValueError, "rows must be a power of two, not 5"),
        ({"rows": 2.0}, TypeError, "rows must be an int, not 2.0"),
        ({"max_k": 13}, ValueError, "max_k must be in 0..12, not 13"),
        ({"max_keep": 0}, ValueError, "max_keep must be in 1..255, not 0"),
        (
            {"max_keep": 2, "assignment": "density"},
            ValueError,
            "max_keep must be 1 for assignment 'density', not 2",
        ),
        (
            {"max_keep": 2, "method": "n_m"},
            ValueError,
            "max_keep must be left out for method n_m, not 2",
        ),
        (
            {"method": RegularBlocks(name="bmwm", max_keep=4)},
            TypeError,
            (
                "method must be 'darb' or 'bmwm' by name, with its settings beside the name, not "
                "RegularBlocks(name='bmwm', assignment='energy', budget='normalized', max_k=6, "
                "max_keep=4)"
            ),
        ),
        ({"seed": -1}, ValueError, f"seed must be in 0..{(1 << 63) - 1}, not -1"),
        ({"ramp_steps": -1}, ValueError, "ramp_steps must be at least 0, not -1"),
        ({"ramp_every": 0}, ValueError, "ramp_every must be at least 1, not 0"),
        ({"layers": ["0"]}, TypeError, "layers must be a mapping, not ['0']"),
        ({"layers": {0: LayerOverride()}}, TypeError, "layers must be keyed by layer name, not 0"),
        (
            {"layers": {"0": 2.0}},
            TypeError,
            "layers['0'] must be a LayerOverride, not 2.0",
        ),
    ],
)
def test_refused(fields, kind, text):
    with pytest.raises(kind, match=f"^{re.escape(text)}$"):
        PruneConfig(**{"ratio": 16, **fields})


@pytest.mark.parametrize(
    ("fields", "kind", "text"),
    [
        ({"ratio": 0}, ValueError, "ratio must be finite and at least 1, not 0"),
        (
            {"order": "random"},
            ValueError,
            "order must be one of natural, spread, searched, not 'random'",
        ),
        ({"left_out": -0.1}, ValueError, "left_out must be at least 0 and below 1, not -0.1"),
    ],
)
def test_override_refused(fields, kind, text):
    with pytest.raises(kind, match=f"^{re.escape(text)}$"):
        LayerOverride(**fields)


def test_frozen_and_detached_from_its_arguments():
    overrides = {"0": LayerOverride(ratio=2)}
    config = PruneConfig(ratio=16, layers=overrides)
    overrides["1"] = LayerOverride()
    assert set(config.layers) == {"0"}
    with pytest.raises(AttributeError):
        config.ratio = 8


def test_override_answers_before_the_config():
    config = PruneConfig(
        ratio=16,
        left_out=0.5,
        layers={"a": LayerOverride(order="natural", left_out=0.25, ratio=2)},
    )
    assert (config.order_of("a"), config.order_of("b")) == ("natural", "spread")
    assert (config.left_out_of("a"), config.left_out_of("b")) == (0.25, 0.5)
    assert (config.own_ratio_of("a"), config.own_ratio_of("b")) == (2, None)


def test_can_be_copied_stored_and_hashed():
    config = PruneConfig(ratio=16, lanes=8, layers={"a": LayerOverride(ratio=2)})
    assert copy.deepcopy(config) == pickle.loads(pickle.dumps(config)) == config
    assert dataclasses.replace(config, ratio=8).layers == config.layers
    assert dataclasses.asdict(config)["layers"]["a"]["ratio"] == 2
    assert hash(config) == hash(copy.deepcopy(config))
