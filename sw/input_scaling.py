"""Real inputs to the integers that an engine takes, without torch."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from darb.golden import Image
from darb.golden.fixed_point import check_vectors, signed_range


def scale_inputs(values: ArrayLike, *, columns: int, scale: float, bits: int) -> NDArray[np.int64]:
    """Divide by `scale`, round and saturate; integers are taken as they are.

    Parameters
    ----------
    values : array_like, shape (B, ...)
        Integers, already scaled, or real numbers. Flattened to (B, columns).
    columns : int
        N.
    scale : float
        Real value of one step of an input integer.
    bits : int
        Width of the signed integers.

    Returns
    -------
    ndarray of int64, shape (B, columns)

    Raises
    ------
    TypeError
        If `values` are not real numbers.
    ValueError
        If the shape does not fit, a value is not finite, or an integer is out of range.
    """
    values = np.asarray(values)
    if values.dtype.kind not in "fiu":
        raise TypeError(f"inputs must be real numbers, not {values.dtype}")
    if values.ndim < 2 or values[:1].size != min(len(values), 1) * columns:
        raise ValueError(f"inputs must have shape (B, {columns}), not {values.shape!r}")
    values = values.reshape(len(values), columns)
    if values.dtype.kind in "iu":
        return check_vectors(values, columns, bits)
    if not np.isfinite(values).all():
        row, column = map(int, np.argwhere(~np.isfinite(values))[0])
        raise ValueError(f"input {row}, column {column} must be finite, not {values[row, column]}")
    # Clipped while still real: a number beyond int64 would wrap around.
    with np.errstate(over="ignore"):
        steps = np.rint(values.astype(np.float64) / scale)
    return np.clip(steps, *signed_range(bits)).astype(np.int64)


def image_inputs(image: Image, values: ArrayLike) -> NDArray[np.int64]:
    """Return `values` as the inputs of an image; see `scale_inputs`."""
    return scale_inputs(
        values,
        columns=image.layers[0].columns,
        scale=image.input_scale,
        bits=image.config.activation_bits,
    )
