"""Block pruning: square blocks of weights stay or go, as in block sparse row storage."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from darb.sw.pruning.free_mask import FreeMask
from darb.sw.pruning.method import LayerScores, Method
from darb.sw.pruning.score_arrays import as_given, check_scores
from darb.sw.pruning.selection import counts_within, largest
from darb.sw.validation import check_int

MOST_SIZE = 256


def block_means(scores: NDArray[np.floating], size: int) -> NDArray[np.float64]:
    """Return the mean score of each `size` x `size` block, shape (ceil(M/size), ceil(N/size)).

    A block at the lower or right edge is averaged over the weights that it has.
    """
    sums = scores
    # Rows first: that pass is over whole lines of memory, and leaves less for the other.
    for axis in (0, 1):
        slices = [sums[index::size] if axis == 0 else sums[:, index::size] for index in range(size)]
        total = slices[0].astype(np.float64)
        for part in slices[1:]:
            total[: part.shape[0], : part.shape[1]] += part
        sums = total
    high, wide = (np.minimum(size, length - np.arange(0, length, size)) for length in scores.shape)
    return sums / np.outer(high, wide)


def _best_blocks(
    means: NDArray[np.float64], keep: int, *, size: int, shape: tuple[int, int]
) -> NDArray[np.bool_]:
    chosen = largest(means.ravel(), keep).reshape(means.shape)
    mask = np.repeat(np.repeat(chosen, size, axis=1)[:, : shape[1]], size, axis=0)
    return np.ascontiguousarray(mask[: shape[0]])


def square_block_mask(
    scores: ArrayLike | torch.Tensor, *, size: int, keep: int
) -> NDArray[np.bool_] | torch.Tensor:
    """Keep exactly the `keep` square blocks of one matrix with the largest mean score.

    Parameters
    ----------
    scores : array_like or torch.Tensor, shape (M, N)
        At least 0.
    size : int
        Rows and columns of a block. The last blocks are smaller where it divides M or N not; they
        count as blocks like the others, by the mean of the weights that they have.
    keep : int
        0 to ``ceil(M / size) * ceil(N / size)``.

    Returns
    -------
    ndarray or torch.Tensor of bool, shape (M, N)
        As the scores are given. Of equal blocks, the first by rows stay.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind or out of its range, or a score is not finite.

    Examples
    --------
    >>> from darb.sw.pruning import square_block_mask
    >>> square_block_mask([[3, 1, 2], [0, 5, 1], [4, 0, 2]], size=2, keep=2).astype(int)
    array([[1, 1, 0],
           [1, 1, 0],
           [1, 1, 0]])
    """
    matrix = check_scores(scores)
    check_int("size", size, 1, MOST_SIZE)
    means = block_means(matrix, size)
    check_int("keep", keep, 0, means.size)
    return as_given(_best_blocks(means, keep, size=size, shape=matrix.shape), scores)


@dataclass(frozen=True, kw_only=True)
class SquareBlocks(Method):
    """Block pruning: square blocks of all layers compete.

    After Huang et al., "Coarse-Grained Pruning of Neural Network Models Based on Blocky Sparse
    Structure", Entropy 23(8), 2021. From the paper: square blocks, scored by their weights'
    magnitude, pruned in rounds with training between them (the config's ramp), stored as block
    sparse row. Our reading: a block's score is its mean, divided by the root sum of squares of its
    layer's blocks; blocks of all layers then compete, and every layer keeps at least one. A block
    takes ``size * size`` slots though it be cut short at an edge, for that is what block sparse
    row stores.

    Parameters
    ----------
    size : int
        Rows and columns of a block, 1..256.

    Raises
    ------
    TypeError, ValueError
        If `size` is no int or out of its range.
    """

    size: int = 4
    name: ClassVar[str] = "block"
    single: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_int("size", self.size, 1, MOST_SIZE)

    def masks(
        self,
        layers: Sequence[LayerScores],
        *,
        ratio: float,
        lanes: int | None = None,
        rows: int | None = None,
    ) -> list[FreeMask]:
        """Choose the masks; see `Method.masks`."""
        self.check_engine(lanes=lanes, rows=rows)
        means = [block_means(layer.scores, self.size) for layer in layers]
        cost = self.size * self.size
        weights = sum(layer.scores.size for layer in layers)
        if ratio == 1:
            counts = [mean.size for mean in means]
        else:
            if len(layers) * cost > weights / ratio:
                most = math.floor(100 * weights / (len(layers) * cost)) / 100
                raise ValueError(
                    f"ratio must be at most {most}, for one block of each layer takes "
                    f"{len(layers) * cost} slots, not {ratio!r}"
                )
            values = []
            for mean in means:
                norm = math.sqrt(float(np.square(mean).sum()))
                values.append((mean / norm if norm > 0 else mean).ravel())
            counts = counts_within(values, costs=[cost] * len(layers), budget=weights / ratio)
        return [
            FreeMask(
                _best_blocks(mean, count, size=self.size, shape=layer.scores.shape), count * cost
            )
            for layer, mean, count in zip(layers, means, counts, strict=True)
        ]
