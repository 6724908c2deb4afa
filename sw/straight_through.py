"""The straight-through estimator: one value forwards, another's gradient backwards."""

from __future__ import annotations

import torch


class _StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(context, hard: torch.Tensor, relaxed: torch.Tensor) -> torch.Tensor:
        return hard.to(relaxed.dtype)

    @staticmethod
    def backward(context, gradient: torch.Tensor) -> tuple[None, torch.Tensor]:
        return None, gradient


def straight_through(hard: torch.Tensor, relaxed: torch.Tensor) -> torch.Tensor:
    """Return `hard`, exactly, whose gradient goes to `relaxed` unchanged (Bengio et al., 2013)."""
    return _StraightThrough.apply(hard, relaxed)
