"""Which columns a layer stores, and in which order."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Leaving columns out buys the others smaller blocks. Beyond this share of the squared saliency the
# loss outweighs the gain at every ratio tried (8..40).
LEFT_OUT_ENERGY = 0.01


def natural_order(columns: int) -> NDArray[np.int32]:
    """Return every column in the network's own order."""
    return np.arange(columns, dtype=np.int32)


def kept_columns(
    energy: NDArray[np.float64], *, left_out: float | None = None, multiple: int = 1
) -> int:
    """Return how many columns a spread order keeps.

    Parameters
    ----------
    energy : ndarray, shape (N,)
        Squared saliency of each column; dead columns have none and are never kept.
    left_out : float, optional
        Share of the N columns to leave out. None leaves out the least salient columns that
        together hold at most 1 % of the squared saliency.
    multiple : int
        The count is rounded to the nearest multiple of this that the live columns allow, so that
        lanes own segments of one length and no row slot stays empty.

    Returns
    -------
    int
        At least 1.
    """
    live = int(np.count_nonzero(energy))
    if left_out is None:
        rising = np.sort(energy)
        lost = np.cumsum(rising)
        count = energy.size - int(np.searchsorted(lost, LEFT_OUT_ENERGY * lost[-1], side="right"))
    else:
        count = round(energy.size * (1 - left_out))
    count = min(max(count, 1), max(live, 1))
    whole = round(count / multiple) * multiple
    if whole > live:
        whole = live // multiple * multiple
    return whole or count


def spread_order(
    energy: NDArray[np.float64], count: int, *, generator: np.random.Generator
) -> NDArray[np.int32]:
    """Return the `count` most salient columns in random order.

    A block keeps its largest weight, so salient columns should fall into different blocks; in
    natural order neighbours, as the pixels of an image, are salient together.

    Parameters
    ----------
    energy : ndarray, shape (N,)
    count : int
    generator : numpy.random.Generator
    """
    salient = np.sort(np.argsort(-energy, kind="stable")[:count])
    return generator.permutation(salient).astype(np.int32)
