"""Dynamic probabilistic pruning of a network, inside a PyTorch training loop."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
from torch import nn

from darb.sw.dpp.annealing import temperature_at
from darb.sw.dpp.config import DppConfig, DppLayerRule
from darb.sw.dpp.layer import DppLayer
from darb.sw.dpp.layer_mask import layer_mask_of
from darb.sw.dpp.selection import Selection, SelectionMetrics, starting_logits
from darb.sw.dpp.unit_rows import unit_rows
from darb.sw.pruning.layer_modules import PrunableModule, prunable_modules
from darb.sw.pruning.pruner import PrunedModel
from darb.sw.pruning.report import PruneReport, report_of
from darb.sw.validation import check_int


@dataclass(frozen=True, kw_only=True)
class DppEpoch:
    """The state before one epoch.

    Parameters
    ----------
    epoch : int
        From 0; one past the last stands for the end.
    temperature : float
    layers : dict of str to SelectionMetrics
        Layers that keep all are not among them.
    """

    epoch: int
    temperature: float
    layers: dict[str, SelectionMetrics]

    def as_dict(self) -> dict[str, object]:
        """Return the fields by name, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: dict) -> DppEpoch:
        """Return what `as_dict` was called on."""
        layers = {name: SelectionMetrics(**values) for name, values in fields["layers"].items()}
        return cls(epoch=fields["epoch"], temperature=fields["temperature"], layers=layers)


@dataclass(frozen=True, kw_only=True, eq=False)
class DppModel(PrunedModel):
    """A network pruned by DPP: plain modules, whose weights are masked and quantised.

    Parameters
    ----------
    model, layers, report
        As in `PrunedModel`.
    config : DppConfig
    history : tuple of DppEpoch
        The state before each epoch, and at the end.
    """

    config: DppConfig
    history: tuple[DppEpoch, ...]


class Dpp:
    """Prunes the Linear and Conv2d layers of a network while it is trained, and no others.

    Call `prepare` once, before the optimizer is made; `step` before every epoch; add `penalty` to
    every loss; and call `finalize` at the end. Between the first and the last, the model's layers
    are replaced by `DppLayer` modules, whose logits are parameters of the model too.

    Parameters
    ----------
    config : DppConfig

    Raises
    ------
    TypeError
        If `config` is none.

    Examples
    --------
    >>> import torch
    >>> from darb.sw.dpp import Dpp, DppConfig
    >>> _ = torch.manual_seed(0)
    >>> model = torch.nn.Sequential(torch.nn.Linear(64, 32), torch.nn.ReLU(),
    ...                             torch.nn.Linear(32, 10))
    >>> dpp = Dpp(DppConfig(granularity="tiles", tile=16, keep=2, epochs=1))
    >>> dpp.prepare(model)
    >>> dpp.step(0)
    >>> # loss = cross_entropy(model(x), y) + dpp.penalty()
    >>> dpp.finalize().report.pruning_ratio
    8.0
    """

    def __init__(self, config: DppConfig) -> None:
        if not isinstance(config, DppConfig):
            raise TypeError(f"config must be a DppConfig, not {config!r}")
        self.config = config
        self._model: nn.Module | None = None
        self._layers: dict[str, DppLayer] = {}
        self._rules: dict[str, DppLayerRule] = {}
        self._history: list[DppEpoch] = []

    def prepare(self, model: nn.Module) -> None:
        """Replace the layers of `model`, in place.

        Raises
        ------
        TypeError
            If `model` is no module.
        ValueError
            If it has no Linear or Conv2d or is one, `layers` names none of them, a weight is not
            finite, or a row has fewer units than it should keep.
        RuntimeError
            If a model is prepared already.
        """
        if self._layers:
            raise RuntimeError("prepare must be called once")
        modules = prunable_modules(model)
        if "" in modules:
            raise ValueError(f"model must hold its layers, not be one, not {model!r}")
        for name in self.config.layers:
            if name not in modules:
                raise ValueError(f"layers must name some of {', '.join(modules)}, not {name!r}")
        for name, module in modules.items():
            if not torch.isfinite(module.weight).all():
                raise ValueError(f"layer {name}: weights must be finite, not NaN or infinity")
        last = list(modules)[-1]
        generator = torch.Generator(modules[last].weight.device).manual_seed(self.config.seed)
        layers, rules = {}, {}
        for name, module in modules.items():
            linear = isinstance(module, nn.Linear)
            rules[name] = self.config.rule_of(name, linear=linear, last=name == last)
            layers[name] = DppLayer(
                module,
                selection=self._selection(name, module, rules[name], generator),
                bits=self.config.bits,
                shared=name == last,
            )
        _replace(model, {layer.layer: layer for layer in layers.values()})
        self._model, self._layers, self._rules = model, layers, rules
        self._set_temperature(0)

    def _selection(
        self, name: str, module: PrunableModule, rule: DppLayerRule, generator: torch.Generator
    ) -> Selection | None:
        """Return what chooses for a layer, None where it keeps all."""
        rows = unit_rows(
            tuple(module.weight.shape), rule.granularity, tile=rule.tile, lanes=rule.lanes
        )
        try:
            kept = rule.kept_of(rows.index.shape[1])
        except ValueError as error:
            raise ValueError(f"layer {name}: {error}") from error
        keep = rows.widths.clamp(max=kept)
        if (keep == rows.widths).all():
            return None
        return Selection(
            rows,
            keep=keep,
            logits=starting_logits(module.weight, rows, self.config.start),
            removal=self.config.removal,
            generator=generator,
        )

    @property
    def selections(self) -> dict[str, Selection]:
        """What chooses, for the layers that do not keep all."""
        return {
            name: layer.selection
            for name, layer in self._layers.items()
            if layer.selection is not None
        }

    @property
    def history(self) -> tuple[DppEpoch, ...]:
        """The state before each epoch so far."""
        return tuple(self._history)

    def logits(self) -> list[nn.Parameter]:
        """Return the logits, which want a larger learning rate than weights and no decay."""
        self._check_prepared()
        return [selection.logits for selection in self.selections.values()]

    def step(self, epoch: int) -> None:
        """Begin an epoch, counted from 0: set the temperature, freeze when due, note the state.

        Raises
        ------
        TypeError, ValueError
            If `epoch` is no int of the config's epochs.
        RuntimeError
            If `prepare` has not been called.
        """
        self._check_prepared()
        check_int("epoch", epoch, 0, self.config.epochs - 1)
        self._set_temperature(epoch)
        if epoch >= self.config.drawing_epochs:
            for selection in self.selections.values():
                selection.freeze()
        self._note(epoch)

    def penalty(self) -> torch.Tensor:
        """Return the entropy penalty: its weight times the layers' mean `excess_entropy`.

        Raises
        ------
        RuntimeError
            If `prepare` has not been called.
        """
        self._check_prepared()
        drawing = [choice.penalty() for choice in self.selections.values() if not choice.frozen]
        if not drawing or not self.config.entropy:
            return torch.zeros((), device=next(self._model.parameters()).device)
        return self.config.entropy * torch.stack(drawing).mean()

    def report(self) -> PruneReport:
        """Return what the masks without noise leave of each layer.

        Raises
        ------
        RuntimeError
            If `prepare` has not been called.
        """
        self._check_prepared()
        masks = {}
        for name, layer in self._layers.items():
            kept = torch.ones_like(layer.layer.weight, dtype=torch.bool)
            if layer.selection is not None:
                kept = kept & layer.selection.sure_units()
            masks[name] = layer_mask_of(kept, layer.selection, self._rules[name])
        return report_of(masks)

    def finalize(self) -> DppModel:
        """Put the plain layers back, with masked and quantised weights.

        Raises
        ------
        RuntimeError
            If `prepare` has not been called.
        """
        self._check_prepared()
        self._note(self.config.epochs)
        masks, plain = {}, {}
        for name, layer in self._layers.items():
            module, kept = layer.finish()
            masks[name] = layer_mask_of(kept, layer.selection, self._rules[name])
            plain[layer] = module
        _replace(self._model, plain)
        model, self._model, self._layers = self._model, None, {}
        return DppModel(
            model=model,
            layers=masks,
            config=self.config,
            report=report_of(masks),
            history=self.history,
        )

    def _check_prepared(self) -> None:
        if not self._layers:
            raise RuntimeError("prepare must be called before DPP is used")

    def _set_temperature(self, epoch: int) -> None:
        config = self.config
        self._temperature = temperature_at(
            epoch,
            epochs=config.drawing_epochs,
            start=config.start_temperature,
            end=config.end_temperature,
            curve=config.curve,
        )
        for selection in self.selections.values():
            selection.temperature = self._temperature

    def _note(self, epoch: int) -> None:
        layers = {}
        for name, selection in self.selections.items():
            generator = torch.Generator(selection.logits.device).manual_seed(self.config.seed)
            layers[name] = selection.metrics(generator=generator)
        self._history.append(DppEpoch(epoch=epoch, temperature=self._temperature, layers=layers))


def _replace(model: nn.Module, others: dict[nn.Module, nn.Module]) -> None:
    """Put others in the place of modules, wherever in `model` they stand."""
    for parent in list(model.modules()):
        if parent in others.values():
            continue
        for name, child in list(parent.named_children()):
            if child in others:
                setattr(parent, name, others[child])
