"""Rows dealt to lanes in turn, as cards are: row i goes to lane ``i mod lanes``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from darb.golden.formats.stored_array import check_count


def dealt(counts: NDArray[np.integer], lanes: int) -> NDArray[np.int64]:
    """Return what each lane gets in each round, shape (ceil(m / lanes), lanes).

    Parameters
    ----------
    counts : ndarray of int, shape (m,)
        One number a row, or a block row.
    lanes : int
        Where they do not divide m, the last lanes get 0 in the last round.

    Raises
    ------
    TypeError
        If `lanes` is no int.
    ValueError
        If `lanes` is below 1.
    """
    check_count("lanes", lanes, 1)
    rounds = -(-len(counts) // lanes)
    table = np.zeros(rounds * lanes, dtype=np.int64)
    table[: len(counts)] = counts
    return table.reshape(rounds, lanes)
