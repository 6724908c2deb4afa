"""Masks that move after the ramp: the least salient weights make room for others."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

FIRST_SHARE = 0.1


def share_at(step: int, *, steps: int) -> float:
    """Return the share of each layer's kept weights that give up their place at `step` of `steps`.

    A tenth at first, falling along a cosine to none.
    """
    return FIRST_SHARE / 2 * (1 + math.cos(math.pi * step / steps))


def regrowth_scores(
    scores: Mapping[str, NDArray[np.floating]],
    kept: Mapping[str, NDArray[np.bool_]],
    gradients: Mapping[str, NDArray[np.floating]],
    *,
    share: float,
) -> dict[str, NDArray[np.floating]]:
    """Return scores by which a method drops its least salient weights and grows others.

    After Evci et al., "Rigging the lottery: making all tickets winners", ICML 2020 (RigL): of each
    layer the kept weights that score least are dropped, and as many are grown where the loss's
    gradient is largest. Ours is that the method's own rule finds the places: weights that stay
    keep their score, all others score by their gradient, and less than any that stays and scores
    at all. So a block whose weight is dropped takes the weight of the same block with the largest
    gradient, be it the one that was dropped, and counts stay exact.

    Parameters
    ----------
    scores : mapping of str to ndarray, shape (M, N)
        By layer, at least 0.
    kept : mapping of str to ndarray of bool, shape (M, N)
        The masks as they are.
    gradients : mapping of str to ndarray, shape (M, N)
        Of the loss to every weight, those that are pruned included.
    share : float
        Of each layer's kept weights, dropped; rounded down. Of equal scores those first in storage
        order are.

    Returns
    -------
    dict of str to ndarray, shape (M, N)

    Examples
    --------
    >>> import numpy as np
    >>> from darb.sw.pruning.regrowth import regrowth_scores
    >>> regrown = regrowth_scores(
    ...     {"0": np.array([[8.0, 0.0, 0.0, 2.0]])},
    ...     {"0": np.array([[True, False, False, True]])},
    ...     {"0": np.array([[-9.0, 3.0, -6.0, 1.0]])},
    ...     share=0.5,
    ... )
    >>> regrown["0"].round(2)
    array([[8.  , 1.33, 2.67, 0.44]])
    """
    stays = {name: _staying(scores[name], kept[name], share) for name in scores}
    lowest = min(_least(scores[name][stays[name]]) for name in scores)
    steepest = max(float(np.abs(gradients[name]).max()) for name in scores)
    # Of one scale for all layers, for some methods let weights of different layers compete.
    factor = (lowest if math.isfinite(lowest) else 1.0) / (2 * steepest) if steepest else 0.0
    return {
        name: np.where(stays[name], values, factor * np.abs(gradients[name])).astype(values.dtype)
        for name, values in scores.items()
    }


def _staying(
    scores: NDArray[np.floating], kept: NDArray[np.bool_], share: float
) -> NDArray[np.bool_]:
    """Return the kept weights without the share that scores least."""
    dropped = math.floor(share * np.count_nonzero(kept))
    order = np.argsort(np.where(kept, scores, np.inf).ravel(), kind="stable")
    stays = kept.copy()
    stays.ravel()[order[:dropped]] = False
    return stays


def _least(scores: NDArray[np.floating]) -> float:
    """Return the least score above 0; infinity if there is none."""
    return float(scores.min(initial=math.inf, where=scores > 0))
