"""An order of a layer's rows that gives the lanes of an engine equal work."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from darb.golden.baselines.block_row import LEAST_ROW
from darb.golden.formats.stored_array import check_count, check_matrix


def balanced_order(
    weights: ArrayLike,
    multipliers: int,
    *,
    block_size: int = 1,
    blocks_a_step: int = 1,
    falling: bool = False,
) -> NDArray[np.int64]:
    """Return an order of the rows that gives every lane about as many clocks of work.

    Block rows are dealt round by round, the longest first; in each round the lane that has least
    to do so far gets the longest. Rounds of long and of short ones then take turns, so that sums
    come about as often at any time, unless they shall be `falling`. Ties go by number. The rows of
    a block row stay together, and a last block row that lacks rows stays last.

    Parameters
    ----------
    weights : array_like of int, shape (M, N)
    multipliers : int
    block_size, blocks_a_step : int
        See `BsrConfig`; by default those of CSR.
    falling : bool
        The longest come first: for engines whose sums all come at a vector's end.

    Raises
    ------
    TypeError
        If the weights are not integers, or one of the three is no int.
    ValueError
        If the weights are no matrix of weights, one of the three is below 1, or the multipliers
        are less than a lane's.
    """
    check_count("block_size", block_size, 1)
    check_count("blocks_a_step", blocks_a_step, 1)
    check_count("multipliers", multipliers, block_size**2 * blocks_a_step)
    weights = check_matrix(weights, 8)
    m, n = weights.shape
    lanes = multipliers // (block_size**2 * blocks_a_step)
    rows = np.add.reduceat(weights != 0, np.arange(0, n, block_size), axis=1) != 0
    blocks = np.logical_or.reduceat(rows, np.arange(0, m, block_size), axis=0)
    clocks = np.maximum(-(-np.count_nonzero(blocks, axis=1) // blocks_a_step), LEAST_ROW)
    whole = m // block_size
    order, totals = np.arange(len(clocks)), np.zeros(lanes, dtype=np.int64)
    if whole < len(clocks):
        totals[whole % lanes] = clocks[whole]
    ranked = np.argsort(-clocks[:whole], kind="stable")
    for first in range(0, whole, lanes):
        dealt = ranked[first : first + lanes]
        takers = np.argsort(totals[: len(dealt)], kind="stable")
        order[first + takers] = dealt
        totals[takers] += clocks[dealt]
    if not falling:
        rounds = order[: whole // lanes * lanes].reshape(-1, lanes)
        turns = np.arange(len(rounds))
        turns[1::2] = turns[::-1][: len(turns) // 2]
        turns[0::2] = np.arange(-(-len(turns) // 2))
        rounds[:] = rounds[turns]
    return (order[:, None] * block_size + np.arange(block_size)).ravel()[:m]
