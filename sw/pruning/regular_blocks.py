"""DARB and BMWM as methods: each block of ``2**k`` columns keeps the same count of weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from darb.sw.pruning.masking import Mask, layer_mask
from darb.sw.pruning.method import LayerScores, Method
from darb.sw.pruning.pattern_choice import assign, check_max_keep, layer_norm
from darb.sw.pruning.slots import budget_of
from darb.sw.validation import check_choice, check_int

SCORE_ASSIGNMENTS = ("energy", "density")
ASSIGNMENTS = (*SCORE_ASSIGNMENTS, "sensitivity")
BUDGETS = ("normalized", "joint", "uniform", "searched")
REGULAR = ("darb", "bmwm")


@dataclass(frozen=True, kw_only=True)
class RegularBlocks(Method):
    """DARB or BMWM; see `darb.sw.pruning.mask`.

    Parameters
    ----------
    name : {'darb', 'bmwm'}
    assignment : {'energy', 'density', 'sensitivity'}
    budget : {'normalized', 'joint', 'uniform', 'searched'}
    max_k, max_keep : int
        As in `PruneConfig`.

    Raises
    ------
    TypeError, ValueError
        If a field is of the wrong kind or out of its range.
    """

    name: str = "darb"
    assignment: str = "energy"
    budget: str = "normalized"
    max_k: int = 6
    max_keep: int = 1
    ordered = True
    laned = True

    def __post_init__(self) -> None:
        check_choice("method", self.name, REGULAR)
        check_choice("assignment", self.assignment, ASSIGNMENTS)
        check_choice("budget", self.budget, BUDGETS)
        check_int("max_k", self.max_k, 0, 12)
        check_max_keep(self.max_keep, assignment=self.assignment)

    def masks(
        self,
        layers: Sequence[LayerScores],
        *,
        ratio: float,
        lanes: int | None = None,
        rows: int | None = None,
    ) -> list[Mask]:
        """Choose the masks; see `Method.masks`."""
        engine = {"lanes": lanes, "rows": rows, "max_k": self.max_k}
        groups = [[layer] for layer in layers] if self.budget == "uniform" else [layers]
        patterns = []
        for group in groups:
            stored = [self._worth(layer) for layer in group]
            norms = [1.0 if self.budget == "joint" else layer_norm(values) for values in stored]
            budget = budget_of(
                stored,
                weights=sum(layer.scores.size for layer in group),
                ratio=ratio,
                name=group[0].name if len(group) == 1 else "",
                **engine,
            )
            patterns += assign(
                stored,
                budget=budget,
                method=self.name,
                assignment="energy" if self.assignment == "sensitivity" else self.assignment,
                norms=[norm / layer.multiplier for norm, layer in zip(norms, group, strict=True)],
                max_keep=self.max_keep,
                **engine,
            )
        return [
            layer_mask(layer.scores, chosen, columns=layer.columns, lanes=lanes, live=layer.live)
            for layer, chosen in zip(layers, patterns, strict=True)
        ]

    def _worth(self, layer: LayerScores) -> NDArray[np.floating]:
        """Return the stored scores that patterns are chosen by."""
        stored = layer.stored()
        if self.assignment != "sensitivity":
            return stored
        if layer.sensitivity is None:
            raise ValueError(
                f"layer {layer.name} must have its rows' sensitivity for assignment "
                f"'sensitivity', not {layer.sensitivity!r}"
            )
        return stored * np.sqrt(layer.sensitivity[layer.live])[:, None]
