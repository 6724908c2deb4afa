import re

import numpy as np
import pytest
import torch
from torch import nn

from darb.sw.input_scaling import scale_inputs
from darb.sw.quantization import quantize, quantize_input


def test_it_rounds_half_to_even_and_saturates():
    values = np.array([[-9.0, -0.5, 0.25, 0.74, 0.75, 9.0]])
    scaled = scale_inputs(values, columns=6, scale=0.5, bits=4)
    assert scaled.tolist() == [[-8, -1, 0, 1, 2, 7]]


def test_huge_inputs_saturate_at_their_own_end():
    values = np.array([[1e30, -1e30, 1e308, -1e308]])
    scaled = scale_inputs(values, columns=4, scale=1e-3, bits=8)
    assert scaled.tolist() == [[127, -128, 127, -128]]


def test_integers_are_taken_as_they_are():
    values = np.array([[-8, 7]], dtype=np.int16)
    assert scale_inputs(values, columns=2, scale=0.5, bits=4).tolist() == [[-8, 7]]


def test_it_agrees_with_the_quantiser():
    torch.manual_seed(0)
    values = np.random.default_rng(0).normal(size=(50, 12)).astype(np.float32)
    network = quantize(nn.Sequential(nn.Linear(12, 4)), values)
    scaled = scale_inputs(values * 2, columns=12, scale=network.input_scale, bits=8)
    assert np.array_equal(scaled, quantize_input(network, values * 2))
    assert {-128, 127} <= set(scaled.flat)


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        (np.zeros(4), ValueError, "inputs must have shape (B, 4), not (4,)"),
        (np.zeros((2, 5)), ValueError, "inputs must have shape (B, 4), not (2, 5)"),
        (np.full((2, 4), np.inf), ValueError, "input 0, column 0 must be finite, not inf"),
        (np.zeros((2, 4), dtype=bool), TypeError, "inputs must be real numbers, not bool"),
        (np.full((1, 4), -9), ValueError, "input vector 0, column 0 must be in -8..7, not -9"),
    ],
)
def test_refusals(values, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        scale_inputs(values, columns=4, scale=1.0, bits=4)


def test_no_vectors_are_no_vectors():
    assert scale_inputs(np.zeros((0, 4)), columns=4, scale=1.0, bits=4).shape == (0, 4)
