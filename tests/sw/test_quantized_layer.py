"""One layer in integers: convolutions of every shape against torch's own, on whole numbers."""

import re

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from darb.sw.quantization_scales import quantize_rows
from darb.sw.quantized_layer import QuantizedLayer, encode

WIDTHS = {"input_scale": 0.01, "weight_bits": 8, "activation_bits": 8}


def codes_of(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(-128, 128, shape, generator=generator).double()


def seeded(build, seed=0):
    torch.manual_seed(seed)
    return build()


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"stride": 2, "padding": 1},
        {"stride": (1, 3), "padding": (2, 0), "dilation": (1, 2)},
        {"padding": "same", "dilation": (2, 1), "kernel_size": (2, 5)},
        {"padding": "valid", "bias": False},
        {"groups": 2, "padding": 1},
        {"groups": 4, "stride": 2},
    ],
    ids=str,
)
def test_convolution(settings):
    conv = seeded(lambda: nn.Conv2d(4, 8, **{"kernel_size": 3, **settings}))
    layer = QuantizedLayer("0", conv, **WIDTHS)
    codes = codes_of(3, 4, 11, 13)
    weights = torch.as_tensor(layer.rows.weights).double().reshape(conv.weight.shape)
    # In float64 torch unfolds and multiplies, and the sums are far below 2**53.
    with torch.no_grad():
        conv.double().weight.copy_(weights)
        if conv.bias is not None:
            conv.bias.copy_(torch.as_tensor(layer.rows.bias))
        wanted = conv(codes)
    sums = layer.accumulators(codes)
    assert sums.dtype == np.int64
    assert sums.shape == (3, *wanted.shape[2:], 8)
    assert torch.equal(layer.laid_out(sums), wanted.long())
    assert np.abs(sums).max() > 10_000


def test_convolution_is_the_product_with_unfolded_patches():
    conv = seeded(lambda: nn.Conv2d(3, 5, (2, 3)))
    layer = QuantizedLayer("0", conv, **WIDTHS)
    codes = codes_of(2, 3, 6, 7)
    patches = functional.unfold(codes, (2, 3)).transpose(1, 2).numpy().astype(np.int64)
    wanted = patches @ layer.rows.weights.T + layer.rows.bias
    assert (layer.accumulators(codes).reshape(2, -1, 5) == wanted).all()


@pytest.mark.parametrize("shared", [False, True])
def test_rows_are_those_of_a_linear_layer(shared):
    conv = seeded(lambda: nn.Conv2d(3, 5, 2))
    rows = quantize_rows(
        conv.weight.detach().flatten(1).double().numpy(),
        conv.bias.detach().double().numpy(),
        input_scale=0.01,
        weight_bits=8,
        shared=shared,
    )
    layer = QuantizedLayer("0", conv, shared=shared, **WIDTHS)
    assert (layer.rows.weights == rows.weights).all()
    assert (layer.rows.bias == rows.bias).all()
    assert (len(set(rows.steps)) == 1) == shared


def test_linear_takes_any_leading_axes():
    linear = seeded(lambda: nn.Linear(6, 4))
    layer = QuantizedLayer("0", linear, **WIDTHS)
    codes = codes_of(2, 3, 6)
    wanted = codes.numpy().astype(np.int64) @ layer.rows.weights.T + layer.rows.bias
    assert (layer.accumulators(codes) == wanted).all()
    assert layer.laid_out(wanted).shape == (2, 3, 4)


def test_codes_round_to_even_and_saturate():
    values = torch.tensor([0.5, 1.5, -0.5, 3.2, 1e30, -1e30]) * 0.25
    codes = encode(values, scale=0.25, bits=4)
    assert codes.tolist() == [0, 2, 0, 3, 7, -8]
    assert codes.dtype == torch.float64


def test_refused():
    conv = nn.Conv2d(1, 1, 3, padding=1, padding_mode="reflect")
    text = "layer c: padding_mode must be 'zeros', not 'reflect'"
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        QuantizedLayer("c", conv, **WIDTHS)
    linear = nn.Linear(2, 2)
    with torch.no_grad():
        linear.bias[1] = float("nan")
    text = "layer c: weights and bias must be finite, not NaN or infinity"
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        QuantizedLayer("c", linear, **WIDTHS)
