"""DARB and BMWM as methods: one weight of each block of ``2**k`` columns stays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from darb.sw.pruning.block_size import assign
from darb.sw.pruning.masking import Mask, layer_mask
from darb.sw.pruning.method import LayerScores, Method
from darb.sw.pruning.slots import budget_of
from darb.sw.validation import check_choice, check_int

ASSIGNMENTS = ("energy", "density")
REGULAR = ("darb", "bmwm")


@dataclass(frozen=True, kw_only=True)
class RegularBlocks(Method):
    """DARB or BMWM; see `darb.sw.pruning.mask`.

    Parameters
    ----------
    name : {'darb', 'bmwm'}
    assignment : {'energy', 'density'}
    max_k : int
        As in `PruneConfig`.

    Raises
    ------
    TypeError, ValueError
        If a field is of the wrong kind or out of its range.
    """

    name: str = "darb"
    assignment: str = "energy"
    max_k: int = 6
    ordered = True
    laned = True

    def __post_init__(self) -> None:
        check_choice("method", self.name, REGULAR)
        check_choice("assignment", self.assignment, ASSIGNMENTS)
        check_int("max_k", self.max_k, 0, 12)

    def masks(
        self,
        layers: Sequence[LayerScores],
        *,
        ratio: float,
        lanes: int | None = None,
        rows: int | None = None,
    ) -> list[Mask]:
        """Choose the masks; see `Method.masks`."""
        stored = [layer.stored() for layer in layers]
        engine = {"lanes": lanes, "rows": rows, "max_k": self.max_k}
        weights = sum(layer.scores.size for layer in layers)
        block_sizes = assign(
            stored,
            budget=budget_of(stored, weights=weights, ratio=ratio, **engine),
            method=self.name,
            assignment=self.assignment,
            **engine,
        )
        return [
            layer_mask(layer.scores, sizes, columns=layer.columns, lanes=lanes, live=layer.live)
            for layer, sizes in zip(layers, block_sizes, strict=True)
        ]
