"""The trained mask of one layer: logits, draws, and what is kept in the end."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass

import torch
from torch import nn

from darb.sw.dpp.gumbel_top_k import gumbel_noise, top_k_mask
from darb.sw.dpp.metrics import (
    agreement,
    confidence,
    divergence,
    diversity,
    excess_entropy,
    row_entropy,
)
from darb.sw.dpp.relaxation import relaxed_top_k
from darb.sw.dpp.unit_rows import UnitRows
from darb.sw.straight_through import straight_through

_SMALLEST = 1e-6


@dataclass(frozen=True, kw_only=True)
class SelectionMetrics:
    """How sure a layer is of its mask, and how different its rows are; see `darb.sw.dpp.metrics`.

    Parameters
    ----------
    entropy : float
        Mean of the rows' distributions, bits.
    confidence : float
        0..1.
    agreement : float
        0..1, estimated.
    divergence : float
        Of the rows' distributions, bits; where rows choose among different units, as tiles do,
        the mean over those that choose among the same.
    diversity : float
        Of the rows' masks without noise, 0..1; averaged in the same way.
    """

    entropy: float
    confidence: float
    agreement: float
    divergence: float
    diversity: float


class Selection(nn.Module):
    """Chooses exactly k of n units in every row of a layer, and learns which.

    One logit a unit; while training each call draws a new mask by Gumbel top-k, one for the whole
    batch, whose gradient is that of the relaxation. In evaluation, and once frozen, the mask is
    the top-k of the logits without noise. Logits, draws and end-to-end training are the paper's;
    one draw a batch, and no noise in evaluation, are our reading.

    Parameters
    ----------
    rows : UnitRows
    keep : torch.Tensor of int64, shape (G,)
        1 to the row's width.
    logits : torch.Tensor, shape (G, n)
        To start from; what stands where there is no unit is not used.
    removal : {'hard', 'soft'}
        See `relaxed_top_k`.
    generator : torch.Generator
        Of the draws, on the device of the logits.
    """

    def __init__(
        self,
        rows: UnitRows,
        *,
        keep: torch.Tensor,
        logits: torch.Tensor,
        removal: str,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.rows = rows
        self.removal = removal
        self.temperature = 1.0
        self.generator = generator
        self.frozen = False
        self.logits = nn.Parameter(logits.clone())
        self.register_buffer("keep", keep.clone().to(logits.device))
        padding = (rows.index < 0).to(logits.device)
        self.register_buffer("padding", padding if padding.any() else None)

    def scores(self) -> torch.Tensor:
        """Return the logits, minus infinity where there is no unit."""
        if self.padding is None:
            return self.logits
        return self.logits.masked_fill(self.padding, -torch.inf)

    def sure(self) -> torch.Tensor:
        """Return the mask without noise, bool of shape (G, n)."""
        return top_k_mask(self.scores().detach(), self.keep)

    def sure_units(self) -> torch.Tensor:
        """Return the mask without noise, bool in the shape of the units."""
        return self.rows.to_weight(self.sure())

    def forward(self) -> torch.Tensor:
        """Return a mask of ones and zeros that broadcasts to the weight."""
        if self.frozen or not self.training:
            return self.sure_units().to(self.logits.dtype)
        scores = self.scores()
        noisy = scores + gumbel_noise(self.logits, generator=self.generator)
        hard = top_k_mask(noisy.detach(), self.keep)
        relaxed = relaxed_top_k(
            noisy, self.keep, temperature=self.temperature, removal=self.removal
        )
        return self.rows.to_weight(straight_through(hard, relaxed))

    def penalty(self) -> torch.Tensor:
        """Return the rows' mean `excess_entropy`, 0..1, differentiable."""
        return excess_entropy(self.scores(), self.keep).mean()

    def freeze(self) -> None:
        """Keep the mask that the logits now give, and train them no more."""
        self.frozen = True
        self.logits.requires_grad_(False)

    @torch.no_grad()
    def metrics(self, *, generator: torch.Generator) -> SelectionMetrics:
        """Return the metrics as they now are.

        Parameters
        ----------
        generator : torch.Generator
            Of the draws that agreement is estimated with, so that measuring changes no training.
        """
        scores, sure, step = self.scores().double(), self.sure(), self.rows.sharing
        widths = self.rows.widths[:step].tolist()
        return SelectionMetrics(
            entropy=float(row_entropy(scores).mean()) / math.log(2),
            confidence=confidence(scores, self.keep),
            agreement=agreement(scores, self.keep, generator=generator),
            divergence=statistics.fmean(
                divergence(scores[start::step].softmax(dim=1)) for start in range(step)
            ),
            diversity=statistics.fmean(
                diversity(sure[start::step, :width]) for start, width in enumerate(widths)
            ),
        )


@torch.no_grad()
def starting_logits(weight: torch.Tensor, rows: UnitRows, start: str) -> torch.Tensor:
    """Return the logits that a selection starts from, shape (G, n).

    Parameters
    ----------
    weight : torch.Tensor
    rows : UnitRows
    start : {'even', 'magnitude'}
        'even': zeros, every mask as likely as any other. 'magnitude': the logarithm of a unit's
        root mean square weight, so that units are drawn in proportion to it; for networks that
        are trained already.
    """
    if start == "even":
        return torch.zeros(rows.index.shape, dtype=weight.dtype, device=weight.device)
    sizes = weight.square()
    for dimension, size in enumerate(rows.shape):
        if size != weight.shape[dimension]:
            sizes = sizes.mean(dim=dimension, keepdim=True)
    sizes = sizes.sqrt()
    level = float(sizes.mean())
    if level > 0:
        sizes = sizes / level
    return rows.to_rows(sizes.clamp(min=_SMALLEST).log(), 0.0)
