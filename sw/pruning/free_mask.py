"""Masks that keep to no row pattern of the engine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from darb.golden.pattern import Pattern
from darb.sw.pruning.column_order import natural_order


@dataclass(frozen=True, eq=False)
class FreeMask:
    """Which weights of one layer stay, wherever they are.

    It answers as `Mask` does, so that every method has the same pruner and report, but the engine
    cannot store it: only its accuracy can be measured.

    Parameters
    ----------
    mask : ndarray of bool, shape (M, N)
        True where a weight stays.
    spent : int
        Weight slots that the method's own format stores, padding included.
    """

    mask: NDArray[np.bool_]
    spent: int

    @property
    def stored(self) -> int:
        """Weights that stay."""
        return int(np.count_nonzero(self.mask))

    @property
    def columns(self) -> NDArray[np.int32]:
        """Every column, in the network's own order."""
        return natural_order(self.mask.shape[1])

    @property
    def live(self) -> NDArray[np.bool_]:
        """Every row: one without weights still gives its bias to the layers after it."""
        return np.ones(len(self.mask), dtype=bool)

    def slots(self, rows: int = 1) -> int:
        """Return the weight slots, which no engine's `rows` change."""
        return self.spent

    def sections(self) -> dict[Pattern, int]:
        """Return no patterns."""
        return {}
