"""Row patterns that a layer's rows choose from, and what each of them would retain."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from darb.golden.pattern import Pattern, most_keep
from darb.sw.pruning.slots import in_segments, largest_k, row_slots

_CHUNK = 256


def pattern_options(
    columns: int, *, lanes: int | None, max_k: int, max_keep: int = 1
) -> tuple[Pattern, ...]:
    """Return the patterns that a row of `columns` stored columns can choose from.

    Dense is one of them; all others take fewer slots than dense does.

    Parameters
    ----------
    columns : int
    lanes : int or None
        Segments in which blocks restart.
    max_k : int
        Less counts where a segment is shorter than a block of ``2**max_k``.
    max_keep : int
        Most weights a block.

    Returns
    -------
    tuple of Pattern
        Fewest slots first; of equally many, the larger block first.
    """
    largest = largest_k(columns, lanes=lanes, max_k=max_k)
    sparse = [
        Pattern(k, keep)
        for k in range(1, largest + 1)
        for keep in range(1, min(max_keep, most_keep(k)) + 1)
    ]
    slots = {pattern: row_slots(columns, pattern, lanes=lanes) for pattern in sparse}
    dense = row_slots(columns, Pattern(0), lanes=lanes)
    fewer = [pattern for pattern in sparse if slots[pattern] < dense]
    return (*sorted(fewer, key=lambda pattern: (slots[pattern], -pattern.k)), Pattern(0))


def retained_energy(
    scores: NDArray[np.floating], patterns: Sequence[Pattern], *, lanes: int | None
) -> NDArray[np.float64]:
    """Return the squared score that each row retains with each pattern.

    Parameters
    ----------
    scores : ndarray, shape (M, C)
        Not negative, columns in stored order.
    patterns : sequence of Pattern, length O
    lanes : int or None
        Segments in which blocks restart.

    Returns
    -------
    ndarray, shape (M, O)
        The sum over blocks of the largest `keep` scores squared.
    """
    energy = np.empty((scores.shape[0], len(patterns)))
    largest = max(pattern.k for pattern in patterns)
    most = 1 << (max(pattern.keep for pattern in patterns) - 1).bit_length()
    places: dict[int, list[tuple[int, int]]] = {}
    for place, pattern in enumerate(patterns):
        places.setdefault(pattern.k, []).append((place, pattern.keep))
    for start in range(0, scores.shape[0], _CHUNK):
        part = scores[start : start + _CHUNK].astype(np.float64)
        part = in_segments(part, lanes=lanes, multiple=1 << largest, fill=0.0)
        # One plane a rank: the largest score of each block, the second largest, and so on.
        ranks = part[None]
        for k in range(largest + 1):
            if k in places:
                sums = list(
                    itertools.accumulate(np.einsum("msl,msl->m", *2 * (rank,)) for rank in ranks)
                )
                for place, keep in places[k]:
                    energy[start : start + _CHUNK, place] = sums[keep - 1]
            if k < largest:
                ranks = _merged(ranks[..., 0::2], ranks[..., 1::2], most)
    return energy


def _merged(
    first: NDArray[np.float64], second: NDArray[np.float64], most: int
) -> NDArray[np.float64]:
    """Return the largest `most` of two descending lists of one length, along axis 0.

    By a bitonic merge: lengths and `most` are powers of two.
    """
    if 2 * len(first) <= most:
        both = np.concatenate([first, second[::-1]])
    else:
        # The larger of each pair are the upper half, and first fall and then rise, or the reverse.
        both = np.maximum(first, second[::-1])
    stride = len(both) // 2
    while stride:
        pairs = both.reshape(-1, 2, stride, *both.shape[1:])
        larger, smaller = pairs[:, 0], pairs[:, 1]
        both = np.stack([np.maximum(larger, smaller), np.minimum(larger, smaller)], axis=1)
        both = both.reshape(-1, *pairs.shape[3:])
        stride //= 2
    return both
