"""Quantisation: scales, rounding, and the integer network against the float one."""

import re

import numpy as np
import pytest
import torch
from torch import nn

from darb.golden import EngineModel, fit_config, pack
from darb.golden.fixed_point import requantize
from darb.golden.pattern import Pattern
from darb.sw.networks import mlp
from darb.sw.pruning import prune
from darb.sw.quantization import quantize, quantize_input

X = torch.rand(500, 20, generator=torch.Generator().manual_seed(0))


def integer_outputs(network, x, *, last="accumulators"):
    """Evaluate in int64, written apart from the golden model."""
    values = quantize_input(network, x)
    for index, layer in enumerate(network.layers):
        sums = np.stack([values @ row.astype(np.int64) for row in layer.weights], axis=1)
        sums = sums + layer.bias.astype(np.int64)
        assert np.abs(sums).max() < 1 << 31
        if index + 1 == len(network.layers) and last == "accumulators":
            return sums
        values = requantize(
            sums, layer.multiplier, layer.shift, bits=network.activation_bits, relu=layer.relu
        )
    return values


def relative_error(network, model, x):
    with torch.no_grad():
        wanted = model.eval()(x).double().numpy().reshape(len(x), -1)
    got = integer_outputs(network, x) * np.array(network.output_scales)
    return np.sqrt(np.square(got - wanted).mean() / np.square(wanted).mean())


@pytest.mark.parametrize(
    ("weight_bits", "activation_bits", "error"), [(8, 8, 0.02), (4, 8, 0.2), (8, 4, 0.2)]
)
def test_accumulators_are_the_float_outputs(weight_bits, activation_bits, error):
    model = mlp((20, 40, 30, 10), seed=1)
    network = quantize(model, X, weight_bits=weight_bits, activation_bits=activation_bits)
    assert relative_error(network, model, X) < error
    assert [layer.relu for layer in network.layers] == [True, True, False]


def test_last_layer_has_one_scale_and_requantises_too():
    model = mlp((20, 40, 10), seed=1)
    with torch.no_grad():
        model[2].weight[3] *= 10
    network = quantize(model, X)
    assert len(set(network.output_scales)) == 1
    last = network.layers[-1]
    assert len(set(zip(last.multiplier.tolist(), last.shift.tolist(), strict=True))) == 1
    sums = integer_outputs(network, X)
    codes = integer_outputs(network, X, last="activations")
    assert np.corrcoef(sums.ravel(), codes.ravel())[0, 1] > 0.999
    assert np.abs(codes).max() > 64


def test_rows_have_scales_of_their_own_elsewhere():
    model = mlp((20, 40, 10), seed=1)
    with torch.no_grad():
        model[0].weight[3] *= 0.01
    weights = quantize(model, X).layers[0].weights
    assert np.abs(weights[3].astype(int)).max() >= 100


def test_null_row_is_null_and_no_other():
    model = mlp((20, 6, 3), seed=1)
    with torch.no_grad():
        model[0].weight[2] = 0
        model[0].bias[2] = 0
        model[0].weight[4] = 0
        model[0].bias[4] = 0.7
    layer = quantize(model, X).layers[0]
    assert np.flatnonzero(layer.multiplier == 0).tolist() == [2]
    assert layer.bias[2] == 0
    values = requantize(
        np.tile(layer.bias, (1, 1)), layer.multiplier, layer.shift, bits=8, relu=True
    )
    assert values[0, 4] > 0


def test_huge_bias_fits_32_bits():
    model = mlp((20, 6, 3), seed=1)
    with torch.no_grad():
        model[0].weight[1] *= 1e-9
        model[0].bias[1] = 5.0
    network = quantize(model, X)
    assert abs(int(network.layers[0].bias[1])) <= 1 << 29
    assert relative_error(network, model, X) < 0.02


def test_pruned_model_carries_its_patterns():
    model = mlp((20, 40, 30, 10), seed=1)
    pruned = prune(model, ratio=4, calibration=X, lanes=2, rows=2).finalize()
    network = quantize(pruned, X)
    for layer, mask in zip(network.layers, pruned.layers.values(), strict=True):
        assert layer.patterns == mask.patterns
        assert (layer.columns == mask.columns).all()
        assert layer.align == mask.align == 1
        assert not layer.weights[~mask.mask].any()
    assert relative_error(network, model, X) < 0.03
    assert len(network.live_rows(0)) == pruned.layers["0"].live.sum()


def test_plain_model_is_dense_in_natural_order():
    layer = quantize(nn.Sequential(nn.Linear(20, 3)), X).layers[0]
    assert set(layer.patterns) == {Pattern(0, 1)}
    assert layer.columns.tolist() == list(range(20))
    assert not layer.relu


def test_layer_without_bias():
    model = nn.Sequential(nn.Linear(20, 8, bias=False), nn.ReLU(), nn.Linear(8, 3, bias=False))
    network = quantize(model, X)
    assert not network.layers[0].bias.any()
    assert relative_error(network, model, X) < 0.02


@pytest.mark.parametrize(
    ("settings", "kind", "text"),
    [
        ({"weight_bits": 1}, ValueError, "weight_bits must be in 2..8, not 1"),
        ({"activation_bits": 9}, ValueError, "activation_bits must be in 2..8, not 9"),
        ({"weight_bits": 8.0}, TypeError, "weight_bits must be an int, not 8.0"),
        ({"calibration": None}, TypeError, "calibration must be a tensor or an array, not None"),
        (
            {"calibration": X[:0]},
            ValueError,
            "calibration must be a batch of inputs, not shape (0, 20)",
        ),
        (
            {"calibration": X / 0},
            ValueError,
            "calibration must be finite, not with NaN or infinity",
        ),
        ({"model": 3}, TypeError, "model must be a torch.nn.Module, not 3"),
    ],
)
def test_refused(settings, kind, text):
    with pytest.raises(kind, match=f"^{re.escape(text)}$"):
        quantize(**{"model": mlp((20, 3)), "calibration": X, **settings})


def test_nan_weight_is_refused():
    model = mlp((20, 3))
    with torch.no_grad():
        model[0].weight[0, 0] = float("inf")
    text = r"^layer 0: weights and bias must be finite, not NaN or infinity$"
    with pytest.raises(ValueError, match=text):
        quantize(model, X)


def test_row_beyond_the_requantiser_is_named():
    model = mlp((20, 6, 3), seed=1)
    with torch.no_grad():
        model[0].weight[4, 1] = 1e30
    # Calibration never sees what the huge weight does.
    x = X.clone()
    x[:, 1] = 0
    with pytest.raises(ValueError, match=r"^layer 0, row 4: its accumulator step over the layer's"):
        quantize(model, x)


def test_input_rounds_and_saturates():
    network = quantize(mlp((20, 3)), X)
    step = network.input_scale
    row = np.zeros((1, 20))
    row[0, :6] = [step, -step, 1.4 * step, 1.6 * step, 1e9, -1e9]
    codes = quantize_input(network, row)
    assert codes[0, :6].tolist() == [1, -1, 1, 2, 127, -128]
    assert codes.dtype == np.int64
    assert (quantize_input(network, torch.as_tensor(row)) == codes).all()
    assert quantize_input(network, row.reshape(1, 4, 5)).shape == (1, 20)


@pytest.mark.parametrize(
    ("values", "kind", "text"),
    [
        (np.ones((3, 19)), ValueError, "inputs must have shape (B, 20), not (3, 19)"),
        (np.ones(20), ValueError, "inputs must have shape (B, 20), not (20,)"),
        (np.array([["a"] * 20]), TypeError, "inputs must be real numbers, not <U1"),
        (
            np.full((1, 20), np.nan),
            ValueError,
            "input 0, column 0 must be finite, not nan",
        ),
    ],
)
def test_input_refused(values, kind, text):
    network = quantize(mlp((20, 3)), X)
    with pytest.raises(kind, match=f"^{re.escape(text)}$"):
        quantize_input(network, values)


@pytest.mark.parametrize("order", ["natural", "spread"])
@pytest.mark.parametrize("lanes", [None, 4])
@pytest.mark.parametrize("method", ["darb", "bmwm"])
def test_golden_packs_and_computes_it(order, lanes, method):
    model = mlp((20, 40, 30, 10), seed=1)
    pruned = prune(
        model, ratio=3, calibration=X, order=order, lanes=lanes, rows=2, method=method
    ).finalize()
    network = quantize(pruned, X)
    image = pack(network, fit_config(network, lanes=4, rows=2))
    inputs = quantize_input(network, X)
    assert (EngineModel(image).run(inputs) == integer_outputs(network, X)).all()
    stored = sum(layer.stored_weights() for layer in EngineModel(image).layers)
    assert stored == pruned.report.stored
