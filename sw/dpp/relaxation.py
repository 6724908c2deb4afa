"""A differentiable stand-in for a drawn mask: successive softmaxes without replacement.

That the k of n are drawn with the Gumbel-softmax relaxation is the paper's (Gonzalez-Carabarin et
al., "Dynamic Probabilistic Pruning", 2021, of which we have the abstract alone). How a draw is kept
from being repeated inside the relaxation is our reading; `REMOVALS` has both ways in use.
"""

from __future__ import annotations

import torch

from darb.sw.dpp.gumbel_top_k import check_scores
from darb.sw.validation import check_choice

REMOVALS = ("hard", "soft")
# Stands in for minus infinity, whose differences have no gradient.
_OUT = -1e4


def relaxed_top_k(
    scores: torch.Tensor,
    keep: int | torch.Tensor,
    *,
    temperature: float,
    removal: str = "hard",
) -> torch.Tensor:
    """Return the sum of `keep` successive softmaxes of ``scores / temperature`` a row.

    Parameters
    ----------
    scores : torch.Tensor, shape (G, n)
        Logits, with the noise that the mask was drawn with; minus infinity where there is nothing
        to draw.
    keep : int or torch.Tensor of int, shape (G,)
        How many softmaxes.
    temperature : float
        Above 0.
    removal : {'hard', 'soft'}
        What the next softmax leaves out. 'hard': the largest score so far, as in deep
        probabilistic subsampling (Huijben et al., 2020). 'soft': everything by its share,
        ``scores += temperature * log(1 - share)``, as in relaxed subset sampling (Xie and Ermon,
        2019). Hard removal has a closed form, one pass whatever `keep` is; soft takes `keep`
        passes.

    Returns
    -------
    torch.Tensor, shape (G, n)
        At least 0; each row sums to its `keep`. A single value may be above 1.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind or out of its range; see also `check_scores`.
    """
    counts = check_scores(scores, keep)
    check_temperature("temperature", temperature)
    check_choice("removal", removal, REMOVALS)
    shifted = scores - scores.detach().amax(dim=1, keepdim=True)
    shifted = torch.where(scores.isneginf(), _OUT, shifted / temperature)
    if removal == "hard":
        return _hard(shifted, counts)
    return _soft(shifted, counts)


def _hard(scores: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    most = int(counts.max()) if len(counts) else 0
    if not most:
        return torch.zeros_like(scores)
    order = torch.topk(scores.detach(), most, dim=1).indices
    won = torch.arange(most, device=scores.device) < counts[:, None]
    winner = torch.zeros_like(scores, dtype=torch.bool).scatter_(1, order, won)
    best = scores.gather(1, order).masked_fill(~won, _OUT)
    losers = scores.masked_fill(winner, _OUT).logsumexp(dim=1, keepdim=True)
    # left[l]: log of the sum over all but the first l winners. draws[l]: log of the sum of
    # 1 / left up to l. A winner is in every softmax up to its own, a loser in all.
    left = torch.cat([losers, best.flip(1)], dim=1).logcumsumexp(dim=1)[:, 1:].flip(1)
    draws = (-left).logcumsumexp(dim=1)
    last = draws.gather(1, (counts[:, None] - 1).clamp(min=0))
    relaxed = (scores + last).masked_fill(winner | (counts[:, None] == 0), _OUT).exp()
    best = (best + draws).masked_fill(~won, _OUT).exp()
    return relaxed.scatter_add(1, order, best)


def _soft(scores: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    total = torch.zeros_like(scores)
    tiny = torch.finfo(scores.dtype).tiny
    for index in range(int(counts.max()) if len(counts) else 0):
        share = scores.softmax(dim=1)
        total = total + share * (index < counts[:, None])
        scores = scores + (1 - share).clamp(min=tiny).log()
    return total


def check_temperature(name: str, value: object) -> None:
    """Refuse a `value` that is no finite number above 0."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be a number, not {value!r}")
    if not 0 < value < float("inf"):
        raise ValueError(f"{name} must be finite and above 0, not {value!r}")
