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


def fill_slots(stored: NDArray[np.int8], pattern: Pattern, segments: Segments) -> Slots:
    """Move rows of weights into the slots of `pattern`.

    Parameters
    ----------
    stored : ndarray of int8, shape (rows, C)
        Columns in stored order.
    pattern : Pattern
    segments : Segments

    Raises
    ------
    PatternMisfitError
        If a block holds more nonzero weights than the pattern keeps; names the first such row
        (counted within `stored`) and its stored columns.
    """
    span = segments.lanes * pattern.blocks(segments.length) * pattern.block_size
    step = max(1, _MOST_CELLS // span)
    parts = []
    for first in range(0, max(1, len(stored)), step):
        try:
            parts.append(_fill_some(stored[first : first + step], pattern, segments))
        except PatternMisfitError as error:
            raise PatternMisfitError(first + error.row, error.detail) from None
    return Slots(
        np.concatenate([part.weights for part in parts]),
        np.concatenate([part.indices for part in parts]),
    )


def _fill_some(stored: NDArray[np.int8], pattern: Pattern, segments: Segments) -> Slots:
    rows, columns = stored.shape
    lanes, length = segments.lanes, segments.length
    blocks, size = pattern.blocks(length), pattern.block_size
    grid = np.zeros((rows, lanes, blocks * size), dtype=np.int8)
    flat = np.zeros((rows, lanes * length), dtype=np.int8)
    flat[:, :columns] = stored
    grid[:, :, :length] = flat.reshape(rows, lanes, length)
    grid = grid.reshape(rows, lanes, blocks, size)
    counts = np.count_nonzero(grid, axis=3)
    if counts.size and counts.max() > pattern.keep:
        row, lane, block = map(int, np.argwhere(counts > pattern.keep)[0])
        first = lane * length + block * size
        last = min(first + size, (lane + 1) * length, columns) - 1
        raise PatternMisfitError(
            row,
            f"columns {first}..{last} must hold at most {pattern.keep} nonzero "
            f"weight{'s' if pattern.keep > 1 else ''} (pattern {pattern}), "
            f"not {int(counts[row, lane, block])}",
        )
    if pattern.keep == 1:
        index = (grid != 0).argmax(axis=3)[..., None]
    else:
        index = np.argsort(grid == 0, axis=3, kind="stable")[..., : pattern.keep]
    values = np.take_along_axis(grid, index, axis=3)
    index = np.where(values != 0, index, 0)
    shape = (rows, lanes, blocks * pattern.keep)
    return Slots(values.reshape(shape), index.reshape(shape).astype(np.int16))


def empty_slots(slots: Slots, pattern: Pattern, segments: Segments) -> NDArray[np.int8]:
    """Return the rows that `slots` hold, shape (rows, C); the inverse of `fill_slots`.

    Raises
    ------
    ValueError
        If an index points past its segment or the last stored column, or two weights claim one
        column; names the row, lane and slot.
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
    stored = np.zeros((len(positions), segments.columns), dtype=np.int8)
    row_of = np.broadcast_to(np.arange(len(positions))[:, None, None], positions.shape)
    stored[row_of[used], positions[used]] = slots.weights[used]
    if np.count_nonzero(stored) != np.count_nonzero(used):
        counts = np.zeros(stored.shape, dtype=np.int64)
        np.add.at(counts, (row_of[used], positions[used]), 1)
        row, column = map(int, np.argwhere(counts > 1)[0])
        raise ValueError(f"row {row}: stored column {column} must be claimed once, not twice")
    return stored


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
    stored = layer.in_stored_order()
    by_pattern: dict[Pattern, list[int]] = {}
    for row in live_rows:
        by_pattern.setdefault(layer.patterns[row], []).append(int(row))
    sections: list[Section] = []
    misfits: list[tuple[int, str]] = []
    for pattern in sorted(by_pattern):
        rows = np.array(by_pattern[pattern], dtype=np.int64)
        try:
            sections.append(Section(pattern, rows, fill_slots(stored[rows], pattern, segments)))
        except PatternMisfitError as error:
            misfits.append((int(rows[error.row]), error.detail))
    if misfits:
        row, detail = min(misfits)
        raise PatternMisfitError(row, f"{detail} in layer {layer.name}")
    return sections
