import json

import pytest

from darb.golden import EngineConfig, OutputMode
from darb.golden.config import _RANGES

GOOD = {
    "lanes": 4,
    "rows": 2,
    "weight_depth": 10,
    "index_depth": 10,
    "row_depth": 4,
    "layer_depth": 3,
    "input_depth": 8,
    "hidden_depth": 8,
    "output_depth": 4,
}

LIMITS = {
    "lanes": (1, 256),
    "rows": (1, 64),
    "weight_bits": (2, 8),
    "activation_bits": (2, 8),
    "accumulator_bits": (8, 32),
    "index_word_bits": (1, 64),
    "max_k": (0, 12),
    "weight_depth": (1, 16777216),
    "index_depth": (1, 16777216),
    "row_depth": (1, 1048576),
    "layer_depth": (3, 4096),
    "input_depth": (1, 16384),
    "hidden_depth": (1, 16384),
    "output_depth": (1, 65536),
}


def test_the_limits():
    assert _RANGES.items() >= LIMITS.items()


def test_json_round_trip():
    config = EngineConfig(**GOOD, output_mode=OutputMode.ARGMAX, weight_bits=4)
    assert EngineConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_multipliers_and_output_bytes():
    sizes = {OutputMode.ACTIVATIONS: 1, OutputMode.ACCUMULATORS: 4, OutputMode.ARGMAX: 2}
    for mode, size in sizes.items():
        config = EngineConfig(**GOOD, activation_bits=5, output_mode=mode)
        assert (config.multipliers, config.output_bytes) == (8, size)


@pytest.mark.parametrize("name", sorted(_RANGES))
def test_every_range_is_kept_at_both_ends(name):
    low, high = _RANGES[name]
    spare = {"index_word_bits": 64} if name == "max_k" else {}
    spare |= {"max_k": 1} if name == "index_word_bits" else {}
    for value in (low, high):
        EngineConfig(**{**GOOD, **spare, name: value})
    for value in (low - 1, high + 1):
        with pytest.raises(ValueError, match=rf"^{name} must be in {low}\.\.{high}, not {value}$"):
            EngineConfig(**{**GOOD, **spare, name: value})


@pytest.mark.parametrize("value", [4.0, "4", None, True])
def test_a_field_of_the_wrong_kind(value):
    with pytest.raises(TypeError, match=rf"^lanes must be an int, not {value!r}$"):
        EngineConfig(**{**GOOD, "lanes": value})


@pytest.mark.parametrize("name", ["lanes", "rows"])
def test_lanes_and_rows_are_powers_of_two(name):
    with pytest.raises(ValueError, match=rf"^{name} must be a power of two, not 12$"):
        EngineConfig(**{**GOOD, name: 12})


def test_an_index_must_fit_its_field():
    with pytest.raises(ValueError, match=r"^max_k must be at most index_word_bits \(4\), not 5$"):
        EngineConfig(**GOOD, index_word_bits=4, max_k=5)


def test_output_mode_of_the_wrong_kind():
    with pytest.raises(TypeError, match=r"^output_mode must be an OutputMode, not 'argmax'$"):
        EngineConfig(**GOOD, output_mode="argmax")


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"lanes": None}, ValueError, "config field lanes is missing"),
        ({"colour": 3}, ValueError, "config field colour is unknown"),
        (
            {"output_mode": "best"},
            ValueError,
            "output_mode must be one of ['activations', 'accumulators', 'argmax'], not 'best'",
        ),
        ({"rows": 2.0}, TypeError, "rows must be an int, not 2.0"),
        ({"rows": 3}, ValueError, "rows must be a power of two, not 3"),
    ],
)
def test_from_dict_refuses(change, error, text):
    fields = {**EngineConfig(**GOOD).to_dict(), **change}
    fields = {name: value for name, value in fields.items() if value is not None}
    with pytest.raises(error) as caught:
        EngineConfig.from_dict(fields)
    assert str(caught.value) == text


def test_from_dict_refuses_what_is_no_object():
    with pytest.raises(TypeError, match=r"^config must be an object, not \[1\]$"):
        EngineConfig.from_dict([1])
