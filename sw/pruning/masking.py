"""Masks with exact counts: which weights of a matrix stay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from darb.golden.pattern import Pattern
from darb.sw.pruning.column_order import from_order, in_order, natural_order
from darb.sw.pruning.row_blocks import keep_in_blocks
from darb.sw.pruning.score_arrays import check_scores
from darb.sw.pruning.slots import row_slots
from darb.sw.validation import check_int

_CHUNK = 256


@dataclass(frozen=True, eq=False)
class Mask:
    """Which weights of one layer stay, and by which patterns.

    Parameters
    ----------
    mask : ndarray of bool, shape (M, N)
        True where a weight stays, in the network's own column order.
    patterns : tuple of Pattern, length M
        What each row keeps to, over the stored columns. Rows that are not stored have one too; it
        means nothing.
    columns : ndarray of int32, shape (C,)
        Original column of each stored position.
    align : int
        1 where blocks restart at every segment, else the largest block size: what
        `darb.golden.pattern.Segments` needs to deal the columns to lanes.
    lanes : int, optional
        S that the blocks restart for; None where they run through the whole row.
    live : ndarray of bool, shape (M,)
        Rows that are stored. The next layer leaves out the outputs of the others.
    """

    mask: NDArray[np.bool_]
    patterns: tuple[Pattern, ...]
    columns: NDArray[np.int32]
    align: int
    lanes: int | None
    live: NDArray[np.bool_]

    @property
    def stored(self) -> int:
        """Weights that stay."""
        return int(np.count_nonzero(self.mask))

    def slots(self, rows: int = 1) -> int:
        """Return the weight slots of the layer, padding of segments and of `rows` included."""
        total = 0
        for pattern, count in self.sections().items():
            per_row = row_slots(self.columns.size, pattern, lanes=self.lanes)
            total += -(-count // rows) * rows * per_row
        return total

    def sections(self) -> dict[Pattern, int]:
        """Return how many stored rows have each pattern, smallest block first."""
        counts: dict[Pattern, int] = {}
        for pattern, live in sorted(zip(self.patterns, self.live, strict=True)):
            if live:
                counts[pattern] = counts.get(pattern, 0) + 1
        return counts


def block_mask(
    scores: ArrayLike,
    patterns: Sequence[Pattern],
    *,
    columns: ArrayLike | None = None,
    lanes: int | None = None,
) -> NDArray[np.bool_]:
    """Keep the largest scores of every block, exactly ``min(keep, columns)`` of them.

    Parameters
    ----------
    scores : array_like, shape (M, N)
        Not negative.
    patterns : sequence of Pattern, length M
    columns : array_like of int, shape (C,), optional
        Original column of each stored position; all in natural order by default. Blocks are runs
        of stored positions.
    lanes : int, optional
        Blocks restart at each of this many segments; None lets them run through the row.

    Returns
    -------
    ndarray of bool, shape (M, N)
        Of equal scores, those stored first stay.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind or does not fit.
    """
    scores = check_scores(scores)
    order = check_columns(columns, scores.shape[1])
    if lanes is not None:
        check_int("lanes", lanes, 1)
    if len(patterns) != scores.shape[0]:
        raise ValueError(f"patterns must name {scores.shape[0]} rows, not {len(patterns)!r}")
    stored = np.empty((scores.shape[0], order.size), dtype=bool)
    rows_of: dict[Pattern, list[int]] = {}
    for row, pattern in enumerate(patterns):
        if not isinstance(pattern, Pattern):
            raise TypeError(f"patterns must be of Pattern, not {pattern!r}")
        rows_of.setdefault(pattern, []).append(row)
    for pattern, rows in rows_of.items():
        for start in range(0, len(rows), _CHUNK):
            part = rows[start : start + _CHUNK]
            stored[part] = keep_in_blocks(
                in_order(scores[part], order),
                size=pattern.block_size,
                keep=pattern.keep,
                lanes=lanes,
            )
    return from_order(stored, order, scores.shape[1])


def check_columns(columns: ArrayLike | None, count: int) -> NDArray[np.int32]:
    """Return `columns` as a column order of a matrix of `count` columns, or refuse them.

    Raises
    ------
    TypeError
        If they are not integers.
    ValueError
        If there are none, one is out of range or stands twice.
    """
    if columns is None:
        return natural_order(count)
    order = np.asarray(columns)
    if order.dtype.kind not in "iu":
        raise TypeError(f"columns must be integers, not {order.dtype}")
    if order.ndim != 1 or not order.size:
        raise ValueError(f"columns must name at least one column, not shape {order.shape!r}")
    outside = (order < 0) | (order >= count)
    if outside.any():
        raise ValueError(f"columns must be in 0..{count - 1}, not {int(order[outside][0])!r}")
    times = np.bincount(order, minlength=count)
    if times.max() > 1:
        raise ValueError(f"columns must name a column once, not {int(times.argmax())!r} twice")
    return order.astype(np.int32)


def layer_mask(
    scores: NDArray[np.floating],
    patterns: Sequence[Pattern],
    *,
    columns: NDArray[np.int32],
    lanes: int | None,
    live: NDArray[np.bool_],
) -> Mask:
    """Return the mask of a layer by the patterns of its live rows.

    Parameters
    ----------
    scores : ndarray, shape (M, N)
    patterns : sequence of Pattern, one a live row
    columns, lanes, live
        As in `Mask`.
    """
    every = [min(patterns)] * len(live)
    for row, pattern in zip(np.flatnonzero(live), patterns, strict=True):
        every[row] = pattern
    if live.all():
        kept = block_mask(scores, every, columns=columns, lanes=lanes)
    else:
        kept = np.zeros(scores.shape, dtype=bool)
        kept[live] = block_mask(scores[live], patterns, columns=columns, lanes=lanes)
    align = 1 if lanes is not None else max(pattern.block_size for pattern in patterns)
    return Mask(kept, tuple(every), columns, align, lanes, live)
