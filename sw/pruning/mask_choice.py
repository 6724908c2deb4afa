"""What a network's masks are chosen from: its layers, their inputs and their column orders."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from darb.sw.pruning.calibration import calibration_batch, evaluating
from darb.sw.pruning.chain import declared_chain, trace_chain
from darb.sw.pruning.config import PruneConfig
from darb.sw.pruning.free_mask import FreeMask
from darb.sw.pruning.gradient_power import gradient_rms, row_sensitivity
from darb.sw.pruning.input_power import input_rms
from darb.sw.pruning.layer_budgets import output_divergence, searched_multipliers
from darb.sw.pruning.layer_modules import (
    PrunableWeight,
    mask_like,
    prunable_weights,
    weight_matrix,
)
from darb.sw.pruning.masking import Mask
from darb.sw.pruning.network import network_masks, scores_of
from darb.sw.pruning.network_order import column_orders


class MaskChoice:
    """Chooses the masks of a network's layers by a config; see `Pruner` for what they are.

    A network of Linear layers alone that is to be pruned to row patterns must be a chain that the
    engine can compute. Any other network is taken layer by layer: no row of it is ever dead.

    Parameters
    ----------
    model : torch.nn.Module
    config : PruneConfig
    calibration : torch.Tensor or ndarray, optional
        A batch of inputs; needed for every saliency but 'magnitude', for assignment 'sensitivity'
        and for budget 'searched'.

    Attributes
    ----------
    layers : dict of str to PrunableWeight
    multipliers : dict of str to float
        What budget 'searched' found, by layer.
    prepared : bool
        Whether `prepare` has been called.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If an override names no layer, or calibration is missing.
    """

    def __init__(
        self,
        model: nn.Module,
        config: PruneConfig,
        *,
        calibration: torch.Tensor | NDArray | None = None,
    ) -> None:
        self.layers: dict[str, PrunableWeight] = prunable_weights(model)
        if not isinstance(config, PruneConfig):
            raise TypeError(f"config must be a PruneConfig, not {config!r}")
        for name in config.layers:
            if name not in self.layers:
                raise ValueError(f"layers must name some of {', '.join(self.layers)}, not {name!r}")
        if config.calibrated and calibration is None:
            raise ValueError(f"calibration must be given for {config.calibrated}, not None")
        self.model = model
        self.config = config
        self.prepared = False
        self._calibration = calibration
        self._chained = config.rule.ordered and all(
            isinstance(layer.module, nn.Linear) for layer in self.layers.values()
        )
        self._orders: dict[str, NDArray[np.int32]] = {}
        self._rms: dict[str, NDArray[np.float32]] | None = None
        self._gradients: dict[str, NDArray[np.float32]] | None = None
        self._sensitivities: dict[str, NDArray[np.float64]] | None = None
        self.multipliers: dict[str, float] = {}

    def prepare(self) -> None:
        """Measure inputs and gradients, choose column orders and share budgets.

        All from the weights as they are.

        Raises
        ------
        TypeError
            If calibration is not of real numbers.
        ValueError
            If calibration is empty or not finite, the model should be a chain and is none (see
            `trace_chain`), a weight is not finite, or the ratio is out of reach.
        """
        if not self._chained:
            if self.config.saliency == "activation":
                self._rms = input_rms(self.model, self.layers, self._calibration)
        elif self._calibration is None:
            self.layers = {name: self.layers[name] for name in declared_chain(self.model)}
        else:
            chain = trace_chain(self.model, self._calibration)
            self.layers = {layer.name: self.layers[layer.name] for layer in chain}
            self._rms = {layer.name: layer.input_rms() for layer in chain}
        if self.config.needs_gradients:
            self._gradients = gradient_rms(
                self.model, self.layers, self._calibration, seed=self.config.seed
            )
        if self.config.assignment == "sensitivity":
            self._sensitivities = {
                name: row_sensitivity(rms) for name, rms in self._gradients.items()
            }
        scores = self.scores()
        self._orders = column_orders(
            scores, self.config, chained=self._chained, sensitivities=self._sensitivities
        )
        if self.config.ramp_steps:
            # A ratio out of reach is refused now, not after hours on the ramp.
            self.masks_of(scores)
        self.multipliers = {}
        if self.config.budget == "searched" and self.config.ratio > 1:
            self.multipliers = self._searched(scores)
        self.prepared = True

    def weights(self) -> dict[str, NDArray[np.floating]]:
        """Return the weights as they are now, each as a matrix."""
        return {name: weight_matrix(layer.weight) for name, layer in self.layers.items()}

    def masks(
        self, weights: Mapping[str, NDArray] | None = None, *, ratio: float | None = None
    ) -> dict[str, Mask | FreeMask]:
        """Choose the masks of the model's weights, or of others.

        Parameters
        ----------
        weights : mapping of str to ndarray, shape (M, N), optional
        ratio : float, optional
            Instead of the config's, on the way there.

        Raises
        ------
        ValueError
            If a weight is not finite.
        """
        return self.masks_of(self.scores(weights), ratio=ratio)

    def scores(
        self, weights: Mapping[str, NDArray] | None = None
    ) -> dict[str, NDArray[np.floating]]:
        """Return the saliency of the model's weights, or of others, by layer.

        Raises
        ------
        ValueError
            If a weight is not finite.
        """
        weights = self.weights() if weights is None else weights
        return scores_of(weights, self._rms, self.config, gradients=self._gradients)

    @torch.no_grad()
    def _searched(self, scores: Mapping[str, NDArray]) -> dict[str, float]:
        """Return the multipliers whose masks change the network's outputs least."""
        weights = {name: layer.weight.detach().clone() for name, layer in self.layers.items()}
        batch = calibration_batch(self._calibration, like=next(iter(weights.values())))

        def divergence(multipliers: Mapping[str, float]) -> float:
            self.multipliers = dict(multipliers)
            for name, mask in self.masks_of(scores).items():
                weight = self.layers[name].weight
                weight.copy_(weights[name] * mask_like(mask.mask, weight))
            return output_divergence(self.model(batch), dense)

        with evaluating(self.model):
            dense = self.model(batch)
            shared = [name for name in self.layers if self.config.own_ratio_of(name) is None]
            try:
                return searched_multipliers(divergence, shared)
            finally:
                for name, layer in self.layers.items():
                    layer.weight.copy_(weights[name])

    def masks_of(
        self, scores: Mapping[str, NDArray], *, ratio: float | None = None
    ) -> dict[str, Mask | FreeMask]:
        """Choose the masks by scores of one's own; see `masks`."""
        return network_masks(
            scores,
            self._orders,
            self.config,
            ratio=ratio,
            chained=self._chained,
            areas={name: layer.area for name, layer in self.layers.items()},
            sensitivities=self._sensitivities,
            multipliers=self.multipliers,
        )
