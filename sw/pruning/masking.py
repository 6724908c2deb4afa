"""Masks with exact counts: which weights of a matrix stay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from darb.golden.pattern import Pattern, Segments
from darb.sw.pruning.block_size import assign
from darb.sw.pruning.column_order import natural_order
from darb.sw.pruning.config import ASSIGNMENTS, METHODS
from darb.sw.pruning.saliency import check_matrix
from darb.sw.pruning.slots import budget_of, in_segments, row_slots
from darb.sw.validation import (
    MOST_LANES,
    MOST_ROWS,
    check_choice,
    check_int,
    check_power_of_two,
    check_ratio,
)

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
            per_row = pattern.keep * row_slots(self.columns.size, pattern.k, lanes=self.lanes)
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
    scores = check_matrix("scores", scores)
    if (scores < 0).any():
        raise ValueError(f"scores must be at least 0, not {float(scores.min())!r}")
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
            stored[part] = _keep(scores[part][:, order], pattern, lanes)
    kept = np.zeros(scores.shape, dtype=bool)
    kept[:, order] = stored
    return kept


def _keep(scores: NDArray[np.floating], pattern: Pattern, lanes: int | None) -> NDArray[np.bool_]:
    """Return the mask of rows that share one pattern, columns in stored order."""
    rows, columns = scores.shape
    size = pattern.block_size
    # Padding scores less than any weight, so it is kept only where a block has nothing else.
    segments = in_segments(scores, lanes=lanes, multiple=size, fill=-1.0)
    blocks = segments.reshape(-1, size)
    kept = np.zeros(blocks.shape, dtype=bool)
    if pattern.keep == 1:
        kept[np.arange(len(blocks)), blocks.argmax(axis=1)] = True
    else:
        best = np.argsort(-blocks, axis=1, kind="stable")[:, : pattern.keep]
        np.put_along_axis(kept, best, True, axis=1)
    length = Segments(columns, lanes or 1).length
    kept = kept.reshape(rows, segments.shape[1], segments.shape[2])[:, :, :length]
    return kept.reshape(rows, -1)[:, :columns]


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
    block_sizes: NDArray[np.integer],
    *,
    columns: NDArray[np.int32],
    lanes: int | None,
    live: NDArray[np.bool_],
) -> Mask:
    """Return the mask of a layer whose live rows keep one weight a block of ``2**k`` columns.

    Parameters
    ----------
    scores : ndarray, shape (M, N)
    block_sizes : ndarray of int, one a live row
        k of each.
    columns, lanes, live
        As in `Mask`.
    """
    known = {int(k): Pattern(int(k)) for k in np.unique(block_sizes)}
    patterns = [min(known.values())] * len(live)
    for row, k in zip(np.flatnonzero(live), block_sizes.tolist(), strict=True):
        patterns[row] = known[k]
    kept = np.zeros(scores.shape, dtype=bool)
    stored = [patterns[row] for row in np.flatnonzero(live)]
    kept[live] = block_mask(scores[live], stored, columns=columns, lanes=lanes)
    align = 1 if lanes is not None else max(known.values()).block_size
    return Mask(kept, tuple(patterns), columns, align, lanes, live)


def mask(
    weights: ArrayLike,
    *,
    ratio: float,
    scores: ArrayLike | None = None,
    columns: ArrayLike | None = None,
    method: str = "darb",
    assignment: str = "energy",
    lanes: int | None = None,
    rows: int | None = None,
    max_k: int = 6,
) -> Mask:
    """Choose which weights of one matrix stay, by DARB or BMWM.

    Every row is cut into blocks of ``2**k`` consecutive stored columns, and each block keeps
    exactly one weight, the one with the largest score. BMWM (block-max weight masking) gives the
    matrix one k; DARB (density-adaptive regular-block pruning) gives each row its own, smaller
    for rows whose weights matter more. Both are from Ren et al., "DARB: A Density-Adaptive
    Regular-Block Pruning for Deep Neural Networks", AAAI 2020.

    Parameters
    ----------
    weights : array_like, shape (M, N)
    ratio : float
        At most ``M * N / ratio`` slots are spent, as near to it as one step of one row allows
        (for BMWM: of the matrix). At 1 every weight of a stored column stays.
    scores : array_like, shape (M, N), optional
        What each weight is worth; ``|weights|`` by default.
    columns : array_like of int, shape (C,), optional
        Original column of each stored position; all in natural order by default.
    method : {'darb', 'bmwm'}
    assignment : {'energy', 'density'}
        See `assign`.
    lanes, rows : int, optional
        Shape of the engine; see `PruneConfig`.
    max_k : int
        Largest block size is ``2**max_k`` columns.

    Returns
    -------
    Mask

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If a value does not fit, a weight or score is not finite, or the ratio cannot be reached.

    Examples
    --------
    Row 0 has one large weight, row 1 has four. At ratio 3.2 there are 5 slots for 16 weights: DARB
    gives row 0 one block of 8 and row 1 four blocks of 2.

    >>> import numpy as np
    >>> from darb.sw.pruning import mask
    >>> weights = np.array([[9, 1, -1, 0, 2, 1, 0, 1],
    ...                     [5, 1, 6, 0, -7, 2, 1, 8]])
    >>> pruned = mask(weights, ratio=3.2)
    >>> [str(pattern) for pattern in pruned.patterns]
    ['1 of 8', '1 of 2']
    >>> weights * pruned.mask
    array([[ 9,  0,  0,  0,  0,  0,  0,  0],
           [ 5,  0,  6,  0, -7,  0,  0,  8]])
    """
    weights = check_matrix("weights", weights)
    check_ratio(ratio)
    check_choice("method", method, METHODS)
    check_choice("assignment", assignment, ASSIGNMENTS)
    if lanes is not None:
        check_power_of_two("lanes", lanes, MOST_LANES)
    if rows is not None:
        check_power_of_two("rows", rows, MOST_ROWS)
    check_int("max_k", max_k, 0, 12)
    worth = np.abs(weights) if scores is None else check_matrix("scores", scores)
    if worth.shape != weights.shape:
        raise ValueError(f"scores must have shape {weights.shape!r}, not {worth.shape!r}")
    order = check_columns(columns, weights.shape[1])
    stored = [worth[:, order]]
    engine = {"lanes": lanes, "rows": rows, "max_k": max_k}
    budget = budget_of(stored, weights=weights.size, ratio=ratio, **engine)
    (block_sizes,) = assign(stored, budget=budget, method=method, assignment=assignment, **engine)
    live = np.ones(len(weights), dtype=bool)
    return layer_mask(worth, block_sizes, columns=order, lanes=lanes, live=live)
