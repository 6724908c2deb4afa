"""Runs of zeros as skips of a few bits: what one entry cannot count, padding zeros take over."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def encode_skips(
    parts: NDArray[np.int8], index_bits: int
) -> tuple[NDArray[np.int8], NDArray[np.int64], NDArray[np.int64]]:
    """Return the entries of many short columns, one column after the other.

    An entry is a value and the zeros to skip before it. A padding entry, value 0 and the largest
    skip, passes ``2**index_bits`` zeros, itself among them; as many stand before a weight as
    whole such runs do. Zeros after a column's last weight take no entry.

    Parameters
    ----------
    parts : ndarray of int8, shape (parts, places)
    index_bits : int
        Width of a skip.

    Returns
    -------
    values : ndarray of int8, shape (entries,)
    skips : ndarray of int64, shape (entries,)
    counts : ndarray of int64, shape (parts,)
        Entries of each column.
    """
    part, place = np.nonzero(parts)
    before = np.full(place.size, -1)
    same = part[1:] == part[:-1]
    before[1:][same] = place[:-1][same]
    zeros = place - before - 1
    copies = (zeros >> index_bits) + 1
    weight_at = np.cumsum(copies) - 1
    values = np.zeros(int(copies.sum()), dtype=np.int8)
    values[weight_at] = parts[part, place]
    skips = np.full(values.size, (1 << index_bits) - 1)
    skips[weight_at] &= zeros
    return values, skips, np.bincount(np.repeat(part, copies), minlength=len(parts))


def decode_places(
    skips: NDArray[np.int64], counts: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where each entry stands: its column's number and its place in the column.

    Parameters
    ----------
    skips : ndarray of int64, shape (entries,)
    counts : ndarray of int64, shape (parts,)
    """
    part = np.repeat(np.arange(counts.size), counts)
    passed = np.concatenate([[0], np.cumsum(skips + 1)])
    start = passed[np.cumsum(counts) - counts]
    return part, passed[1:] - 1 - start[part]
