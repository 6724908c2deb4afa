"""Products of integers as floats: every sum as Python's integers give it."""

import re

import numpy as np
import pytest
import torch

from darb.sw.integer_product import IntegerProduct


@pytest.mark.parametrize(
    ("columns", "dtype"), [(30, torch.float32), (1040, torch.float64), (3000, torch.float64)]
)
def test_sums_are_exact_up_to_the_largest(columns, dtype):
    generator = np.random.default_rng(columns)
    weights = generator.integers(-127, 128, size=(7, columns))
    weights[0], weights[1] = 127, -127
    bias = generator.integers(-99, 100, size=7)
    codes = generator.integers(-128, 128, size=(5, columns))
    codes[0], codes[1] = -128, 127
    product = IntegerProduct(weights, bias, activation_bits=8, layer="0")
    wanted = [
        [
            sum(w * c for w, c in zip(row, code, strict=True)) + b
            for row, b in zip(w_, b_, strict=True)
        ]
        for w_, b_, code in ((weights.tolist(), bias.tolist(), code) for code in codes.tolist())
    ]
    assert product.dtype is dtype
    got = product(torch.as_tensor(codes))
    assert got.dtype == np.int64
    assert got.tolist() == wanted


def test_leading_axes_stay():
    weights, codes = np.ones((2, 3), dtype=int), torch.arange(24).reshape(2, 4, 3)
    got = IntegerProduct(weights, np.array([0, 5]), activation_bits=8, layer="0")(codes)
    assert got.tolist() == (codes.sum(dim=2)[..., None] + torch.tensor([0, 5])).tolist()


def test_accumulators_beyond_32_bits_are_refused():
    weights, bias = np.full((1, 1), 127), np.array([2**31 - 1 - 127 * 128])
    assert IntegerProduct(weights, bias, activation_bits=8, layer="fc")(
        torch.tensor([[-128.0]])
    ) == [[2**31 - 1 - 2 * 127 * 128]]
    text = "layer fc: accumulators must stay within 32 bits, not reach 2147483648"
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        IntegerProduct(weights, bias + 1, activation_bits=8, layer="fc")
