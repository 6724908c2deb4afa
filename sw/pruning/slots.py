"""Weight slots: what rows of a pattern take on the engine, and what a ratio leaves of them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from darb.golden.pattern import Pattern, Segments


def largest_k(columns: int, *, lanes: int | None, max_k: int) -> int:
    """Return the largest useful k: the first whose one block spans the whole segment."""
    length = Segments(columns, lanes or 1).length
    return min(max_k, (length - 1).bit_length())


def row_slots(columns: int, pattern: Pattern, *, lanes: int | None) -> int:
    """Return the weight slots that one row of `columns` stored columns takes."""
    segments = Segments(columns, lanes or 1)
    return segments.lanes * pattern.slots(segments.length)


def in_segments(
    scores: NDArray[np.floating], *, lanes: int | None, multiple: int, fill: float
) -> NDArray[np.floating]:
    """Return scores of shape (M, C) as (M, S, L'), each segment padded to a multiple."""
    rows, columns = scores.shape
    segments = Segments(columns, lanes or 1)
    length = -(-segments.length // multiple) * multiple
    if segments.lanes * length == columns:
        return scores.reshape(rows, segments.lanes, length)
    whole = np.full((rows, segments.lanes * segments.length), fill, dtype=scores.dtype)
    whole[:, :columns] = scores
    whole = whole.reshape(rows, segments.lanes, segments.length)
    if length == segments.length:
        return whole
    padded = np.full((rows, segments.lanes, length), fill, dtype=scores.dtype)
    padded[:, :, : segments.length] = whole
    return padded


def least_slots(
    layers: Sequence[NDArray[np.floating]], *, lanes: int | None, rows: int | None, max_k: int
) -> int:
    """Return the slots that all rows take in the largest blocks, padding included."""
    total, group = 0, rows or 1
    for values in layers:
        k = largest_k(values.shape[1], lanes=lanes, max_k=max_k)
        padded = -(-values.shape[0] // group) * group
        total += padded * row_slots(values.shape[1], Pattern(k), lanes=lanes)
    return total


def budget_of(
    layers: Sequence[NDArray[np.floating]],
    *,
    weights: int,
    ratio: float,
    lanes: int | None,
    rows: int | None,
    max_k: int,
    name: str = "",
) -> float:
    """Return the weight slots that `ratio` leaves of `weights`; infinite at ratio 1.

    `name` is of the one layer that has the budget for itself, for messages.

    Raises
    ------
    ValueError
        If even the largest blocks take more.
    """
    if ratio == 1:
        return math.inf
    least = least_slots(layers, lanes=lanes, rows=rows, max_k=max_k)
    if least > weights / ratio:
        most = math.floor(100 * weights / least) / 100
        where = "" if lanes is None else f" that restart in each of {lanes} lanes"
        raise ValueError(
            f"ratio must be at most {most}, for blocks of at most {1 << max_k} columns{where} "
            f"take {least} slots{f' in layer {name}' if name else ''}, not {ratio!r}"
        )
    return weights / ratio
