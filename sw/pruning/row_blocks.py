"""Runs of consecutive columns that keep the same number of weights in every row."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from darb.golden.pattern import Segments
from darb.sw.pruning.selection import largest_of_each
from darb.sw.pruning.slots import in_segments

_CHUNK = 256


def keep_in_blocks(
    stored: NDArray[np.floating], *, size: int, keep: int, lanes: int | None = None
) -> NDArray[np.bool_]:
    """Keep the `keep` largest scores of each block of `size` columns.

    Parameters
    ----------
    stored : ndarray, shape (M, C)
        Scores of at least 0, columns in stored order.
    size : int
        Any number; the last block of a row or segment is cut short where it does not divide.
    keep : int
        At least 1; a block with fewer columns keeps them all.
    lanes : int, optional
        Blocks restart at each of this many segments.

    Returns
    -------
    ndarray of bool, shape (M, C)
        Of equal scores, those stored first stay.
    """
    rows, columns = stored.shape
    kept = np.empty(stored.shape, dtype=bool)
    length = Segments(columns, lanes or 1).length
    for start in range(0, rows, _CHUNK):
        part = stored[start : start + _CHUNK]
        # Padding scores less than any weight, so it is kept only where a block has nothing else.
        segments = in_segments(part, lanes=lanes, multiple=size, fill=-1.0)
        chosen = largest_of_each(segments.reshape(-1, size), keep).reshape(segments.shape)
        kept[start : start + _CHUNK] = chosen[:, :, :length].reshape(len(part), -1)[:, :columns]
    return kept


def blocks_in_row(columns: int, size: int, *, lanes: int | None) -> int:
    """Return how many blocks of `size` a row of `columns` stored columns has in all segments."""
    segments = Segments(columns, lanes or 1)
    return segments.lanes * -(-segments.length // size)
