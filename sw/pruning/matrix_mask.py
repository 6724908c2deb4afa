"""The mask of one matrix, by any method."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from darb.sw.pruning.free_mask import FreeMask
from darb.sw.pruning.masking import Mask, check_columns
from darb.sw.pruning.method import LayerScores, Method
from darb.sw.pruning.methods import method_of
from darb.sw.pruning.regular_blocks import SCORE_ASSIGNMENTS
from darb.sw.pruning.saliency import check_matrix
from darb.sw.pruning.score_arrays import check_scores
from darb.sw.validation import (
    MOST_LANES,
    MOST_ROWS,
    check_choice,
    check_int,
    check_power_of_two,
    check_ratio,
)


def mask(
    weights: ArrayLike,
    *,
    ratio: float,
    scores: ArrayLike | None = None,
    columns: ArrayLike | None = None,
    method: str | Method = "darb",
    assignment: str = "energy",
    lanes: int | None = None,
    rows: int | None = None,
    max_k: int = 6,
    max_keep: int = 1,
) -> Mask | FreeMask:
    """Choose which weights of one matrix stay, by DARB unless another method is named.

    DARB and BMWM cut every row into blocks of ``2**k`` consecutive stored columns, and each block
    keeps exactly one weight, the one with the largest score (or more: see `max_keep`). BMWM
    (block-max weight masking) gives the matrix one k; DARB (density-adaptive regular-block pruning)
    gives each row its own, smaller for rows whose weights matter more. Both are from Ren et al.,
    "DARB: A Density-Adaptive Regular-Block Pruning for Deep Neural Networks", AAAI 2020. The other
    methods say themselves what they keep: `Irregular`, `Structured`, `SquareBlocks`, `NOfM`,
    `BankBalanced`.

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
    method : str or Method
        See `PruneConfig`.
    assignment : {'energy', 'density'}
        See `assign`.
    lanes, rows : int, optional
        Shape of the engine; see `PruneConfig`.
    max_k : int
        Largest block size is ``2**max_k`` columns.
    max_keep : int
        Most weights that a block keeps; see `assign`.

    Returns
    -------
    Mask

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If a value does not fit, the method has no use for it, a weight or score is not finite, or
        the ratio cannot be reached.

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
    check_choice("assignment", assignment, SCORE_ASSIGNMENTS)
    check_int("max_k", max_k, 0, 12)
    rule = method_of(method, assignment=assignment, max_k=max_k, max_keep=max_keep)
    if lanes is not None:
        check_power_of_two("lanes", lanes, MOST_LANES)
    if rows is not None:
        check_power_of_two("rows", rows, MOST_ROWS)
    rule.check_engine(lanes=lanes, rows=rows)
    worth = np.abs(weights) if scores is None else check_scores(scores)
    if worth.shape != weights.shape:
        raise ValueError(f"scores must have shape {weights.shape!r}, not {worth.shape!r}")
    if columns is not None and not rule.ordered:
        raise ValueError(f"columns must be left out for method {rule.name}, not {columns!r}")
    order = check_columns(columns, weights.shape[1])
    live = np.ones(len(weights), dtype=bool)
    layer = LayerScores("0", worth, order, live)
    return rule.masks([layer], ratio=ratio, lanes=lanes, rows=rows)[0]
