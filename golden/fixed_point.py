"""Number formats: two's-complement ranges, saturation and per-row requantisation."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

BIAS_BITS = 32
MULTIPLIER_BITS = 16
SHIFT_BITS = 6


def signed_range(bits: int) -> tuple[int, int]:
    """Return the smallest and largest two's-complement integer of `bits` bits."""
    return -(1 << (bits - 1)), (1 << (bits - 1)) - 1


def weight_limit(bits: int) -> int:
    """Return the largest weight magnitude of `bits` bits; the most negative code is not used."""
    return (1 << (bits - 1)) - 1


def signed_bits(magnitude: int) -> int:
    """Return how many two's-complement bits hold every integer in -magnitude..magnitude."""
    return int(magnitude).bit_length() + 1


def saturate(values: ArrayLike, bits: int) -> NDArray[np.int64]:
    """Clamp integers to the signed range of `bits` bits."""
    low, high = signed_range(bits)
    return np.clip(np.asarray(values, dtype=np.int64), low, high)


def requantize(
    accumulators: ArrayLike, multiplier: ArrayLike, shift: ArrayLike, *, bits: int, relu: bool
) -> NDArray[np.int64]:
    """Scale accumulators to activations with integer arithmetic alone.

    ``saturate(max((acc * multiplier + 2**(shift - 1)) >> shift, 0 if relu))``: the arithmetic
    shift rounds half towards plus infinity.

    Parameters
    ----------
    accumulators : array_like of int, shape (..., M)
        Exact sums, bias included, within 32 signed bits.
    multiplier : array_like of int, shape (M,)
        Unsigned 16-bit, normalised to 2**15..2**16 - 1, or zero for a null row.
    shift : array_like of int, shape (M,)
        1..63.
    bits : int
        Width of the signed result.
    relu : bool
        Clamp at zero before saturation.

    Returns
    -------
    ndarray of int64, shape (..., M)
    """
    shift = np.asarray(shift, dtype=np.int64)
    product = np.asarray(accumulators, dtype=np.int64) * np.asarray(multiplier, dtype=np.int64)
    scaled = ((product >> (shift - 1)) + 1) >> 1
    return saturate(np.maximum(scaled, 0) if relu else scaled, bits)


def requantisation_faults(
    multiplier: NDArray[np.integer], shift: NDArray[np.integer]
) -> Iterator[tuple[int, str]]:
    """Yield what is wrong with rows' scales: for each rule that is broken, the first row, the text.

    Parameters
    ----------
    multiplier, shift : ndarray of int, shape (M,)
    """
    low, high = 1 << (MULTIPLIER_BITS - 1), (1 << MULTIPLIER_BITS) - 1
    last = (1 << SHIFT_BITS) - 1
    rules = (
        (
            "multiplier",
            multiplier,
            ((multiplier >= low) & (multiplier <= high)) | (multiplier == 0),
            f"0 or in {low}..{high}",
        ),
        ("shift", shift, (shift >= 1) & (shift <= last), f"in 1..{last}"),
    )
    for name, values, good, rule in rules:
        if not good.all():
            row = int(np.argmin(good))
            yield row, f"{name} must be {rule}, not {int(values[row])}"


def accumulator_magnitude(
    weights: NDArray[np.int8], bias: NDArray[np.integer], activation_bits: int
) -> int:
    """Return the largest magnitude that any input can bring any row's accumulator to.

    Parameters
    ----------
    weights : ndarray of int8, shape (M, N)
    bias : ndarray of int, shape (M,)
    activation_bits : int
    """
    largest_input = 1 << (activation_bits - 1)
    sums = np.abs(weights.astype(np.int16)).sum(axis=1, dtype=np.int64) * largest_input
    return int((sums + np.abs(bias.astype(np.int64))).max(initial=0))


def check_vectors(vectors: NDArray[np.integer], columns: int, bits: int) -> NDArray[np.int64]:
    """Return input vectors as int64, shape (B, columns), or refuse them.

    Raises
    ------
    TypeError
        If they are not integers.
    ValueError
        If the shape does not fit, or a value is outside the signed range of `bits` bits.
    """
    vectors = np.asarray(vectors)
    if vectors.dtype.kind not in "iu":
        raise TypeError(f"input vectors must be integers, not {vectors.dtype}")
    if vectors.ndim != 2 or vectors.shape[1] != columns:
        raise ValueError(f"input vectors must have shape (B, {columns}), not {vectors.shape!r}")
    low, high = signed_range(bits)
    if vectors.min(initial=0) < low or vectors.max(initial=0) > high:
        vector, column = map(int, np.argwhere((vectors < low) | (vectors > high))[0])
        raise ValueError(
            f"input vector {vector}, column {column} must be in {low}..{high}, "
            f"not {int(vectors[vector, column])}"
        )
    return vectors.astype(np.int64)
