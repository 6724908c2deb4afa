"""What storage formats ask of the numbers and arrays that they are made of."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from darb.golden.config import check_field
from darb.golden.fixed_point import weight_limit


def check_count(name: str, value: object, low: int, high: int | None = None) -> None:
    """Refuse a number that is no int or out of its range.

    Raises
    ------
    TypeError
        If `value` is no int.
    ValueError
        If it is below `low`, or above `high` where there is one.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an int, not {value!r}")
    if high is None and value < low:
        raise ValueError(f"{name} must be at least {low}, not {value!r}")
    if high is not None and not low <= value <= high:
        raise ValueError(f"{name} must be in {low}..{high}, not {value!r}")


def check_shape(shape: object) -> tuple[int, int]:
    """Return the shape (M, N) of a matrix, or refuse it.

    Raises
    ------
    TypeError
        If it is no tuple of ints.
    ValueError
        If it is not of two, each at least 1.
    """
    if not isinstance(shape, tuple) or not all(type(side) is int for side in shape):
        raise TypeError(f"shape must be a tuple of ints, not {shape!r}")
    if len(shape) != 2 or min(shape) < 1:
        raise ValueError(f"shape must be (M, N), each at least 1, not {shape!r}")
    return shape


def check_matrix(weights: ArrayLike, weight_bits: int) -> NDArray[np.int8]:
    """Return a dense integer matrix as int8, or refuse it.

    Parameters
    ----------
    weights : array_like of int, shape (M, N)
    weight_bits : int
        2..8; as everywhere in darb, the most negative code is not used.

    Raises
    ------
    TypeError
        If the weights are not integers, or `weight_bits` is no int.
    ValueError
        If the shape is not (M, N) with weights in it, or a weight is wider than `weight_bits`;
        names the first such row and column.
    """
    check_field("weight_bits", weight_bits)
    weights = np.asarray(weights)
    if weights.dtype.kind not in "iu":
        raise TypeError(f"weights must be integers, not {weights.dtype}")
    if weights.ndim != 2 or 0 in weights.shape:
        raise ValueError(f"weights must have shape (M, N), not {weights.shape!r}")
    limit = weight_limit(weight_bits)
    outside = (weights < -limit) | (weights > limit)
    if outside.any():
        row, column = map(int, np.argwhere(outside)[0])
        raise ValueError(
            f"row {row}, column {column}: weights of {weight_bits} bits must be in "
            f"{-limit}..{limit}, not {int(weights[row, column])}"
        )
    return weights.astype(np.int8)


def stored_array(
    name: str,
    values: ArrayLike,
    kind: type[np.signedinteger],
    shape: tuple[int | None, ...],
    low: int,
    high: int,
) -> NDArray[np.signedinteger]:
    """Return a read-only copy of one array of a format, or refuse it.

    Parameters
    ----------
    name : str
        For messages.
    values : array_like of int
    kind : type
        Of the copy's integers.
    shape : tuple of int or None
        None where any length will do.
    low, high : int
        Smallest and largest integer allowed.

    Raises
    ------
    TypeError
        If the values are not integers.
    ValueError
        If the shape does not fit, or a value is out of range; names the first such.
    """
    values = np.asarray(values)
    if values.dtype.kind not in "iu":
        raise TypeError(f"{name} must be integers, not {values.dtype}")
    fits = values.ndim == len(shape) and all(
        wanted in (None, side) for wanted, side in zip(shape, values.shape, strict=True)
    )
    if not fits:
        wanted = ", ".join("any" if side is None else str(side) for side in shape)
        comma = "," if len(shape) == 1 else ""
        raise ValueError(f"{name} must have shape ({wanted}{comma}), not {values.shape!r}")
    outside = (values < low) | (values > high)
    if outside.any():
        raise ValueError(
            f"{name} must be in {low}..{high}, not {int(values.flat[np.argmax(outside)])}"
        )
    copy = values.astype(kind)
    copy.setflags(write=False)
    return copy
