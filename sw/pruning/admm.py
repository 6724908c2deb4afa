"""Training towards a mask by the alternating direction method of multipliers."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from darb.sw.pruning.config import PruneConfig
from darb.sw.pruning.layer_modules import mask_like, weight_matrix
from darb.sw.pruning.mask_choice import MaskChoice
from darb.sw.pruning.pruner import Pruner
from darb.sw.validation import check_int


class Admm:
    """Draws the weights of a network to the constraint set of a pruning method.

    The set is all weights that some mask of the config's method and ratio leaves unchanged.
    Training minimises the loss plus ``rho / 2 * ||W - Z + U||^2``; at every round Z becomes the
    point of the set nearest to ``W + U`` by the method's own choice (its mask of ``W + U``), and U
    grows by what still parts W from Z (Boyd et al., "Distributed optimization and statistical
    learning via the alternating direction method of multipliers", 2011; for pruning Zhang et al.,
    "A systematic DNN weight pruning framework using alternating direction method of multipliers",
    ECCV 2018). No weight is zeroed before `finalize`, so that a network can change its mind.

    Call `prepare` once, add `penalty` to every loss, call `step` after every optimizer step and
    `finalize` at the end.

    Parameters
    ----------
    model : torch.nn.Module
    config : PruneConfig
        Without a ramp: the set is that of its ratio.
    calibration : torch.Tensor or ndarray, optional
        As for `Pruner`.
    rho : float
        Weight of the penalty.
    every : int
        Optimizer steps a round.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If a value is out of its range, an override names no layer, or calibration is missing.
    """

    def __init__(
        self,
        model: nn.Module,
        config: PruneConfig,
        *,
        calibration: torch.Tensor | NDArray | None = None,
        rho: float = 1e-2,
        every: int = 100,
    ) -> None:
        self._choice = MaskChoice(model, config, calibration=calibration)
        if config.ramp_steps:
            raise ValueError(f"ramp_steps must be 0 for ADMM, not {config.ramp_steps!r}")
        if isinstance(rho, bool) or not isinstance(rho, int | float):
            raise TypeError(f"rho must be a number, not {rho!r}")
        if not (math.isfinite(rho) and rho > 0):
            raise ValueError(f"rho must be finite and above 0, not {rho!r}")
        check_int("every", every, 1)
        self.rho = rho
        self.every = every
        self._count = 0
        self._targets: dict[str, torch.Tensor] = {}
        self._multipliers: dict[str, torch.Tensor] = {}

    @property
    def targets(self) -> dict[str, torch.Tensor]:
        """Z, by layer: in the set, of the weight's own shape."""
        return dict(self._targets)

    @torch.no_grad()
    def prepare(self) -> Admm:
        """Choose column orders and the first Z, from the weights as they are.

        Raises
        ------
        TypeError, ValueError
            As `Pruner.prepare`.
        """
        self._choice.prepare()
        self._count = 0
        self._multipliers = {
            name: torch.zeros_like(layer.weight) for name, layer in self._choice.layers.items()
        }
        self._project()
        return self

    def penalty(self) -> torch.Tensor:
        """Return ``rho / 2 * ||W - Z + U||^2`` over all layers, with its gradient.

        Raises
        ------
        RuntimeError
            If `prepare` has not been called.
        """
        self._check_prepared()
        parts = [
            (layer.weight - self._targets[name] + self._multipliers[name]).square().sum()
            for name, layer in self._choice.layers.items()
        ]
        return self.rho / 2 * torch.stack(parts).sum()

    @torch.no_grad()
    def step(self) -> None:
        """Count one optimizer step; at the end of a round choose Z and U anew.

        Raises
        ------
        RuntimeError
            If `prepare` has not been called.
        ValueError
            If a weight is not finite.
        """
        self._check_prepared()
        self._count += 1
        if self._count % self.every:
            return
        self._project()
        for name, layer in self._choice.layers.items():
            self._multipliers[name] += layer.weight - self._targets[name]

    @torch.no_grad()
    def residual(self) -> float:
        """Return ``||W - Z|| / ||W||`` over all layers: what pruning would still take away.

        Raises
        ------
        RuntimeError
            If `prepare` has not been called.
        """
        self._check_prepared()
        apart = whole = 0.0
        for name, layer in self._choice.layers.items():
            apart += float((layer.weight - self._targets[name]).double().square().sum())
            whole += float(layer.weight.double().square().sum())
        return math.sqrt(apart / whole) if whole else 0.0

    def finalize(self) -> Pruner:
        """Prune the model as it now is and return the prepared pruner, for retraining.

        The column orders are those that ADMM worked with.

        Raises
        ------
        RuntimeError
            If `prepare` has not been called.
        """
        self._check_prepared()
        return Pruner(self._choice.model, self._choice.config, choice=self._choice).prepare()

    def _check_prepared(self) -> None:
        if not self._targets:
            raise RuntimeError("prepare must be called before ADMM is used")

    def _project(self) -> None:
        sums = {
            name: layer.weight + self._multipliers[name]
            for name, layer in self._choice.layers.items()
        }
        matrices: dict[str, NDArray[np.floating]] = {
            name: weight_matrix(value) for name, value in sums.items()
        }
        masks = self._choice.masks(matrices)
        self._targets = {
            name: value * mask_like(masks[name].mask, value) for name, value in sums.items()
        }
