"""What pruning left of a network, in numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from darb.sw.pruning.free_mask import FreeMask
from darb.sw.pruning.masking import Mask
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
        Weight slots that the engine spends on them, all padding included; for a method without
        row patterns, those of its own format.
    rows, live_rows : int
        M, and how many of them are stored.
    columns, kept_columns : int
        N, and how many of them are stored.
    sections : dict of str to int
        Stored rows with each pattern; empty for a method without row patterns.
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


def report_of(masks: Mapping[str, Mask | FreeMask], *, rows: int = 1) -> PruneReport:
    """Return what masks of any method leave of a network.

    Parameters
    ----------
    masks : mapping of str to Mask or FreeMask
        By layer.
    rows : int
        R of the engine, whose row groups are padded.
    """
    return PruneReport(
        layers=tuple(
            PrunedLayerReport(
                name=name,
                weights=mask.mask.size,
                stored=mask.stored,
                slots=mask.slots(rows),
                rows=mask.mask.shape[0],
                live_rows=int(mask.live.sum()),
                columns=mask.mask.shape[1],
                kept_columns=mask.columns.size,
                sections={str(key): count for key, count in mask.sections().items()},
            )
            for name, mask in masks.items()
        )
    )
