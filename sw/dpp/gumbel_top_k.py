"""Drawing exactly k of n: the k largest of scores with Gumbel noise."""

from __future__ import annotations

import torch


def gumbel_noise(like: torch.Tensor, *, generator: torch.Generator | None = None) -> torch.Tensor:
    """Return standard Gumbel noise of the shape, the type and on the device of `like`.

    Parameters
    ----------
    like : torch.Tensor
    generator : torch.Generator, optional
        On the same device; torch's own by default.
    """
    noise = torch.empty_like(like, requires_grad=False)
    # Minus the logarithm of an exponential variable; one that is zero would give infinity.
    noise.exponential_(generator=generator).clamp_(min=torch.finfo(noise.dtype).tiny)
    return noise.log_().neg_()


def check_scores(scores: torch.Tensor, keep: int | torch.Tensor) -> torch.Tensor:
    """Return `keep` as one count a row, or refuse it or the scores.

    Raises
    ------
    TypeError
        If `scores` are no floating-point tensor or `keep` is no integer.
    ValueError
        If `scores` are no matrix, NaN or plus infinity is among them, or `keep` is out of range.
    """
    if not isinstance(scores, torch.Tensor) or not scores.is_floating_point():
        raise TypeError(f"scores must be a floating-point tensor, not {scores!r}")
    if scores.ndim != 2 or not scores.shape[1]:
        raise ValueError(f"scores must be a matrix with columns, not shape {tuple(scores.shape)!r}")
    # One sum finds both faster than a look at every score; sums that overflow are looked at.
    if not torch.isfinite(scores.detach().sum()):
        wrong = scores.isnan() | scores.isposinf()
        if wrong.any():
            raise ValueError(
                f"scores must be neither NaN nor plus infinity, not {float(scores[wrong][0])!r}"
            )
    if isinstance(keep, bool) or not isinstance(keep, int | torch.Tensor):
        raise TypeError(f"keep must be an int or a tensor of them, not {keep!r}")
    counts = torch.as_tensor(keep, device=scores.device)
    if counts.is_floating_point() or counts.dtype == torch.bool:
        raise TypeError(f"keep must be integers, not {counts.dtype}")
    if counts.ndim > 1 or (counts.ndim and len(counts) != len(scores)):
        raise ValueError(
            f"keep must be one count or one for each of {len(scores)} rows, "
            f"not shape {tuple(counts.shape)!r}"
        )
    wrong = (counts < 0) | (counts > scores.shape[1])
    if wrong.any():
        raise ValueError(f"keep must be in 0..{scores.shape[1]}, not {int(counts[wrong][0])!r}")
    return counts.expand(len(scores))


def _stable_top_k(scores: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    order = torch.sort(scores, dim=1, descending=True, stable=True).indices
    places = torch.arange(scores.shape[1], device=scores.device).expand_as(order)
    return torch.empty_like(order).scatter_(1, order, places) < counts[:, None]


def top_k_mask(scores: torch.Tensor, keep: int | torch.Tensor) -> torch.Tensor:
    """Return which are the `keep` largest scores of each row, exactly that many.

    Parameters
    ----------
    scores : torch.Tensor, shape (G, n)
        Minus infinity stands behind every number.
    keep : int or torch.Tensor of int, shape (G,)
        0..n, for all rows or row by row.

    Returns
    -------
    torch.Tensor of bool, shape (G, n)
        Of equal scores, the first stay.

    Raises
    ------
    TypeError, ValueError
        See `check_scores`.

    Examples
    --------
    >>> import torch
    >>> from darb.sw.dpp import top_k_mask
    >>> top_k_mask(torch.tensor([[1.0, 3.0, 3.0, 0.0]]), 2).int()
    tensor([[0, 1, 1, 0]], dtype=torch.int32)
    """
    counts = check_scores(scores, keep)
    scores, most = scores.detach(), int(counts.max()) if len(counts) else 0
    # The k-th largest score tells the rest; only rows where others equal it need a stable sort.
    top = torch.topk(scores, max(1, most), dim=1).values
    mask = scores >= top.gather(1, (counts[:, None] - 1).clamp(min=0))
    tied = mask.sum(dim=1) != counts
    if tied.any():
        mask[tied] = _stable_top_k(scores[tied], counts[tied])
    return mask


def gumbel_top_k(
    logits: torch.Tensor, keep: int | torch.Tensor, *, generator: torch.Generator | None = None
) -> torch.Tensor:
    """Draw `keep` of each row's n without replacement, with probabilities softmax(logits).

    The k largest of logits with independent Gumbel noise are distributed as k successive draws,
    each from the softmax over those not drawn yet (Kool et al., "Stochastic beams and where to
    find them", 2019).

    Parameters
    ----------
    logits, keep
        As the scores of `top_k_mask`.
    generator : torch.Generator, optional

    Returns
    -------
    torch.Tensor of bool, shape (G, n)

    Raises
    ------
    TypeError, ValueError
        See `check_scores`.
    """
    check_scores(logits, keep)
    return top_k_mask(logits.detach() + gumbel_noise(logits, generator=generator), keep)
