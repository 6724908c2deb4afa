"""Scores as NumPy or torch give them, and masks given back as the same kind."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from darb.sw.pruning.saliency import check_matrix


def check_scores(scores: ArrayLike | torch.Tensor) -> NDArray[np.floating]:
    """Return what each weight is worth as a float matrix, or refuse it.

    Parameters
    ----------
    scores : array_like or torch.Tensor, shape (M, N)
        A Conv2d weight is seen as the matrix ``weight.flatten(1)``: output channels by input
        channel, kernel row and kernel column.

    Raises
    ------
    TypeError
        If they are not real numbers.
    ValueError
        If the shape is not (M, N) with M and N at least 1, or a score is negative, NaN or
        infinite.
    """
    if isinstance(scores, torch.Tensor):
        scores = scores.detach()
        # NumPy has no bfloat16.
        scores = (scores.float() if scores.dtype == torch.bfloat16 else scores).cpu().numpy()
    matrix = check_matrix("scores", scores)
    if matrix.min() < 0:
        raise ValueError(f"scores must be at least 0, not {float(matrix.min())!r}")
    return matrix


def as_given(
    mask: NDArray[np.bool_], scores: ArrayLike | torch.Tensor
) -> NDArray[np.bool_] | torch.Tensor:
    """Return `mask` as a tensor on the device of `scores` if they are one, else as it is."""
    if isinstance(scores, torch.Tensor):
        return torch.as_tensor(mask, device=scores.device)
    return mask
