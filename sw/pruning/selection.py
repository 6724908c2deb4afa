"""The largest of many scores: exact counts, and of equal scores the first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_CELLS = 1 << 21


def largest(scores: NDArray[np.floating], count: int) -> NDArray[np.bool_]:
    """Mark exactly `count` of the scores, or all if there are fewer; of equal ones the first.

    Parameters
    ----------
    scores : ndarray, shape (n,)
    count : int

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    if count <= 0:
        return np.zeros(scores.size, dtype=bool)
    if count >= scores.size:
        return np.ones(scores.size, dtype=bool)
    edge = np.partition(scores, scores.size - count)[scores.size - count]
    chosen = scores > edge
    ties = np.flatnonzero(scores == edge)
    chosen[ties[: count - np.count_nonzero(chosen)]] = True
    return chosen


def largest_of_each(blocks: NDArray[np.floating], keep: int) -> NDArray[np.bool_]:
    """Mark exactly `keep` scores of each row, or all if it has fewer; of equal ones the first.

    Parameters
    ----------
    blocks : ndarray, shape (n, m)
    keep : int
        At least 1.

    Returns
    -------
    ndarray of bool, shape (n, m)
    """
    count, size = blocks.shape
    if keep >= size:
        return np.ones(blocks.shape, dtype=bool)
    kept = np.zeros(blocks.shape, dtype=bool)
    if keep == 1:
        kept[np.arange(count), blocks.argmax(axis=1)] = True
        return kept
    chunk = max(1, _CELLS // size)
    for start in range(0, count, chunk):
        part = blocks[start : start + chunk]
        edge = np.partition(part, size - keep, axis=1)[:, size - keep, None]
        chosen = part > edge
        ties = part == edge
        missing = keep - np.count_nonzero(chosen, axis=1)
        tied = np.flatnonzero(np.count_nonzero(ties, axis=1) > missing)
        if tied.size:
            ties[tied] &= np.cumsum(ties[tied], axis=1) <= missing[tied, None]
        np.logical_or(chosen, ties, out=kept[start : start + chunk])
    return kept


def counts_within(
    values: Sequence[NDArray[np.floating]], *, costs: Sequence[int], budget: float
) -> list[int]:
    """Return how many units each layer keeps when all layers share one budget.

    The best unit of every layer comes first, so that none is cut through; then all others by
    value, up to the first that the budget cannot pay for. More budget never takes a unit away.

    Parameters
    ----------
    values : sequence of ndarray, shape (n,)
        What each unit of a layer is worth, comparable between layers.
    costs : sequence of int
        What a unit of the layer costs.
    budget : float
        At least the cost of one unit a layer.
    """
    sizes = [value.size for value in values]
    flat = np.concatenate([np.asarray(value, dtype=np.float64) for value in values])
    first = np.append(0, np.cumsum(sizes))
    for start, value in zip(first, values, strict=False):
        flat[start + value.argmax()] = np.inf
    layer = np.repeat(np.arange(len(sizes)), sizes)
    if len(set(costs)) == 1:
        chosen = layer[largest(flat, int(min(budget // costs[0], flat.size)))]
    else:
        order = layer[np.argsort(-flat, kind="stable")]
        spent = np.cumsum(np.asarray(costs, dtype=np.int64)[order])
        chosen = order[: np.searchsorted(spent, budget, side="right")]
    return np.bincount(chosen, minlength=len(sizes)).tolist()
