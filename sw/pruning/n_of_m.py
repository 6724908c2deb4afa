"""N:M pruning: n of every m consecutive columns of a row stay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from darb.golden.pattern import MOST_K
from darb.sw.pruning.block_patterns import block_layer_mask
from darb.sw.pruning.block_shares import kept_of_each
from darb.sw.pruning.column_order import from_order, in_order
from darb.sw.pruning.free_mask import FreeMask
from darb.sw.pruning.masking import Mask, check_columns
from darb.sw.pruning.method import LayerScores, Method
from darb.sw.pruning.row_blocks import blocks_in_row, keep_in_blocks
from darb.sw.pruning.score_arrays import as_given, check_scores
from darb.sw.validation import check_int

MOST_M = 1 << MOST_K


def n_of_m_mask(
    scores: ArrayLike | torch.Tensor,
    *,
    n: int,
    m: int,
    columns: ArrayLike | None = None,
    lanes: int | None = None,
) -> NDArray[np.bool_] | torch.Tensor:
    """Keep exactly `n` of every `m` consecutive columns of every row.

    Parameters
    ----------
    scores : array_like or torch.Tensor, shape (M, N)
        At least 0.
    n, m : int
        The last group of a row or segment has fewer than `m` columns where `m` does not divide;
        it keeps ``min(n, columns)`` of them.
    columns : array_like of int, shape (C,), optional
        Original column of each stored position; all in natural order by default. Groups are runs
        of stored positions.
    lanes : int, optional
        Groups restart at each of this many segments; None lets them run through the row.

    Returns
    -------
    ndarray or torch.Tensor of bool, shape (M, N)
        As the scores are given. Of equal scores, those stored first stay.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind or out of its range, or a score is not finite.

    Examples
    --------
    >>> from darb.sw.pruning import n_of_m_mask
    >>> n_of_m_mask([[3, 1, 2, 0, 5, 5, 5]], n=2, m=4).astype(int)
    array([[1, 0, 1, 0, 1, 1, 0]])
    """
    matrix = check_scores(scores)
    check_int("m", m, 1, MOST_M)
    check_int("n", n, 1, m)
    if lanes is not None:
        check_int("lanes", lanes, 1)
    order = check_columns(columns, matrix.shape[1])
    kept = keep_in_blocks(in_order(matrix, order), size=m, keep=n, lanes=lanes)
    return as_given(from_order(kept, order, matrix.shape[1]), scores)


@dataclass(frozen=True, kw_only=True)
class NOfM(Method):
    """N:M pruning: n of every `m` columns stay, n by the ratio.

    As for sparse tensor cores (Mishra et al., "Accelerating sparse deep neural networks", 2021).
    Layers may differ in n by the rest of the budget; see
    `darb.sw.pruning.block_shares.kept_of_each`.

    With `m` a power of two a row is the engine's pattern ``Pattern(log2(m), n)``.

    Parameters
    ----------
    m : int
        Columns of a group, 1..4096. For a Conv2d they run over kernel columns, kernel rows, then
        input channels.

    Raises
    ------
    TypeError, ValueError
        If `m` is no int or out of its range.
    """

    m: int = 16
    name: ClassVar[str] = "n_m"
    ordered: ClassVar[bool] = True
    laned: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_int("m", self.m, 1, MOST_M)

    def masks(
        self,
        layers: Sequence[LayerScores],
        *,
        ratio: float,
        lanes: int | None = None,
        rows: int | None = None,
    ) -> list[Mask | FreeMask]:
        """Choose the masks; see `Method.masks`."""
        group = rows or 1
        counts = [
            -(-np.count_nonzero(layer.live) // group)
            * group
            * blocks_in_row(layer.columns.size, self.m, lanes=lanes)
            for layer in layers
        ]
        kept = kept_of_each(
            [self.m] * len(layers),
            counts,
            weights=sum(layer.scores.size for layer in layers),
            ratio=ratio,
            what=f"group of {self.m} columns",
        )
        return [
            block_layer_mask(layer, size=self.m, keep=keep, lanes=lanes)
            for layer, keep in zip(layers, kept, strict=True)
        ]
