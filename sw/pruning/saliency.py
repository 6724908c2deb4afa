"""What a weight is worth: the scores that masks and block sizes are chosen by."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def check_matrix(name: str, values: ArrayLike) -> NDArray[np.floating]:
    """Return `values` as a float matrix, or refuse them.

    Raises
    ------
    TypeError
        If they are not real numbers.
    ValueError
        If the shape is not (M, N) with M and N at least 1, or a value is not finite.
    """
    matrix = np.asarray(values)
    if matrix.dtype.kind not in "fiu":
        raise TypeError(f"{name} must be real numbers, not {matrix.dtype}")
    if matrix.ndim != 2 or 0 in matrix.shape:
        raise ValueError(f"{name} must have shape (M, N), not {matrix.shape!r}")
    if matrix.dtype not in (np.float32, np.float64):
        matrix = matrix.astype(np.float64)
    finite = np.isfinite(matrix)
    if not finite.all():
        row, column = map(int, np.argwhere(~finite)[0])
        raise ValueError(
            f"{name} must be finite: row {row}, column {column} is not, "
            f"not {float(matrix[row, column])!r}"
        )
    return matrix


def magnitude(weights: ArrayLike) -> NDArray[np.floating]:
    """Return ``|w|``, the saliency of the DARB paper."""
    return np.abs(check_matrix("weights", weights))


def activation(weights: ArrayLike, rms: ArrayLike) -> NDArray[np.floating]:
    """Return ``|w| * rms(x)``, what a weight adds to the sum's root mean square.

    Parameters
    ----------
    weights : array_like, shape (M, N)
    rms : array_like, shape (N,) or (M, N)
        Root mean square of each input column over calibration data; zero for a dead column. One a
        weight where rows read different inputs, as in a Conv2d of several groups.

    Raises
    ------
    ValueError
        If `rms` does not fit the weights, or has a value that is negative or not finite.
    """
    scores = magnitude(weights)
    return scores * _checked_rms(rms, scores.shape[1:], scores.shape, like=scores)


def fisher(weights: ArrayLike, rms: ArrayLike) -> NDArray[np.floating]:
    """Return ``|w| * rms(g)``, the root of twice what the loss should rise by without a weight.

    Parameters
    ----------
    weights : array_like, shape (M, N)
    rms : array_like, shape (M, N)
        Root mean square of the loss's gradient to each weight; see
        `darb.sw.pruning.gradient_rms`.

    Raises
    ------
    ValueError
        If `rms` does not fit the weights, or has a value that is negative or not finite.
    """
    scores = magnitude(weights)
    return scores * _checked_rms(rms, scores.shape, like=scores)


def _checked_rms(
    rms: ArrayLike, *shapes: tuple[int, ...], like: NDArray[np.floating]
) -> NDArray[np.floating]:
    """Return root mean squares of one of these shapes, in the type of `like`, or refuse them."""
    rms = np.asarray(rms, dtype=like.dtype)
    if rms.shape not in shapes:
        raise ValueError(f"rms must have shape {shapes[0]!r}, not {rms.shape!r}")
    bad = ~(np.isfinite(rms) & (rms >= 0))
    if bad.any():
        raise ValueError(f"rms must be finite and at least 0, not {float(rms[bad][0])!r}")
    return rms


def column_energy(scores: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return each column's sum of squared scores."""
    return np.einsum("mn,mn->n", scores, scores, dtype=np.float64)
