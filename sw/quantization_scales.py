"""Scales of quantisation: clips of least squared error, codes by row, fixed-point multipliers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from darb.golden.fixed_point import MULTIPLIER_BITS, SHIFT_BITS, weight_limit

_CLIPS = np.linspace(0.2, 1.0, 81)
_SAMPLE = 200_000
# A bias beyond this would leave the products of a row no room in 32 bits.
_BIAS_LIMIT = 1 << 29


def best_clip(values: NDArray[np.floating], limit: int) -> float:
    """Return the clip value that quantises `values` with the least squared error.

    Parameters
    ----------
    values : ndarray
    limit : int
        Largest code; codes are symmetric about zero.

    Returns
    -------
    float
        0.2 to 1 times the largest magnitude; 1 where all values are zero.
    """
    magnitudes = np.abs(np.asarray(values, dtype=np.float64)).ravel()
    largest = float(magnitudes.max(initial=0.0))
    if largest == 0.0:
        return 1.0
    # Every stride-th of the sorted values: the tail, which clipping is about, is always in it.
    magnitudes = np.sort(magnitudes)[::-1][:: -(-magnitudes.size // _SAMPLE)]
    errors = []
    for clip in _CLIPS * largest:
        step = clip / limit
        error = np.minimum(np.rint(magnitudes / step), limit) * step - magnitudes
        errors.append(float(np.dot(error, error)))
    return float(_CLIPS[int(np.argmin(errors))] * largest)


def row_clips(weights: NDArray[np.floating], limit: int) -> NDArray[np.float64]:
    """Return each row's clip of least squared error.

    Parameters
    ----------
    weights : ndarray, shape (M, N)
    limit : int
        Largest code; codes are symmetric about zero.

    Returns
    -------
    ndarray of float64, shape (M,)
        0.2 to 1 times the row's largest magnitude; 0 for rows without weights.
    """
    weights = np.asarray(weights, dtype=np.float64)
    largest = np.abs(weights).max(axis=1)
    best = np.full(len(weights), np.inf)
    clips = largest.copy()
    for share in _CLIPS[::-1]:
        step = np.where(largest > 0, share * largest / limit, 1.0)[:, None]
        codes = np.clip(np.rint(weights / step), -limit, limit)
        error = np.square(codes * step - weights).sum(axis=1)
        better = error < best
        best[better], clips[better] = error[better], (share * largest)[better]
    return clips


def fixed_point(
    factor: NDArray[np.float64], *, layer: str
) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
    """Return multiplier and shift with ``multiplier / 2**shift`` nearest to each factor.

    Parameters
    ----------
    factor : ndarray of float64, shape (M,)
        Real value of an accumulator's step over that of the output's; 0 for a null row.
    layer : str
        For the message.

    Returns
    -------
    multiplier : ndarray of uint16, shape (M,)
    shift : ndarray of uint8, shape (M,)

    Raises
    ------
    ValueError
        If a factor is larger than they reach; names the layer and the row.
    """
    top = 1 << MULTIPLIER_BITS
    mantissa, exponent = np.frexp(factor)
    multiplier = np.rint(mantissa * top).astype(np.int64)
    carried = multiplier == top
    multiplier[carried] = top // 2
    shift = MULTIPLIER_BITS - exponent - carried
    null = factor == 0
    multiplier[null], shift[null] = 0, 1
    # A smaller factor takes every accumulator of 32 bits to 0, and so does the longest shift.
    shift = np.minimum(shift, (1 << SHIFT_BITS) - 1)
    if (shift < 1).any():
        row = int(np.argmax(shift < 1))
        raise ValueError(
            f"layer {layer}, row {row}: its accumulator step over the layer's output step must be "
            f"below {2 ** (MULTIPLIER_BITS - 1)}, not {float(factor[row]):.3g}"
        )
    return multiplier.astype(np.uint16), shift.astype(np.uint8)


@dataclass(frozen=True, eq=False)
class RowCodes:
    """A weight matrix and its bias as integers.

    Parameters
    ----------
    weights : ndarray of int64, shape (M, N)
    bias : ndarray of int64, shape (M,)
    steps : ndarray of float64, shape (M,)
        Real value of one step of each row's accumulator; 0 where the row has neither weights nor
        bias.
    """

    weights: NDArray[np.int64]
    bias: NDArray[np.int64]
    steps: NDArray[np.float64]

    def requantisation(
        self, output_scale: float, *, layer: str
    ) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
        """Return each row's multiplier and shift to outputs of this scale; see `fixed_point`."""
        null = ~self.weights.any(axis=1) & (self.bias == 0)
        return fixed_point(np.where(null, 0.0, self.steps / output_scale), layer=layer)


def quantize_rows(
    weights: NDArray[np.float64],
    bias: NDArray[np.float64],
    *,
    input_scale: float,
    weight_bits: int,
    shared: bool = False,
) -> RowCodes:
    """Round a weight matrix to symmetric codes, and its bias to steps of the accumulators.

    Parameters
    ----------
    weights : ndarray of float64, shape (M, N)
    bias : ndarray of float64, shape (M,)
    input_scale : float
        Real value of one step of the integers that the matrix multiplies.
    weight_bits : int
    shared : bool
        One scale for all rows, so that accumulators can be compared with one another, instead of
        one a row.

    Returns
    -------
    RowCodes
    """
    limit = weight_limit(weight_bits)
    clips = (
        np.full(len(weights), best_clip(weights, limit)) if shared else row_clips(weights, limit)
    )
    steps = np.maximum(clips / limit * input_scale, np.abs(bias) / _BIAS_LIMIT)
    if shared:
        steps[:] = steps.max()
    null = steps == 0
    scale = np.where(null, 1.0, steps / input_scale)[:, None]
    codes = np.clip(np.rint(weights / scale), -limit, limit).astype(np.int64)
    biases = np.rint(bias / np.where(null, 1.0, steps)).astype(np.int64)
    return RowCodes(codes, biases, steps)
