"""What the demo is asked to run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from darb.hw.simulators import SIMULATORS
from darb.sw.folding import check_shape
from darb.sw.pruning.config import ORDERS, SALIENCIES
from darb.sw.recipe import Recipe
from darb.sw.validation import MOST_SEED, check_choice, check_int, check_ratio

MULTIPLIERS = {"digits": 8, "mnist": 32}
"""Multipliers that keep busy at ratio 16 on each dataset's network."""


@dataclass(frozen=True, kw_only=True)
class DemoSettings:
    """What the demo runs.

    Parameters
    ----------
    data : {'digits', 'mnist'}
    data_dir : path, optional
        Where the idx files of MNIST are.
    ratio : float
        Weights a stored weight.
    lanes, rows : int, optional
        Shape of the engine; by default the fastest within `multipliers`.
    multipliers : int, optional
        By default 8 for digits and 32 for mnist, or ``lanes * rows``.
    simulator : {'verilator', 'icarus'}
    vectors : int, optional
        Test vectors to simulate; by default all of them.
    seed : int
        Of everything that training and pruning draw at random; the data's split is always the same.
    checkpoint : path, optional
        Trained weights, so that dense training is skipped.
    order, saliency : str
        As in `darb.sw.pruning.PruneConfig`.
    recipe : Recipe, optional
        Instead of the dataset's own.

    Raises
    ------
    TypeError
        If a field is of the wrong kind.
    ValueError
        If a field is out of its range, or `data_dir` is missing for mnist or given for digits.
    """

    data: str = "digits"
    data_dir: Path | None = None
    ratio: float = 16.0
    lanes: int | None = None
    rows: int | None = None
    multipliers: int | None = None
    simulator: str = "verilator"
    vectors: int | None = None
    seed: int = 0
    checkpoint: Path | None = None
    order: str = "spread"
    saliency: str = "activation"
    recipe: Recipe | None = None

    def __post_init__(self) -> None:
        check_choice("data", self.data, tuple(MULTIPLIERS))
        check_choice("simulator", self.simulator, SIMULATORS)
        check_choice("order", self.order, ORDERS)
        check_choice("saliency", self.saliency, SALIENCIES)
        check_ratio(self.ratio)
        check_int("seed", self.seed, 0, MOST_SEED)
        if self.vectors is not None:
            check_int("vectors", self.vectors, 1)
        check_shape(multipliers=self.multipliers, lanes=self.lanes, rows=self.rows)
        if self.data == "mnist" and self.data_dir is None:
            raise ValueError("data_dir must name the directory of the idx files for mnist")
        if self.data != "mnist" and self.data_dir is not None:
            raise ValueError(
                f"data_dir must be left out for {self.data}, not {str(self.data_dir)!r}"
            )

    @property
    def most_multipliers(self) -> int:
        """Multipliers that the engine may spend."""
        if self.multipliers is not None:
            return self.multipliers
        return max(MULTIPLIERS[self.data], (self.lanes or 1) * (self.rows or 1))
