"""What every pruning method offers: masks of some layers under one ratio."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from darb.sw.pruning.column_order import from_order, in_order
from darb.sw.pruning.free_mask import FreeMask
from darb.sw.pruning.masking import Mask


@dataclass(frozen=True, eq=False)
class LayerScores:
    """One layer as a method sees it.

    Parameters
    ----------
    name : str
        For messages.
    scores : ndarray, shape (M, N)
        What each weight is worth, at least 0. A Conv2d weight as output channels by input
        channel, kernel row and kernel column.
    columns : ndarray of int32, shape (C,)
        Original column of each stored position.
    live : ndarray of bool, shape (M,)
        Rows that are stored.
    area : int
        Columns of one input channel: ``kh * kw`` of a Conv2d, 1 of a Linear.
    sensitivity : ndarray, shape (M,), optional
        How much the loss feels each row, where a method weighs rows with it.
    multiplier : float
        Above 0: of the layer's scores, where scores of several layers compare.
    """

    name: str
    scores: NDArray[np.floating]
    columns: NDArray[np.int32]
    live: NDArray[np.bool_]
    area: int = 1
    sensitivity: NDArray[np.floating] | None = None
    multiplier: float = 1.0

    def stored(self) -> NDArray[np.floating]:
        """Return the scores of live rows, columns in stored order."""
        rows = self.scores if self.live.all() else self.scores[self.live]
        return in_order(rows, self.columns)

    def whole(self, kept: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return a mask of what is stored as a mask of the whole layer, shape (M, N)."""
        kept = from_order(kept, self.columns, self.scores.shape[1])
        if self.live.all():
            return kept
        mask = np.zeros(self.scores.shape, dtype=bool)
        mask[self.live] = kept
        return mask


class Method(abc.ABC):
    """A rule that chooses which weights stay. Subclasses are frozen dataclasses of its settings.

    Attributes
    ----------
    name : str
        What `PruneConfig.method` calls it.
    ordered : bool
        Whether the order of columns matters to the rule. Only then can a config ask for another
        order, leave columns out or name the engine's `rows`.
    laned : bool
        Whether the rule can restart at each of the engine's `lanes`.
    single : bool
        Whether weights stay or go one by one, by their own scores.
    """

    name: ClassVar[str]
    ordered: ClassVar[bool] = False
    laned: ClassVar[bool] = False
    single: ClassVar[bool] = True

    def check_engine(self, *, lanes: int | None, rows: int | None) -> None:
        """Refuse the shape of an engine where the method knows none.

        Raises
        ------
        ValueError
            If one is given that the method has no use for.
        """
        for name, value, used in (("lanes", lanes, self.laned), ("rows", rows, self.ordered)):
            if value is not None and not used:
                raise ValueError(f"{name} must be left out for method {self.name}, not {value!r}")

    @abc.abstractmethod
    def masks(
        self,
        layers: Sequence[LayerScores],
        *,
        ratio: float,
        lanes: int | None = None,
        rows: int | None = None,
    ) -> list[Mask | FreeMask]:
        """Choose the masks of layers that share one ratio.

        Parameters
        ----------
        layers : sequence of LayerScores
        ratio : float
            At most ``weights / ratio`` slots are spent on all layers together; at 1 every stored
            weight stays.
        lanes, rows : int, optional
            Shape of the engine; see `PruneConfig`.

        Raises
        ------
        ValueError
            If the ratio is out of the method's reach.
        """
