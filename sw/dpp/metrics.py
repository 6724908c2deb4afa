"""How sure a layer is of its mask, and how different the masks of its rows are.

That DPP watches the confidence of masks and their diversity within a layer, by measures of
information, is the paper's. The formulas are our reading: the entropy of each row's distribution,
and the mutual information between a row's number and the unit that it draws.
"""

from __future__ import annotations

import math

import torch

from darb.sw.dpp.gumbel_top_k import check_scores, gumbel_top_k, top_k_mask
from darb.sw.validation import check_int


def _entropy(shares: torch.Tensor) -> torch.Tensor:
    return torch.special.entr(shares).sum(dim=-1)


def row_entropy(logits: torch.Tensor) -> torch.Tensor:
    """Return the entropy of each row's softmax in nats, shape (G,).

    ``log n`` where all are equally likely, 0 where one is certain. Differentiable; minus infinity
    counts for nothing.
    """
    log_share = logits.log_softmax(dim=1)
    share = log_share.exp()
    return -(share * torch.where(share > 0, log_share, 0)).sum(dim=1)


def excess_entropy(logits: torch.Tensor, keep: int | torch.Tensor) -> torch.Tensor:
    """Return each row's entropy above that of `keep` equally likely units, 0..1, shape (G,).

    A row that is sure of its k can still have the entropy ``log k``; entropy below that says
    nothing more about the mask. 1 is the even distribution, 0 at most ``log k`` nats; a row
    that keeps all has 0. Differentiable: this is the entropy penalty (the floor is ours).

    Parameters
    ----------
    logits : torch.Tensor, shape (G, n)
        Minus infinity where there is no unit.
    keep : int or torch.Tensor of int, shape (G,)
    """
    counts = check_scores(logits, keep).to(logits.dtype)
    least = counts.clamp(min=1).log()
    most = (~logits.isneginf()).sum(dim=1).to(logits.dtype).clamp(min=1).log()
    room = most - least
    share = (row_entropy(logits) - least).clamp(min=0) / torch.where(room > 0, room, 1)
    return torch.where(room > 0, share.clamp(max=1), 0)


def confidence(logits: torch.Tensor, keep: int | torch.Tensor) -> float:
    """Return one minus the mean `excess_entropy` of the rows: 0 for even logits, 1 for sure ones.

    Low entropy is needed for a sure mask but does not make one where k is above 1: a row may be
    certain of one unit and care for no other. `agreement` measures the mask itself.
    """
    return 1.0 - float(excess_entropy(logits.detach().double(), keep).mean())


def agreement(
    logits: torch.Tensor,
    keep: int | torch.Tensor,
    *,
    draws: int = 8,
    generator: torch.Generator | None = None,
) -> float:
    """Return what share of the units kept without noise is in a drawn mask too, on average.

    Parameters
    ----------
    logits, keep
        As in `excess_entropy`.
    draws : int
        How many masks are drawn.
    generator : torch.Generator, optional
    """
    check_int("draws", draws, 1)
    sure = top_k_mask(logits.detach(), keep)
    shared = sum(
        int((gumbel_top_k(logits, keep, generator=generator) & sure).sum()) for _ in range(draws)
    )
    return shared / (draws * max(1, int(sure.sum())))


def divergence(shares: torch.Tensor) -> float:
    """Return the Jensen-Shannon divergence of rows of shares, in bits.

    It is the mutual information between the number of a row, all equally likely, and a unit drawn
    by its shares: 0 where all rows are the same, the logarithm of their number where no two have a
    unit in common.

    Parameters
    ----------
    shares : torch.Tensor, shape (M, n)
        Each row sums to 1.
    """
    shares = shares.detach().double()
    nats = _entropy(shares.mean(dim=0)) - _entropy(shares).mean()
    return max(0.0, float(nats) / math.log(2))


def diversity(masks: torch.Tensor) -> float:
    """Return the divergence of rows' masks over the most that it can be, 0..1.

    Parameters
    ----------
    masks : torch.Tensor of bool, shape (M, n)
        Every row keeps equally many units, at least one.

    Returns
    -------
    float
        0 where all rows keep the same units, or there is one row, or they keep all. 1 where no
        two keep a unit in common, or, of more rows than that allows, every unit is kept equally
        often. Masks drawn by chance are near 1 where there are many rows.

    Raises
    ------
    ValueError
        If the rows keep not equally many or none.
    """
    counts = masks.sum(dim=1)
    keep = int(counts[0])
    if not keep or (counts != keep).any():
        raise ValueError(
            f"masks must keep equally many units in each row, not {sorted(set(counts.tolist()))!r}"
        )
    most = math.log2(min(masks.shape[0], masks.shape[1] / keep))
    return divergence(masks.double() / keep) / most if most > 0 else 0.0
