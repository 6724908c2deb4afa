"""What pruning left of a network, in numbers."""

from __future__ import annotations

from dataclasses import dataclass

from darb.sw.sparsity import LayerTotals, Ratios


@dataclass(frozen=True, kw_only=True)
class PrunedLayerReport(Ratios):
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


@dataclass(frozen=True, kw_only=True)
class PruneReport(LayerTotals):
    """What pruning left of a network."""

    layers: tuple[PrunedLayerReport, ...]

    @property
    def efficiency(self) -> float:
        """Stored weights a slot."""
        return self.stored / self.slots
