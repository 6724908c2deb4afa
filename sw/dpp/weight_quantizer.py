"""Weights of few bits in training: quantised forward, straight-through backward.

That pruning and the quantisation of weights are trained together is the paper's; the quantisers
are our choice. They give what the engine can hold exactly: whole numbers times one scale a row.
"""

from __future__ import annotations

import torch

from darb.golden.fixed_point import weight_limit
from darb.sw.straight_through import straight_through
from darb.sw.validation import check_int

BINARY = 1


def quantize_weight(
    weight: torch.Tensor, kept: torch.Tensor, bits: int | None, *, shared: bool = False
) -> torch.Tensor:
    """Return `weight` rounded to `bits`; its gradient passes as if it were not.

    Parameters
    ----------
    weight : torch.Tensor, shape (M, ...)
    kept : torch.Tensor of bool, broadcasting to the weight
        Which weights stay: they alone say how large a step is. The rest are quantised with the
        same step, so that a mask's gradient knows what they would be worth.
    bits : int or None
        None leaves the weight as it is. 2..8: symmetric whole numbers, the most negative code
        unused, times the largest magnitude of the row over the largest code. 1: plus or minus the
        mean magnitude of the row (Rastegari et al., "XNOR-Net", 2016); zero counts as plus.
    shared : bool
        One scale for the whole weight instead of one a row, as the engine's last layer has it.

    Returns
    -------
    torch.Tensor, of the weight's shape

    Raises
    ------
    TypeError, ValueError
        If `bits` is of the wrong kind or out of its range.
    """
    check_bits(bits)
    if bits is None:
        return weight
    with torch.no_grad():
        dimensions = tuple(range(0 if shared else 1, weight.ndim))
        mask = kept.expand_as(weight)
        sizes = torch.where(mask, weight.abs(), 0)
        if bits == BINARY:
            count = mask.sum(dim=dimensions, keepdim=True).clamp(min=1)
            scale = sizes.sum(dim=dimensions, keepdim=True) / count
            rounded = torch.where(weight < 0, -scale, scale)
        else:
            limit = weight_limit(bits)
            scale = sizes.amax(dim=dimensions, keepdim=True) / limit
            codes = torch.round(weight / torch.where(scale > 0, scale, 1)).clamp(-limit, limit)
            rounded = codes * scale
    return straight_through(rounded, weight)


def check_bits(bits: object) -> None:
    """Refuse `bits` that are neither None nor an int of 1..8."""
    if bits is not None:
        check_int("bits", bits, BINARY, 8)
