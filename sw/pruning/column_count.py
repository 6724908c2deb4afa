"""How many columns each layer stores, by search."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

# Shares of a layer's squared saliency that the columns left out may hold.
_SHARES = (0.0, 0.001, 0.003, 0.01, 0.02, 0.04, 0.07, 0.1, 0.15, 0.2, 0.3, 0.4)
_SWEEPS = 3


def candidate_counts(energy: NDArray[np.float64], *, multiple: int = 1) -> list[int]:
    """Return how many of the most salient columns may be worth keeping.

    They leave out from none of the layer's squared saliency up to two fifths.

    Parameters
    ----------
    energy : ndarray, shape (N,)
        Squared saliency of each column; dead columns have none and are never kept.
    multiple : int
        The counts are multiples of this where the live columns allow; see
        `darb.sw.pruning.kept_columns`.

    Returns
    -------
    list of int
        Rising, each at least 1.
    """
    live = max(int(np.count_nonzero(energy)), 1)
    lost = np.cumsum(np.sort(energy))
    counts = set()
    for share in _SHARES:
        count = energy.size - int(np.searchsorted(lost, share * lost[-1], side="right"))
        count = min(max(count, 1), live)
        up = -(-count // multiple) * multiple
        counts.update({count // multiple * multiple, up if up <= live else count} - {0})
    return sorted(counts)


def search_counts(
    measure: Callable[[Mapping[str, int]], float],
    starts: Mapping[str, int],
    candidates: Callable[[str, Mapping[str, int]], Sequence[int]],
) -> dict[str, int]:
    """Find the counts with the largest measure, one layer at a time and the last first.

    Parameters
    ----------
    measure : callable
        Of the counts of all layers.
    starts : mapping of str to int
        By layer, in order of execution. What is found is never worse.
    candidates : callable
        Counts to try for a layer, given those of the others.

    Returns
    -------
    dict of str to int
    """
    counts, best = dict(starts), measure(starts)
    for _ in range(_SWEEPS):
        before = best
        for name in reversed(list(starts)):
            for count in candidates(name, counts):
                tried = {**counts, name: count}
                if count != counts[name] and (value := measure(tried)) > best:
                    counts, best = tried, value
        if best == before:
            break
    return counts
