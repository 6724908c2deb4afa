"""Bank-balanced pruning: every row is cut into equal banks, which keep equally many weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from darb.golden.pattern import Segments
from darb.sw.pruning.block_patterns import block_layer_mask
from darb.sw.pruning.block_shares import kept_of_each
from darb.sw.pruning.column_order import from_order, in_order
from darb.sw.pruning.free_mask import FreeMask
from darb.sw.pruning.masking import Mask, check_columns
from darb.sw.pruning.method import LayerScores, Method
from darb.sw.pruning.row_blocks import keep_in_blocks
from darb.sw.pruning.score_arrays import as_given, check_scores
from darb.sw.validation import check_int

MOST_BANKS = 4096


def bank_balanced_mask(
    scores: ArrayLike | torch.Tensor,
    *,
    keep: int,
    banks: int,
    columns: ArrayLike | None = None,
) -> NDArray[np.bool_] | torch.Tensor:
    """Keep exactly `keep` weights of each bank of every row.

    Parameters
    ----------
    scores : array_like or torch.Tensor, shape (M, N)
        At least 0.
    keep : int
        At least 1.
    banks : int
        A bank is ``ceil(C / banks)`` consecutive stored columns. Where that does not divide C the
        last banks are shorter, or empty; they keep ``min(keep, columns)``.
    columns : array_like of int, shape (C,), optional
        Original column of each stored position; all in natural order by default.

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
    >>> from darb.sw.pruning import bank_balanced_mask
    >>> bank_balanced_mask([[3, 1, 2, 0, 5, 5, 5]], keep=1, banks=3).astype(int)
    array([[1, 0, 0, 0, 1, 0, 1]])
    """
    matrix = check_scores(scores)
    check_int("keep", keep, 1)
    check_int("banks", banks, 1, MOST_BANKS)
    order = check_columns(columns, matrix.shape[1])
    size = Segments(order.size, banks).length
    kept = keep_in_blocks(in_order(matrix, order), size=size, keep=keep, lanes=banks)
    return as_given(from_order(kept, order, matrix.shape[1]), scores)


@dataclass(frozen=True, kw_only=True)
class BankBalanced(Method):
    """Bank-balanced pruning: every bank of a row keeps equally many weights, by the ratio.

    From Cao et al., "Efficient and Effective Sparse LSTM on FPGA with Bank-Balanced Sparsity",
    FPGA 2019. How many a layer's banks keep: see `darb.sw.pruning.block_shares.kept_of_each`.

    A row is the engine's pattern ``Pattern(ceil(log2(n)), keep)`` for banks of n columns, where n
    is a power of two (on as many lanes as whole banks can be dealt to), or `banks` is one: on
    that many lanes, a bank a lane.

    Parameters
    ----------
    banks : int
        Of each row, 1..4096.

    Raises
    ------
    TypeError, ValueError
        If `banks` is no int or out of its range.
    """

    banks: int = 8
    name: ClassVar[str] = "bank_balanced"
    ordered: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_int("banks", self.banks, 1, MOST_BANKS)

    def masks(
        self,
        layers: Sequence[LayerScores],
        *,
        ratio: float,
        lanes: int | None = None,
        rows: int | None = None,
    ) -> list[Mask | FreeMask]:
        """Choose the masks; see `Method.masks`."""
        self.check_engine(lanes=lanes, rows=rows)
        group = rows or 1
        sizes = [Segments(layer.columns.size, self.banks).length for layer in layers]
        kept = kept_of_each(
            sizes,
            [-(-np.count_nonzero(layer.live) // group) * group * self.banks for layer in layers],
            weights=sum(layer.scores.size for layer in layers),
            ratio=ratio,
            what=f"of {self.banks} banks",
        )
        return [
            block_layer_mask(layer, size=size, keep=keep, lanes=self.banks, one_block=True)
            for layer, size, keep in zip(layers, sizes, kept, strict=True)
        ]
