"""The modules that can be pruned, and their weights as matrices."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

PrunableModule = nn.Linear | nn.Conv2d


def prunable_modules(model: nn.Module) -> dict[str, PrunableModule]:
    """Return the Linear and Conv2d modules of `model`, by name, in the order of declaration.

    Raises
    ------
    TypeError
        If `model` is no module.
    ValueError
        If it has neither.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Module, not {model!r}")
    layers = {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear | nn.Conv2d)
    }
    if not layers:
        raise ValueError(
            f"model must have at least one Linear or Conv2d layer, not {type(model).__name__!r}"
        )
    return layers


def kernel_area(module: PrunableModule) -> int:
    """Return the columns of one input channel: ``kh * kw`` of a Conv2d, 1 of a Linear."""
    return math.prod(module.weight.shape[2:])


def weight_matrix(weight: torch.Tensor) -> NDArray[np.floating]:
    """Return a weight as a matrix (M, N).

    A Conv2d's rows are its output channels, its columns input channel, kernel row and kernel
    column, the last running fastest.
    """
    # NumPy has no bfloat16.
    return weight.detach().flatten(1).float().cpu().numpy()


def mask_like(mask: NDArray[np.bool_], weight: torch.Tensor) -> torch.Tensor:
    """Return a mask of `weight_matrix` as ones and zeros of the weight's own shape and type."""
    return torch.as_tensor(mask).reshape(weight.shape).to(weight)
