"""Irregular pruning: the largest scores stay, wherever they are."""

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
from darb.sw.pruning.selection import largest
from darb.sw.validation import check_choice, check_int

SCOPES = ("global", "layer")


def irregular_mask(
    scores: ArrayLike | torch.Tensor, *, keep: int
) -> NDArray[np.bool_] | torch.Tensor:
    """Keep exactly the `keep` largest scores of one matrix.

    Parameters
    ----------
    scores : array_like or torch.Tensor, shape (M, N)
        At least 0.
    keep : int
        0 to ``M * N``.

    Returns
    -------
    ndarray or torch.Tensor of bool, shape (M, N)
        As the scores are given. Of equal scores, those first in storage order stay.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind or out of its range, or a score is not finite.

    Examples
    --------
    >>> from darb.sw.pruning import irregular_mask
    >>> irregular_mask([[3, 1, 2], [1, 5, 1]], keep=4).astype(int)
    array([[1, 1, 1],
           [0, 1, 0]])
    """
    matrix = check_scores(scores)
    check_int("keep", keep, 0, matrix.size)
    return as_given(largest(matrix.ravel(), keep).reshape(matrix.shape), scores)


def irregular_masks(
    layers: Sequence[ArrayLike | torch.Tensor], *, keep: int, normalized: bool = False
) -> list[NDArray[np.bool_] | torch.Tensor]:
    """Keep exactly the `keep` largest scores of several matrices together.

    Parameters
    ----------
    layers : sequence of array_like or torch.Tensor, shape (M, N)
    keep : int
        0 to the number of all scores.
    normalized : bool
        Divide each matrix by its root sum of squares first, so that layers compare by what they
        lose of their own output.

    Returns
    -------
    list of ndarray or torch.Tensor of bool
        Of equal scores, those of the first matrix and first in storage order stay.
    """
    matrices = [check_scores(scores) for scores in layers]
    check_int("keep", keep, 0, sum(matrix.size for matrix in matrices))
    flat = [_scaled(matrix).ravel() if normalized else matrix.ravel() for matrix in matrices]
    chosen = largest(np.concatenate(flat), keep)
    parts = np.split(chosen, np.cumsum([part.size for part in flat])[:-1])
    return [
        as_given(part.reshape(matrix.shape), scores)
        for part, matrix, scores in zip(parts, matrices, layers, strict=True)
    ]


def _scaled(matrix: NDArray[np.floating]) -> NDArray[np.floating]:
    total = math.sqrt(float(np.einsum("mn,mn->", matrix, matrix, dtype=np.float64)))
    return matrix / total if total > 0 else matrix


@dataclass(frozen=True, kw_only=True)
class Irregular(Method):
    """Irregular pruning; exactly ``floor(weights / ratio)`` weights stay.

    Parameters
    ----------
    scope : {'global', 'layer'}
        Whether scores of all layers compete, or each layer meets the ratio alone. Globally a
        layer may lose all its weights.
    normalized : bool
        For scope 'global'; see `irregular_masks`.

    Raises
    ------
    TypeError, ValueError
        If a field is of the wrong kind or out of its range.
    """

    scope: str = "global"
    normalized: bool = False
    name: ClassVar[str] = "irregular"

    def __post_init__(self) -> None:
        check_choice("scope", self.scope, SCOPES)
        if not isinstance(self.normalized, bool):
            raise TypeError(f"normalized must be a bool, not {self.normalized!r}")

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
        groups = [[layer] for layer in layers] if self.scope == "layer" else [list(layers)]
        masks: list[FreeMask] = []
        for group in groups:
            weights = sum(layer.scores.size for layer in group)
            keep = math.floor(weights / ratio)
            if not keep:
                raise ValueError(
                    f"ratio must be at most {weights} for a weight to stay in layer "
                    f"{', '.join(layer.name for layer in group)}, not {ratio!r}"
                )
            chosen = irregular_masks(
                [layer.scores for layer in group], keep=keep, normalized=self.normalized
            )
            masks.extend(FreeMask(mask, int(np.count_nonzero(mask))) for mask in chosen)
        return masks
