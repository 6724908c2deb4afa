"""Weights and activations rounded as quantisation will, with gradients as if they were not."""

from __future__ import annotations

import torch

from darb.golden.fixed_point import signed_range, weight_limit
from darb.sw.straight_through import straight_through


def fake_weights(weights: torch.Tensor, clips: torch.Tensor, *, bits: int) -> torch.Tensor:
    """Return weights rounded to what symmetric codes can be, as real numbers.

    Parameters
    ----------
    weights : torch.Tensor, shape (M, ...)
    clips : torch.Tensor, broadcasting to the weights
        What the largest code stands for; where it is zero so are the weights.
    bits : int

    Returns
    -------
    torch.Tensor, of the weights' shape
        Its gradient passes to every weight as if nothing were rounded, those beyond the clip too:
        they would never come back otherwise. Zero stays zero.
    """
    limit = weight_limit(bits)
    with torch.no_grad():
        scale = clips / limit
        codes = torch.round(weights / torch.where(scale > 0, scale, 1)).clamp(-limit, limit)
        rounded = codes * scale
    return straight_through(rounded, weights)


def fake_activations(values: torch.Tensor, scale: float, *, bits: int) -> torch.Tensor:
    """Return activations rounded to steps of `scale` and saturated, as real numbers.

    Its gradient passes to the values that do not saturate as if nothing were rounded.

    Parameters
    ----------
    values : torch.Tensor
    scale : float
        Real value of one step.
    bits : int
        Width of the signed codes.

    Returns
    -------
    torch.Tensor, of the same shape
    """
    low, high = signed_range(bits)
    within = values.clamp(low * scale, high * scale)
    with torch.no_grad():
        rounded = torch.round(values / scale).clamp(low, high) * scale
    return straight_through(rounded, within)
