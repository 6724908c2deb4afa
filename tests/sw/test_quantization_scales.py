"""Scales of quantisation: clips, codes by row, multipliers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darb.golden.fixed_point import requantize
from darb.sw.quantization_scales import best_clip, fixed_point, quantize_rows, row_clips


@given(st.floats(2.0**-47, 2.0**14))
def test_multiplier_is_normalised_and_near(factor):
    (multiplier,), (shift,) = fixed_point(np.array([factor]), layer="0")
    assert 1 << 15 <= multiplier < 1 << 16
    assert 1 <= shift < 64
    assert abs(int(multiplier) / 2.0 ** int(shift) / factor - 1) <= 2**-16


def test_multiplier_reaches_both_ends_and_no_further():
    low, high = 2.0**-48, 2.0**15 * (1 - 2.0**-16)
    multiplier, shift = fixed_point(np.array([low, 0.0, high]), layer="0")
    assert (multiplier.tolist(), shift.tolist()) == ([1 << 15, 0, (1 << 16) - 1], [63, 1, 1])
    for factor in (2.0**15, np.nextafter(2.0**15, 0)):
        text = r"^layer fc, row 2: its accumulator step over .* must be below 32768, not 3\.28e"
        with pytest.raises(ValueError, match=text):
            fixed_point(np.array([0.5, 0.0, factor]), layer="fc")


@given(st.floats(1e-300, 2.0**-48), st.integers(-(2**31), 2**31 - 1))
def test_a_factor_too_small_takes_everything_to_zero(factor, accumulator):
    multiplier, shift = fixed_point(np.array([factor]), layer="0")
    assert requantize([accumulator], multiplier, shift, bits=8, relu=False) == [0]


@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 7, 127]), st.booleans())
def test_best_clip_is_no_worse_than_the_largest_value(seed, limit, heavy):
    generator = np.random.default_rng(seed)
    values = generator.standard_t(2, size=500) if heavy else generator.uniform(-1, 1, size=500)

    def error(clip):
        codes = np.clip(np.rint(values / clip * limit), -limit, limit)
        return np.square(codes * clip / limit - values).sum()

    clip, largest = best_clip(values, limit), np.abs(values).max()
    assert 0 < clip <= largest
    assert error(clip) <= error(largest) * (1 + 1e-12)


def test_best_clip_cuts_a_lone_outlier():
    values = np.append(np.random.default_rng(0).normal(size=2000), 40.0)
    assert best_clip(values, 7) < 20
    assert best_clip(np.zeros(5), 127) == 1.0


@pytest.mark.parametrize("limit", [1, 7, 127])
def test_clips_of_rows_are_those_of_each_alone(limit):
    weights = np.random.default_rng(0).standard_t(3, size=(40, 60)).astype(np.float32)
    weights[7] = 0
    clips = row_clips(weights, limit)
    assert clips[7] == 0
    alone = [0.0 if row == 7 else best_clip(weights[row], limit) for row in range(40)]
    assert clips == pytest.approx(alone)


@pytest.mark.parametrize("shared", [False, True])
def test_rows_stand_for_their_weights(shared):
    generator = np.random.default_rng(0)
    weights, bias = generator.normal(size=(5, 30)), generator.normal(size=5)
    weights[1:3], bias[1] = 0, 0
    rows = quantize_rows(weights, bias, input_scale=0.1, weight_bits=8, shared=shared)
    assert (rows.steps[1] == 0) == (not shared)
    steps = rows.steps[:, None]
    assert np.abs(rows.weights * steps / 0.1 - weights).max() < 0.03
    assert np.abs(rows.bias * rows.steps - bias).max() < 1e-3
    multiplier, _ = rows.requantisation(0.05, layer="0")
    assert np.flatnonzero(multiplier == 0).tolist() == [1]
