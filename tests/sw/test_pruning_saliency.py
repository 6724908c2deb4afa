"""Saliency: values by hand, and refusals."""

import re

import numpy as np
import pytest

from darb.sw.pruning import activation, magnitude


def test_by_hand():
    weights = np.array([[1.0, -2.0, 0.0], [-4.0, 5.0, -6.0]])
    assert magnitude(weights).tolist() == [[1, 2, 0], [4, 5, 6]]
    assert activation(weights, [2.0, 0.0, 0.5]).tolist() == [[2, 0, 0], [8, 0, 3]]


def test_keeps_single_precision():
    assert magnitude(np.ones((2, 3), dtype=np.float32)).dtype == np.float32


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_not_finite_is_refused(bad):
    weights = np.ones((3, 4))
    weights[1, 2] = bad
    with pytest.raises(ValueError, match=rf"^weights must be finite: row 1, column 2 .* not {bad}"):
        magnitude(weights)


@pytest.mark.parametrize(
    ("weights", "kind", "text"),
    [
        (np.ones(3), ValueError, "weights must have shape (M, N), not (3,)"),
        (np.ones((0, 3)), ValueError, "weights must have shape (M, N), not (0, 3)"),
        (np.array([["a"]]), TypeError, "weights must be real numbers, not <U1"),
        (np.ones((1, 1), dtype=complex), TypeError, "weights must be real numbers, not complex128"),
    ],
)
def test_refused(weights, kind, text):
    with pytest.raises(kind, match=f"^{re.escape(text)}$"):
        magnitude(weights)


@pytest.mark.parametrize(
    ("rms", "text"),
    [
        ([1.0], "rms must have shape (2,), not (1,)"),
        ([1.0, -1.0], "rms must be finite and at least 0, not -1.0"),
        ([1.0, float("nan")], "rms must be finite and at least 0, not nan"),
    ],
)
def test_rms_refused(rms, text):
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        activation(np.ones((1, 2)), rms)
