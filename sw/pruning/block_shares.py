"""How many weights each layer's blocks keep under one ratio."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def kept_of_each(
    sizes: Sequence[int], counts: Sequence[int], *, weights: int, ratio: float, what: str
) -> list[int]:
    """Return how many weights each layer's blocks keep when all layers share one ratio.

    All layers keep the same share of a block, rounded down but at least one weight: the largest
    share that fits. What is then left goes to the layers with the most blocks first, one weight
    more a block each, where it fits.

    Parameters
    ----------
    sizes, counts : sequence of int
        Columns of a block, and blocks of the layer, padding of rows included.
    weights : int
        Of all the layers before pruning.
    ratio : float
        ``weights / ratio`` slots are left; 1 leaves whole blocks.
    what : str
        Of the blocks, for the message.

    Raises
    ------
    ValueError
        If one weight a block is too many.
    """
    if ratio == 1:
        return list(sizes)
    budget = weights / ratio
    least = int(sum(counts))
    if least > budget:
        raise ValueError(
            f"ratio must be at most {math.floor(100 * weights / least) / 100}, for one weight of "
            f"each {what} takes {least} slots, not {ratio!r}"
        )
    size, count = np.array(sizes), np.array(counts)
    shares = np.unique(np.concatenate([np.arange(1, most + 1) / most for most in set(sizes)]))

    def kept(share: float) -> NDArray[np.int64]:
        # A share is itself a rounded quotient, whose product must not fall below the whole number.
        return np.maximum(1, np.floor(share * size + 1e-9)).astype(np.int64)

    low, high = -1, shares.size
    while high - low > 1:
        middle = (low + high) // 2
        fits = int(kept(shares[middle]) @ count) <= budget
        low, high = (middle, high) if fits else (low, middle)
    best = kept(shares[low]) if low >= 0 else np.ones(size.size, dtype=np.int64)
    left = budget - int(best @ count)
    for layer in np.argsort(-count, kind="stable"):
        if best[layer] < size[layer] and count[layer] <= left:
            best[layer] += 1
            left -= int(count[layer])
    return best.tolist()
