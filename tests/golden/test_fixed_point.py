from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darb.golden.fixed_point import (
    accumulator_magnitude,
    check_vectors,
    requantisation_faults,
    requantize,
    saturate,
    signed_bits,
    signed_range,
    weight_limit,
)

INT32 = st.integers(-(2**31), 2**31 - 1)
MULTIPLIER = st.just(0) | st.integers(2**15, 2**16 - 1)


@given(INT32, MULTIPLIER, st.integers(1, 63), st.integers(2, 8), st.booleans())
def test_requantize_rounds_half_up_then_clamps(accumulator, multiplier, shift, bits, relu):
    exact = Fraction(accumulator * multiplier, 2**shift)
    rounded = floor(exact + Fraction(1, 2))
    low = 0 if relu else -(2 ** (bits - 1))
    expected = min(max(rounded, low), 2 ** (bits - 1) - 1)
    got = requantize([accumulator], [multiplier], [shift], bits=bits, relu=relu)
    assert got.tolist() == [expected]


@pytest.mark.parametrize(
    ("accumulator", "expected"), [(3, 2), (1, 1), (-1, 0), (-3, -1), (0, 0), (2, 1), (-2, -1)]
)
def test_halves_go_towards_plus_infinity(accumulator, expected):
    got = requantize([accumulator], [1 << 15], [16], bits=8, relu=False)
    assert got.tolist() == [expected]


def test_each_row_has_its_own_scale():
    got = requantize([[100, 100], [-100, -100]], [1 << 15, 1 << 15], [15, 17], bits=8, relu=False)
    assert got.tolist() == [[100, 25], [-100, -25]]


@given(st.integers(2, 32))
def test_ranges(bits):
    low, high = signed_range(bits)
    assert (low, high) == (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    assert weight_limit(bits) == high
    assert saturate([low - 1, low, 0, high, high + 1], bits).tolist() == [low, low, 0, high, high]


@given(st.integers(0, 2**40))
def test_signed_bits_is_the_narrowest_that_holds_both_signs(magnitude):
    bits = signed_bits(magnitude)
    assert magnitude <= 2 ** (bits - 1) - 1
    assert bits == 1 or magnitude > 2 ** (bits - 2) - 1


def test_accumulator_magnitude_is_reached_by_the_worst_input():
    weights = np.array([[3, -5, 0], [1, 1, 1]], dtype=np.int8)
    bias = np.array([-7, 100], dtype=np.int32)
    assert accumulator_magnitude(weights, bias, 4) == max(8 * 8 + 7, 3 * 8 + 100)
    assert accumulator_magnitude(weights, -bias, 4) == max(8 * 8 + 7, 3 * 8 + 100)
    assert accumulator_magnitude(0 * weights, 0 * bias, 4) == 0
    assert accumulator_magnitude(weights[:0], bias[:0], 4) == 0


def test_what_a_rows_scale_can_be():
    good = np.array([0, 32768, 65535]), np.array([1, 30, 63])
    assert list(requantisation_faults(*good)) == []
    bad = np.array([0, 32767, 65536]), np.array([1, 64, 0])
    assert list(requantisation_faults(*bad)) == [
        (1, "multiplier must be 0 or in 32768..65535, not 32767"),
        (1, "shift must be in 1..63, not 64"),
    ]


@pytest.mark.parametrize(
    ("vectors", "error", "text"),
    [
        ([[0.5, 1]], TypeError, "input vectors must be integers, not float64"),
        ([1, 2], ValueError, "input vectors must have shape (B, 2), not (2,)"),
        ([[1, 2, 3]], ValueError, "input vectors must have shape (B, 2), not (1, 3)"),
        ([[1, 2], [3, 8]], ValueError, "input vector 1, column 1 must be in -8..7, not 8"),
        ([[-9, 2]], ValueError, "input vector 0, column 0 must be in -8..7, not -9"),
    ],
)
def test_refused_vectors(vectors, error, text):
    with pytest.raises(error) as caught:
        check_vectors(np.array(vectors), 2, 4)
    assert str(caught.value) == text


def test_unsigned_vectors_are_taken():
    assert check_vectors(np.array([[7, 0]], dtype=np.uint8), 2, 4).dtype == np.int64
