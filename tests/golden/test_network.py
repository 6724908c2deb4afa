import numpy as np
import pytest

from darb.golden import IntegerLayer, IntegerNetwork, Pattern

SHAPE = (2, 3)


def layer(**changes):
    m, n = changes.pop("shape", SHAPE)
    fields = {
        "name": "fc",
        "weights": np.ones((m, n), dtype=int),
        "bias": np.zeros(m, dtype=int),
        "multiplier": np.full(m, 1 << 15),
        "shift": np.full(m, 15),
        "relu": False,
        "patterns": (Pattern(0),) * m,
        "columns": np.arange(n),
    }
    return IntegerLayer(**{**fields, **changes})


@pytest.mark.parametrize(
    ("changes", "error", "text"),
    [
        ({"weights": np.ones(SHAPE)}, TypeError, "weights must be integers, not float64"),
        ({"bias": [0.0, 0.0]}, TypeError, "bias must be integers, not float64"),
        (
            {"weights": [[1, 2, 3], [4, 5, 128]]},
            ValueError,
            "weights must be in -128..127, not 128",
        ),
        (
            {"bias": [0, 1 << 31]},
            ValueError,
            f"bias must be in {-(2**31)}..{2**31 - 1}, not {2**31}",
        ),
        ({"multiplier": [-1, 0]}, ValueError, "multiplier must be in 0..65535, not -1"),
        ({"weights": [1, 2, 3]}, ValueError, "weights must have shape (M, N), not (3,)"),
        (
            {"weights": np.ones((2, 0), dtype=int)},
            ValueError,
            "weights must have shape (M, N), not (2, 0)",
        ),
        ({"bias": [0]}, ValueError, "bias must have shape (2,), not (1,)"),
        ({"shift": [[15], [15]]}, ValueError, "shift must have shape (2,), not (2, 1)"),
        ({"patterns": (Pattern(0),)}, ValueError, "patterns must name 2 rows, not 1"),
        (
            {"multiplier": [1 << 15, 5]},
            ValueError,
            "row 1: multiplier must be 0 or in 32768..65535, not 5",
        ),
        ({"shift": [15, 0]}, ValueError, "row 1: shift must be in 1..63, not 0"),
        ({"shift": [64, 1]}, ValueError, "row 0: shift must be in 1..63, not 64"),
        (
            {"columns": np.zeros(0, dtype=int)},
            ValueError,
            "columns must name at least one column, not shape (0,)",
        ),
        ({"columns": [0, 1, 3]}, ValueError, "columns must be in 0..2"),
        ({"columns": [0, -1, 2]}, ValueError, "columns must be in 0..2"),
        ({"columns": [0, 2, 0]}, ValueError, "column 0 stands twice"),
        (
            {"columns": [0, 2]},
            ValueError,
            "row 0 has a weight in column 1, which the column order leaves out",
        ),
        ({"align": 0}, ValueError, "align must be in 1..4096, not 0"),
        ({"align": 4097}, ValueError, "align must be in 1..4096, not 4097"),
        ({"align": 2.0}, TypeError, "align must be an int, not 2.0"),
    ],
)
def test_refused_layers(changes, error, text):
    with pytest.raises(error) as caught:
        layer(**changes)
    assert str(caught.value) == f"layer fc: {text}"


@pytest.mark.parametrize("name", ["a\nb", "\x1b[31m", "\ud800", "x" * 201])
def test_names_that_would_not_stand_in_a_line(name):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the text is compared whole
        layer(name=name)
    rule = "layer name must be printable and at most 200 characters long"
    assert str(caught.value) == f"{rule}, not {name!r}"
    with pytest.raises(TypeError, match=r"^layer name must be a str, not 5$"):
        layer(name=5)
    assert layer(name="größe 1.fc").name == "größe 1.fc"


def test_arrays_take_their_own_kinds():
    made = layer()
    kinds = {"weights": "int8", "bias": "int32", "multiplier": "uint16", "shift": "uint8"}
    assert {name: getattr(made, name).dtype.name for name in kinds} == kinds
    assert made.columns.dtype == np.int32


def test_stored_order():
    weights = np.array([[1, 0, 3], [4, 0, 6]])
    assert layer(weights=weights, columns=[2, 0]).in_stored_order().tolist() == [[3, 1], [6, 4]]


def test_equality_looks_at_every_field():
    assert layer() == layer()
    changes = {
        "name": "other",
        "weights": np.full(SHAPE, 2),
        "bias": [0, 1],
        "multiplier": [1 << 15, 0],
        "shift": [15, 16],
        "relu": True,
        "patterns": (Pattern(0), Pattern(1)),
        "columns": [0, 2, 1],
        "align": 2,
    }
    for name, value in changes.items():
        assert layer() != layer(**{name: value}), name
    assert layer() != "a layer"


def test_refused_networks():
    with pytest.raises(ValueError, match=r"^a network must have at least one layer, not \(\)$"):
        IntegerNetwork(layers=())
    with pytest.raises(
        ValueError, match=r"^layer fc: weights of 2 bits must be in -1\.\.1, not 2$"
    ):
        IntegerNetwork(layers=(layer(weights=np.full(SHAPE, -2)),), weight_bits=2)
    with pytest.raises(
        ValueError, match=r"^layer b must take the 2 outputs of layer a, not 3 columns$"
    ):
        IntegerNetwork(layers=(layer(name="a"), layer(name="b")))


@pytest.mark.parametrize(
    ("changes", "error", "text"),
    [
        ({"weight_bits": 0}, ValueError, "weight_bits must be in 2..8, not 0"),
        ({"weight_bits": "8"}, TypeError, "weight_bits must be an int, not '8'"),
        ({"activation_bits": 0}, ValueError, "activation_bits must be in 2..8, not 0"),
        ({"activation_bits": 8.0}, TypeError, "activation_bits must be an int, not 8.0"),
        ({"input_scale": 0.0}, ValueError, "input_scale must be a finite number above 0, not 0.0"),
        ({"input_scale": "1"}, TypeError, "input_scale must be a finite number above 0, not '1'"),
        (
            {"output_scales": (1.0, float("inf"))},
            ValueError,
            "output_scales must be a finite number above 0, not inf",
        ),
        (
            {"output_scales": (1.0,)},
            ValueError,
            "output_scales must be none or 2, one a row, not 1",
        ),
    ],
)
def test_refused_widths_and_scales(changes, error, text):
    with pytest.raises(error) as caught:
        IntegerNetwork(layers=(layer(),), **changes)
    assert str(caught.value) == text


def test_rows_that_no_column_names_are_dead():
    first = layer(name="a", shape=(3, 2), bias=[1, 2, 3])
    second = layer(name="b", shape=(1, 3), weights=[[5, 0, 7]], columns=[2, 0])
    network = IntegerNetwork(layers=(first, second))
    assert network.live_rows(0).tolist() == [0, 2]
    assert network.live_rows(1).tolist() == [0]
    kept = network.drop_dead_rows()
    assert kept.layers[0].weights.tolist() == [[1, 1], [0, 0], [1, 1]]
    assert kept.layers[0].bias.tolist() == [1, 0, 3]
    assert kept.layers[0].multiplier.tolist() == [1 << 15, 0, 1 << 15]
    assert kept.layers[0].shift.tolist() == [15, 1, 15]
    assert kept.layers[1] == second
    assert (network.inputs, network.outputs) == (2, 1)
