"""Weights to slots and back: the arithmetic of the packed format for one layer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from darb.golden.network import IntegerLayer
from darb.golden.pattern import Pattern, Segments

_MOST_CELLS = 1 << 22
"""Columns of rows laid out at once, the padding of their segments included."""


class PatternMisfitError(ValueError):
    """A block of a row holds more weights than its pattern keeps."""

    def __init__(self, row: int, detail: str) -> None:
        super().__init__(f"row {row}, {detail}")
        self.row = row
        self.detail = detail


@dataclass(frozen=True, eq=False)
class Slots:
    """The weight slots of some rows that share a pattern.

    Parameters
    ----------
    weights : ndarray of int8, shape (rows, lanes, T)
        T slots a segment, block by block, ascending columns inside a block; 0 in padding slots.
    indices : ndarray of int16, shape (rows, lanes, T)
        Column inside the block, 0 in padding slots.
    """

    weights: NDArray[np.int8]
    indices: NDArray[np.int16]

    def positions(self, pattern: Pattern, segments: Segments) -> NDArray[np.int64]:
        """Return the stored column of each slot, shape (rows, lanes, T)."""
        block = np.arange(self.weights.shape[2]) // pattern.keep
        start = np.arange(segments.lanes) * segments.length
        return start[None, :, None] + (block << pattern.k)[None, None, :] + self.indices


def fill_slots(
    weights: NDArray[np.int8],
    pattern: Pattern,
    segments: Segments,
    *,
    rows: NDArray[np.integer] | None = None,
    columns: NDArray[np.integer] | None = None,
) -> Slots:
    """Move rows of weights into the slots of `pattern`.

    Parameters
    ----------
    weights : ndarray of int8, shape (M, N)
    pattern : Pattern
    segments : Segments
    rows : ndarray of int, shape (rows,), optional
        Which rows, in the order wanted; all by default.
    columns : ndarray of int, shape (C,), optional
        Column of each stored position; natural order by default. The others must be zero.

    Raises
    ------
    PatternMisfitError
        If a block holds more nonzero weights than the pattern keeps; names the first such row
        (counted within `rows`) and its stored columns.
    """
    n = weights.shape[1]
    rows = np.arange(len(weights)) if rows is None else rows
    columns = np.arange(n) if columns is None else columns
    span = segments.lanes * pattern.slots(segments.length)
    filled = np.zeros((len(rows), span), dtype=np.int8)
    indices = np.zeros((len(rows), span), dtype=np.int16)
    block_slot, index = _column_slots(n, columns, pattern, segments)
    step = max(1, _MOST_CELLS // n)
    for first in range(0, len(rows), step):
        part = weights[rows[first : first + step]]
        if pattern.k == 0:
            filled[first : first + step, : columns.size] = part.take(columns, axis=1)
            continue
        flat = np.flatnonzero(part != 0)
        ends = np.searchsorted(flat, np.arange(1, len(part) + 1) * n)
        row = np.repeat(np.arange(len(part)), np.diff(ends, prepend=0))
        column = flat - row * n
        block = row * span + block_slot[column]
        slot = block if pattern.keep == 1 else _ranked(block, index[column], pattern)
        values = filled[first : first + step].reshape(-1)
        crowded = (slot - block).max(initial=0) >= pattern.keep
        if not crowded:
            # Where each block keeps one, the weights of a crowded one claim the same slot.
            values[slot] = part.reshape(-1)[flat]
            indices[first : first + step].reshape(-1)[slot] = index[column]
            crowded = np.count_nonzero(values) != slot.size
        if crowded:
            raise _misfit(first, block, pattern, segments)
    shape = (len(rows), segments.lanes, pattern.slots(segments.length))
    return Slots(filled.reshape(shape), indices.reshape(shape))


def _column_slots(
    n: int, columns: NDArray[np.integer], pattern: Pattern, segments: Segments
) -> tuple[NDArray[np.int64], NDArray[np.int16]]:
    """Return the first slot of each column's block, within a row, and its index in the block."""
    lane, inside = np.divmod(np.arange(columns.size), segments.length)
    block_slot = np.zeros(n, dtype=np.int64)
    block = inside >> pattern.k
    block_slot[columns] = lane * pattern.slots(segments.length) + block * pattern.keep
    index = np.zeros(n, dtype=np.int16)
    index[columns] = inside & (pattern.block_size - 1)
    return block_slot, index


def _ranked(
    block: NDArray[np.int64], index: NDArray[np.int16], pattern: Pattern
) -> NDArray[np.int64]:
    """Return each weight's slot: its block's first and how many of the block stand before it."""
    place = block << pattern.k | index
    order = np.argsort(place)
    in_order = block[order]
    first = np.flatnonzero(np.diff(in_order, prepend=-1))
    before = np.repeat(first, np.diff(first, append=in_order.size))
    slot = np.empty_like(block)
    slot[order] = in_order + np.arange(in_order.size) - before
    return slot


def _misfit(
    first_row: int, block: NDArray[np.int64], pattern: Pattern, segments: Segments
) -> PatternMisfitError:
    """Return what names the first crowded block, each weight's `block` being its first slot."""
    counts = np.bincount(block)
    crowded = int(np.argmax(counts > pattern.keep))
    steps = pattern.slots(segments.length)
    row, slot = divmod(crowded, segments.lanes * steps)
    lane, slot = divmod(slot, steps)
    first = lane * segments.length + slot // pattern.keep * pattern.block_size
    lane_end = min((lane + 1) * segments.length, segments.columns)
    last = min(first + pattern.block_size, lane_end) - 1
    return PatternMisfitError(
        first_row + row,
        f"columns {first}..{last} must hold at most {pattern.keep} nonzero "
        f"weight{'s' if pattern.keep > 1 else ''} (pattern {pattern}), "
        f"not {int(counts[crowded])}",
    )


def empty_slots(
    slots: Slots,
    pattern: Pattern,
    segments: Segments,
    *,
    columns: NDArray[np.integer] | None = None,
    width: int | None = None,
) -> NDArray[np.int8]:
    """Return the rows that `slots` hold; the inverse of `fill_slots`.

    Parameters
    ----------
    slots : Slots
    pattern : Pattern
    segments : Segments
    columns : ndarray of int, shape (C,), optional
        Column of each stored position; natural order by default.
    width : int, optional
        N, the columns of the result; C by default.

    Returns
    -------
    ndarray of int8, shape (rows, N)

    Raises
    ------
    ValueError
        If an index points past its segment or the last stored column, or two weights claim one
        column; names the row, and the lane and slot or the stored column.
    """
    positions = slots.positions(pattern, segments)
    lane_end = (np.arange(segments.lanes) + 1) * segments.length
    limit = np.minimum(lane_end, segments.columns)[None, :, None]
    used = slots.weights != 0
    past = (positions >= limit) & (used | (slots.indices != 0))
    if past.any():
        row, lane, slot = map(int, np.argwhere(past)[0])
        raise ValueError(
            f"row {row}, lane {lane}, slot {slot}: index must stay below column "
            f"{int(limit[0, lane, 0])}, not {int(positions[row, lane, slot])}"
        )
    width = segments.columns if width is None else width
    weights = np.zeros((len(positions), width), dtype=np.int8)
    flat = np.flatnonzero(used)
    row = flat // (used.shape[1] * used.shape[2])
    position = positions.reshape(-1)[flat]
    place = position if columns is None else columns[position]
    weights.reshape(-1)[row * width + place] = slots.weights.reshape(-1)[flat]
    if np.count_nonzero(weights) != flat.size:
        counts = np.bincount(row * segments.columns + position)
        row, column = divmod(int(np.argmax(counts > 1)), segments.columns)
        raise ValueError(f"row {row}: stored column {column} must be claimed once, not twice")
    return weights


@dataclass(frozen=True, eq=False)
class Section:
    """A run of rows with one pattern, in packed order.

    Parameters
    ----------
    pattern : Pattern
    rows : ndarray of int64, shape (m,)
        The layer's row numbers, ascending.
    slots : Slots
    """

    pattern: Pattern
    rows: NDArray[np.int64]
    slots: Slots


def pack_layer(layer: IntegerLayer, live_rows: NDArray[np.int64], lanes: int) -> list[Section]:
    """Sort the live rows by pattern, stably, and fill their slots.

    Raises
    ------
    PatternMisfitError
        If a row does not fit its pattern; names the layer, the first offending row of the layer
        and its stored columns.
    """
    segments = layer.segments(lanes)
    by_pattern: dict[Pattern, list[int]] = {}
    for row in live_rows:
        by_pattern.setdefault(layer.patterns[row], []).append(int(row))
    sections: list[Section] = []
    misfits: list[tuple[int, str]] = []
    for pattern in sorted(by_pattern):
        rows = np.array(by_pattern[pattern], dtype=np.int64)
        try:
            slots = fill_slots(layer.weights, pattern, segments, rows=rows, columns=layer.columns)
            sections.append(Section(pattern, rows, slots))
        except PatternMisfitError as error:
            misfits.append((int(rows[error.row]), error.detail))
    if misfits:
        row, detail = min(misfits)
        raise PatternMisfitError(row, f"{detail} in layer {layer.name}")
    return sections
