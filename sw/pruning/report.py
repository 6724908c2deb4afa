"""What pruning left of a network, in numbers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class PrunedLayerReport:
    """What pruning left of one layer.

    Parameters
    ----------
    name : str
    weights : int
        M * N.
    stored : int
        Weights that stay.
    slots : int
        Weight slots that the engine spends on them, all padding included.
    rows, live_rows : int
        M, and how many of them are stored.
    columns, kept_columns : int
        N, and how many of them are stored.
    sections : dict of str to int
        Stored rows with each pattern.
    """

    name: str
    weights: int
    stored: int
    slots: int
    rows: int
    live_rows: int
    columns: int
    kept_columns: int
    sections: dict[str, int]

    @property
    def ratio(self) -> float:
        """Weights a stored weight."""
        return self.weights / self.stored

    @property
    def effective_ratio(self) -> float:
        """Weights a slot."""
        return self.weights / self.slots


@dataclass(frozen=True, kw_only=True)
class PruneReport:
    """What pruning left of a network."""

    layers: tuple[PrunedLayerReport, ...]

    @property
    def weights(self) -> int:
        """Weights before pruning."""
        return sum(layer.weights for layer in self.layers)

    @property
    def stored(self) -> int:
        """Weights that stay."""
        return sum(layer.stored for layer in self.layers)

    @property
    def slots(self) -> int:
        """Weight slots that the engine spends, all padding included."""
        return sum(layer.slots for layer in self.layers)

    @property
    def ratio(self) -> float:
        """Weights a stored weight."""
        return self.weights / self.stored

    @property
    def effective_ratio(self) -> float:
        """Weights a slot."""
        return self.weights / self.slots

    @property
    def efficiency(self) -> float:
        """Stored weights a slot."""
        return self.stored / self.slots
