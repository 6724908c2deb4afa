"""Pruning inside a PyTorch training loop."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from numpy.typing import NDArray
from torch import nn

from darb.sw.pruning.config import PruneConfig
from darb.sw.pruning.free_mask import FreeMask
from darb.sw.pruning.layer_modules import mask_like, weight_matrix
from darb.sw.pruning.mask_choice import MaskChoice
from darb.sw.pruning.masking import Mask
from darb.sw.pruning.regrowth import regrowth_scores, share_at
from darb.sw.pruning.report import PruneReport, report_of
from darb.sw.pruning.schedule import ratio_at

# Of the gradients that regrowth looks at, what one step hands to the next.
_MOMENTUM = 0.95


@dataclass(frozen=True, kw_only=True, eq=False)
class PrunedModel:
    """A pruned network, ready to be quantised where its masks have row patterns.

    Parameters
    ----------
    model : torch.nn.Module
        Its pruned weights are zero.
    layers : dict of str to Mask or FreeMask
        In order of execution where the network is a chain, else of declaration.
    config : PruneConfig
    report : PruneReport
    """

    model: nn.Module
    layers: dict[str, Mask | FreeMask]
    config: PruneConfig
    report: PruneReport


class Pruner:
    """Prunes the layers of a network by any method, at once or along a ramp.

    Layers are its Linear and Conv2d modules, and each weight matrix of its LSTM and GRU modules,
    named as the parameter: ``lstm.weight_hh_l0``.

    Call `prepare` once, `step` after every optimizer step, and `finalize` at the end.

    `prepare` measures the activations or gradients that weights are judged by, once, and chooses
    column orders: columns that an order leaves out are zero from then on, however long the ramp.
    Along the ramp only block sizes and kept weights are chosen anew, from the weights as they are
    by then; a weight that was pruned can be kept by a later mask and grow again. After the ramp
    the masks stay; with `regrow_steps` they first move for so many steps more (see
    `darb.sw.pruning.regrowth_scores`), by the gradients that are there when `step` is called.

    Linear layers alone, under a method with row patterns, must be a chain that the engine can
    compute; they are checked to be one. Other networks are pruned layer by layer.

    Parameters
    ----------
    model : torch.nn.Module
        With a Linear, Conv2d, LSTM or GRU; no LSTM with projections.
    config : PruneConfig
    calibration : torch.Tensor or ndarray, optional
        A batch of inputs; needed for every saliency but 'magnitude', for assignment 'sensitivity'
        and for budget 'searched'. It also tells the order in which the layers of a chain run;
        without it they must be declared in that order.
    choice : MaskChoice, optional
        Of this model and config, prepared elsewhere: its column orders are kept. Calibration is
        then left out.

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
        choice: MaskChoice | None = None,
    ) -> None:
        self._given = choice is not None
        if choice is None:
            choice = MaskChoice(model, config, calibration=calibration)
        elif choice.model is not model or choice.config != config or calibration is not None:
            raise ValueError("choice must be of this model and config, and without calibration")
        self.model = model
        self.config = config
        self._choice = choice
        self._masks: dict[str, Mask | FreeMask] = {}
        self._tensors: dict[str, torch.Tensor] = {}
        self._count = 0
        self._masked_at: int | None = None
        self._gradients: dict[str, torch.Tensor] = {}

    @property
    def masks(self) -> dict[str, Mask | FreeMask]:
        """The masks now applied, by layer."""
        return dict(self._masks)

    @property
    def ramped(self) -> bool:
        """Whether the masks have reached the config's ratio and move no more."""
        return self._masked_at == self._last

    @property
    def _last(self) -> int:
        """The step after which the masks stay."""
        return self.config.ramp_steps + self.config.regrow_steps

    def prepare(self) -> Pruner:
        """Choose column orders and the first masks, and apply them.

        Raises
        ------
        TypeError
            If calibration is not of real numbers.
        ValueError
            If calibration is empty or not finite, the model should be a chain and is none (see
            `trace_chain`), a weight is not finite, or the ratio is out of reach at the end of the
            ramp.
        """
        if not self._given or not self._choice.prepared:
            self._choice.prepare()
        self._count = 0
        self._gradients = {}
        self._choose()
        self._apply()
        return self

    def step(self) -> None:
        """Advance the ramp by one optimizer step and apply the masks again.

        Raises
        ------
        RuntimeError
            If `prepare` has not been called, or weights are to regrow and have no gradients.
        """
        self._check_prepared()
        self._count += 1
        if not self.ramped:
            config = self.config
            if self._count > config.ramp_steps:
                self._note_gradients()
            ends = self._count in (config.ramp_steps, self._last)
            if ends or self._count % config.ramp_every == 0:
                self._choose()
        if self.ramped:
            self._gradients = {}
        self._apply()

    def report(self) -> PruneReport:
        """Return what the masks now applied leave of each layer.

        Raises
        ------
        RuntimeError
            If `prepare` has not been called.
        """
        self._check_prepared()
        return report_of(self._masks, rows=self.config.rows or 1)

    def finalize(self) -> PrunedModel:
        """Finish the ramp if need be, apply the masks and return the pruned network.

        Raises
        ------
        RuntimeError
            If `prepare` has not been called.
        """
        self._check_prepared()
        if not self.ramped:
            self._count = self._last
            self._choose()
        self._apply()
        with torch.no_grad():
            for name, layer in self._choice.layers.items():
                if layer.bias is not None:
                    layer.bias.mul_(torch.as_tensor(self._masks[name].live).to(layer.bias))
        return PrunedModel(
            model=self.model, layers=self.masks, config=self.config, report=self.report()
        )

    def _check_prepared(self) -> None:
        if not self._masks:
            raise RuntimeError("prepare must be called before the pruner is used")

    @torch.no_grad()
    def _choose(self) -> None:
        config = self.config
        self._masked_at = min(self._count, self._last)
        ratio = ratio_at(self._masked_at, steps=config.ramp_steps, ratio=config.ratio)
        scores = self._choice.scores()
        if config.ramp_steps < self._masked_at < self._last:
            scores = regrowth_scores(
                scores,
                {name: mask.mask for name, mask in self._masks.items()},
                {name: weight_matrix(value) for name, value in self._gradients.items()},
                share=share_at(self._masked_at - config.ramp_steps, steps=config.regrow_steps),
            )
        self._masks = self._choice.masks_of(scores, ratio=ratio)
        self._tensors = {
            name: mask_like(self._masks[name].mask, layer.weight)
            for name, layer in self._choice.layers.items()
        }

    @torch.no_grad()
    def _note_gradients(self) -> None:
        """Add the gradients of this step to those of the steps before, which fade."""
        for name, layer in self._choice.layers.items():
            gradient = layer.weight.grad
            if gradient is None:
                raise RuntimeError(
                    f"layer {name}: weights regrow by their gradients, which must be there when "
                    "step is called"
                )
            if name in self._gradients:
                self._gradients[name].mul_(_MOMENTUM).add_(gradient)
            else:
                self._gradients[name] = gradient.clone()

    @torch.no_grad()
    def _apply(self) -> None:
        for name, layer in self._choice.layers.items():
            layer.weight.mul_(self._tensors[name])


def prune(
    model: nn.Module,
    config: PruneConfig | None = None,
    *,
    calibration: torch.Tensor | NDArray | None = None,
    **settings: object,
) -> Pruner:
    """Prune the layers of `model` in place and return the prepared pruner; see `Pruner`.

    Parameters
    ----------
    model : torch.nn.Module
    config : PruneConfig, optional
        Or its fields as keywords.
    calibration : torch.Tensor or ndarray, optional
        A batch of inputs; see `Pruner`. With it a model of Linear layers, to be pruned to row
        patterns, is also checked to be a chain that the engine can compute, before any retraining.
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
