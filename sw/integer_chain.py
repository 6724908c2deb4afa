"""Networks of Conv2d and Linear layers computed in integers from the first layer to the last."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from darb.golden.fixed_point import requantize, weight_limit
from darb.sw.pruning.calibration import calibration_batch, evaluating, observed_run
from darb.sw.pruning.layer_modules import PrunableModule, layer_arguments, prunable_modules
from darb.sw.quantization_scales import best_clip
from darb.sw.quantized_layer import QuantizedLayer, encode

_PROBES = 4
# A power of two: scaling by it rounds nothing.
_FACTOR = 2.0**-10


def refuse_other_weights(model: nn.Module, kinds: type | tuple[type, ...], *, named: str) -> None:
    """Refuse modules with parameters that are of none of these kinds.

    Raises
    ------
    ValueError
        If there is one, batch normalisation among them; names it.
    """
    for name, module in model.named_modules():
        if isinstance(module, kinds):
            continue
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            raise ValueError(
                f"layer {name}: batch normalisation must be folded into the layer before it, "
                f"not left as {type(module).__name__!r}"
            )
        if any(True for _ in module.parameters(recurse=False)):
            raise ValueError(
                f"layer {name}: only {named} may have parameters, not {type(module).__name__!r}"
            )


@contextmanager
def replaced_forward(forwards: dict[nn.Module, Callable]) -> Iterator[None]:
    """Let modules compute something else for a while."""
    before = {module: module.__dict__.get("forward") for module in forwards}
    try:
        for module, forward in forwards.items():
            module.__dict__["forward"] = forward
        yield
    finally:
        for module, forward in before.items():
            if forward is None:
                module.__dict__.pop("forward", None)
            else:
                module.__dict__["forward"] = forward


@dataclass(frozen=True, eq=False)
class TracedLayer:
    """One layer of a chain and what it was given.

    Parameters
    ----------
    name : str
    module : torch.nn.Linear or torch.nn.Conv2d
    inputs : torch.Tensor
    """

    name: str
    module: PrunableModule
    inputs: torch.Tensor


@torch.no_grad()
def trace_layers(model: nn.Module, calibration: torch.Tensor | NDArray) -> tuple[TracedLayer, ...]:
    """Run `model` on a batch and return its Conv2d and Linear layers in order of execution.

    Between two layers only what commutes with a scale above zero is allowed, so that it does the
    same to codes as to real values: ReLU, max pooling, and whatever moves values or leaves them
    out. That is judged by what becomes of random numbers in place of each layer's outputs: the
    next layer must be given some of them and zeros, and the same ones at another scale.

    Parameters
    ----------
    model : torch.nn.Module
    calibration : torch.Tensor or ndarray, shape (B, ...)

    Raises
    ------
    TypeError
        If `model` is no module or `calibration` no real array.
    ValueError
        If calibration is empty, not finite or nothing that the model takes, a module of another
        kind has parameters, a layer runs twice or never, or something else stands between layers.
    """
    layers = prunable_modules(model)
    refuse_other_weights(model, PrunableModule, named="Linear and Conv2d")
    batch = calibration_batch(calibration, like=next(iter(layers.values())).weight)
    traced: list[TracedLayer] = []

    def note(module: nn.Module, inputs: tuple, named: dict, *, name: str) -> None:
        given, _ = layer_arguments(*inputs, **named)
        traced.append(TracedLayer(name, layers[name], given.clone()))

    hooks = [
        layer.register_forward_pre_hook(partial(note, name=name), with_kwargs=True)
        for name, layer in layers.items()
    ]
    result = observed_run(model, batch, hooks)
    if not isinstance(result, torch.Tensor) or result.ndim != 2:
        shape = tuple(result.shape) if isinstance(result, torch.Tensor) else type(result).__name__
        raise ValueError(f"model must return one vector of outputs for each input, not {shape!r}")
    called = [layer.name for layer in traced]
    for name in layers:
        if called.count(name) != 1:
            raise ValueError(
                f"layer {name} must run once a batch, not {called.count(name)!r} times"
            )
    _check_between(model, traced, batch[torch.arange(_PROBES) % len(batch)])
    return tuple(traced)


def _check_between(model: nn.Module, traced: list[TracedLayer], batch: torch.Tensor) -> None:
    places = ["the input", *(f"layer {layer.name}" for layer in traced), "the output"]
    given, met = _probed(model, traced, batch, factor=1.0)
    _, scaled = _probed(model, traced, batch, factor=_FACTOR)
    for index, (before, after) in enumerate(itertools.pairwise(places)):
        known = torch.isin(met[index], given[index]) | (met[index] == 0)
        if not (known.all() and torch.equal(met[index] * _FACTOR, scaled[index])):
            raise ValueError(
                f"between {before} and {after} only ReLU, max pooling and what moves values may "
                "stand, not another operator"
            )


def _probed(
    model: nn.Module, traced: list[TracedLayer], batch: torch.Tensor, *, factor: float
) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Return the random numbers that each place handed on, and what the next place met."""
    given: list[torch.Tensor] = []
    met: list[torch.Tensor] = []

    def numbers(like: torch.Tensor) -> torch.Tensor:
        # Other numbers at every place, so that a way around a layer shows.
        generator = torch.Generator().manual_seed(len(given))
        sizes = 10 ** (6 * torch.rand(like.shape, generator=generator) - 3)
        signs = 2 * torch.randint(0, 2, like.shape, generator=generator) - 1
        given.append((sizes * signs).to(like) * factor)
        return given[-1].clone()

    def forward(input: torch.Tensor, *, module: nn.Module) -> torch.Tensor:
        met.append(input.clone())
        return numbers(type(module).forward(module, input))

    forwards = {layer.module: partial(forward, module=layer.module) for layer in traced}
    with evaluating(model), replaced_forward(forwards):
        met.append(model(numbers(batch)))
    return given, met


class IntegerChain:
    """A chain of Conv2d and Linear layers, quantised after training, computed in integers alone.

    As `darb.sw.quantization.quantize` does for Linear layers: weights symmetric with one scale a
    row, activations with one scale a tensor, clips of least squared error, sums exact, each row
    requantised by its 16-bit multiplier and shift. The last layer has one scale for all its rows
    and gives raw accumulators. What stands between layers, ReLU and max pooling, is the model's
    own, on codes.

    Parameters
    ----------
    model : torch.nn.Module
        See `trace_layers`.
    calibration : torch.Tensor or ndarray, shape (B, ...)
    weight_bits, activation_bits : int
        2..8.

    Raises
    ------
    TypeError, ValueError
        As `trace_layers` and `QuantizedLayer`; or a row's numbers are too large beside those of
        its layer.
    """

    def __init__(
        self,
        model: nn.Module,
        calibration: torch.Tensor | NDArray,
        *,
        weight_bits: int = 8,
        activation_bits: int = 8,
    ) -> None:
        self.model = model
        self._bits = activation_bits
        traced = trace_layers(model, calibration)
        limit = weight_limit(activation_bits)
        scales = [best_clip(layer.inputs.float().cpu().numpy(), limit) / limit for layer in traced]
        self.layers = tuple(
            QuantizedLayer(
                layer.name,
                layer.module,
                input_scale=scale,
                weight_bits=weight_bits,
                activation_bits=activation_bits,
                shared=layer is traced[-1],
            )
            for layer, scale in zip(traced, scales, strict=True)
        )
        self._requantisation = [
            layer.rows.requantisation(scale, layer=layer.name)
            for layer, scale in zip(self.layers, scales[1:], strict=False)
        ]

    @torch.no_grad()
    def accumulators(self, x: torch.Tensor) -> NDArray[np.int64]:
        """Return the last layer's sums for real inputs.

        Parameters
        ----------
        x : torch.Tensor, shape (B, ...)

        Returns
        -------
        ndarray of int64, shape (B, M)
        """
        codes = encode(x, scale=self.layers[0].input_scale, bits=self._bits)
        forwards = {
            layer.module: partial(self._requantised, index=index)
            for index, layer in enumerate(self.layers)
        }
        with evaluating(self.model), replaced_forward(forwards):
            return self.model(codes).numpy().astype(np.int64)

    def _requantised(self, input: torch.Tensor, *, index: int) -> torch.Tensor:
        layer = self.layers[index]
        sums = layer.accumulators(input)
        if index + 1 == len(self.layers):
            # Beyond 24 bits float32 would round them.
            return layer.laid_out(sums).double()
        multiplier, shift = self._requantisation[index]
        # A ReLU may follow; after saturation it does what it does before.
        return layer.laid_out(
            requantize(sums, multiplier, shift, bits=self._bits, relu=False)
        ).float()
