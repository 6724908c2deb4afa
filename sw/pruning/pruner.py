"""Pruning inside a PyTorch training loop."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from darb.sw.pruning.chain import declared_chain, linear_modules, trace_chain
from darb.sw.pruning.config import PruneConfig
from darb.sw.pruning.masking import Mask
from darb.sw.pruning.network import column_orders, network_masks, scores_of
from darb.sw.pruning.report import PrunedLayerReport, PruneReport
from darb.sw.pruning.schedule import ratio_at


@dataclass(frozen=True, kw_only=True, eq=False)
class PrunedModel:
    """A pruned network, ready to be quantised.

    Parameters
    ----------
    model : torch.nn.Module
        Its pruned weights are zero.
    layers : dict of str to Mask
        In order of execution.
    config : PruneConfig
    report : PruneReport
    """

    model: nn.Module
    layers: dict[str, Mask]
    config: PruneConfig
    report: PruneReport


class Pruner:
    """Prunes the Linear layers of a chain, at once or along a ramp.

    Call `prepare` once, `step` after every optimizer step, and `finalize` at the end.

    `prepare` measures the activations that saliency 'activation' weighs with, once, and chooses the
    column orders: columns that an order leaves out are zero from then on, however long the ramp.
    Along the ramp only block sizes and kept weights are chosen anew, from the weights as they are
    by then; a weight that was pruned can be kept by a later mask and grow again. After the ramp
    the masks stay.

    Parameters
    ----------
    model : torch.nn.Module
        Its Linear modules are the layers.
    config : PruneConfig
    calibration : torch.Tensor or ndarray, optional
        A batch of inputs; needed for saliency 'activation'. It also tells the order in which the
        layers run; without it they must be declared in that order.

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
        self._layers = linear_modules(model)
        if not isinstance(config, PruneConfig):
            raise TypeError(f"config must be a PruneConfig, not {config!r}")
        for name in config.layers:
            if name not in self._layers:
                raise ValueError(
                    f"layers must name Linear layers of the model "
                    f"({', '.join(self._layers)}), not {name!r}"
                )
        if config.saliency == "activation" and calibration is None:
            raise ValueError("calibration must be given for saliency 'activation', not None")
        self.model = model
        self.config = config
        self._calibration = calibration
        self._orders: dict[str, NDArray[np.int32]] = {}
        self._rms: dict[str, NDArray[np.float32]] | None = None
        self._masks: dict[str, Mask] = {}
        self._tensors: dict[str, torch.Tensor] = {}
        self._count = 0
        self._masked_at: int | None = None

    @property
    def masks(self) -> dict[str, Mask]:
        """The masks now applied, by layer."""
        return dict(self._masks)

    @property
    def ramped(self) -> bool:
        """Whether the masks have reached the config's ratio."""
        return self._masked_at == self.config.ramp_steps

    def prepare(self) -> Pruner:
        """Choose column orders and the first masks, and apply them.

        Raises
        ------
        TypeError
            If calibration is not of real numbers.
        ValueError
            If calibration is empty or not finite, the model is no chain that the engine can
            compute (see `trace_chain`), a weight is not finite, or the ratio is out of reach at
            the end of the ramp.
        """
        if self._calibration is None:
            self._layers = declared_chain(self.model)
        else:
            chain = trace_chain(self.model, self._calibration)
            self._layers = {layer.name: layer.linear for layer in chain}
            self._rms = {layer.name: layer.input_rms() for layer in chain}
        self._count = 0
        self._choose(orders=True)
        self._apply()
        return self

    def step(self) -> None:
        """Advance the ramp by one optimizer step and apply the masks again.

        Raises
        ------
        RuntimeError
            If `prepare` has not been called.
        """
        self._check_prepared()
        self._count += 1
        config = self.config
        due = self._count >= config.ramp_steps or self._count % config.ramp_every == 0
        if due and not self.ramped:
            self._choose()
        self._apply()

    def report(self) -> PruneReport:
        """Return what the masks now applied leave of each layer.

        Raises
        ------
        RuntimeError
            If `prepare` has not been called.
        """
        self._check_prepared()
        return PruneReport(
            layers=tuple(
                PrunedLayerReport(
                    name=name,
                    weights=mask.mask.size,
                    stored=mask.stored,
                    slots=mask.slots(self.config.rows or 1),
                    rows=mask.mask.shape[0],
                    live_rows=int(mask.live.sum()),
                    columns=mask.mask.shape[1],
                    kept_columns=mask.columns.size,
                    sections={str(key): count for key, count in mask.sections().items()},
                )
                for name, mask in self._masks.items()
            )
        )

    def finalize(self) -> PrunedModel:
        """Finish the ramp if need be, apply the masks and return the pruned network.

        Raises
        ------
        RuntimeError
            If `prepare` has not been called.
        """
        self._check_prepared()
        if not self.ramped:
            self._count = self.config.ramp_steps
            self._choose()
        self._apply()
        with torch.no_grad():
            for name, layer in self._layers.items():
                if layer.bias is not None:
                    layer.bias.mul_(torch.as_tensor(self._masks[name].live).to(layer.bias))
        return PrunedModel(
            model=self.model, layers=self.masks, config=self.config, report=self.report()
        )

    def _check_prepared(self) -> None:
        if not self._masks:
            raise RuntimeError("prepare must be called before the pruner is used")

    @torch.no_grad()
    def _choose(self, *, orders: bool = False) -> None:
        config = self.config
        weights = {
            # NumPy has no bfloat16.
            name: layer.weight.detach().float().cpu().numpy()
            for name, layer in self._layers.items()
        }
        scores = scores_of(weights, self._rms, config)
        if orders:
            self._orders = column_orders(scores, config)
            if config.ramp_steps:
                # A ratio out of reach is refused now, not after hours on the ramp.
                network_masks(scores, self._orders, config)
        self._masked_at = min(self._count, config.ramp_steps)
        ratio = ratio_at(self._masked_at, steps=config.ramp_steps, ratio=config.ratio)
        self._masks = network_masks(scores, self._orders, config, ratio=ratio)
        self._tensors = {
            name: torch.as_tensor(self._masks[name].mask).to(layer.weight)
            for name, layer in self._layers.items()
        }

    @torch.no_grad()
    def _apply(self) -> None:
        for name, layer in self._layers.items():
            layer.weight.mul_(self._tensors[name])


def prune(
    model: nn.Module,
    config: PruneConfig | None = None,
    *,
    calibration: torch.Tensor | NDArray | None = None,
    **settings: object,
) -> Pruner:
    """Prune the Linear layers of `model` in place and return the prepared pruner.

    Parameters
    ----------
    model : torch.nn.Module
    config : PruneConfig, optional
        Or its fields as keywords.
    calibration : torch.Tensor or ndarray, optional
        A batch of inputs; needed for saliency 'activation'. With it the model is also checked to be
        a chain that the engine can compute, before any retraining.
    **settings
        Fields of `PruneConfig`.

    Returns
    -------
    Pruner

    Raises
    ------
    TypeError
        If both a config and keywords are given, or an argument is of the wrong kind.
    ValueError
        If a value is out of its range.

    Examples
    --------
    >>> import torch
    >>> from darb.sw.pruning import prune
    >>> _ = torch.manual_seed(0)
    >>> model = torch.nn.Sequential(torch.nn.Linear(64, 32), torch.nn.ReLU(),
    ...                             torch.nn.Linear(32, 10))
    >>> pruner = prune(model, ratio=8, calibration=torch.rand(100, 64))
    >>> # optimizer.step(); pruner.step()
    >>> round(pruner.finalize().report.pruning_ratio, 1)
    8.0
    """
    if config is None:
        config = PruneConfig(**settings)
    elif settings:
        raise TypeError(f"config and keywords exclude each other, not {sorted(settings)!r}")
    return Pruner(model, config, calibration=calibration).prepare()
