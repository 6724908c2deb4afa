"""A PyTorch module seen as a chain of Linear layers."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from darb.sw.pruning.calibration import calibration_batch, observed_run
from darb.sw.pruning.layer_modules import layer_arguments

_PROBES = 64


def linear_modules(model: nn.Module) -> dict[str, nn.Linear]:
    """Return the Linear modules of `model`, by name, in the order in which it declares them.

    Raises
    ------
    TypeError
        If `model` is no module.
    ValueError
        If it has no Linear module.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Module, not {model!r}")
    layers = {
        name: module for name, module in model.named_modules() if isinstance(module, nn.Linear)
    }
    if not layers:
        raise ValueError(f"model must have at least one Linear layer, not {type(model).__name__!r}")
    return layers


def declared_chain(model: nn.Module) -> dict[str, nn.Linear]:
    """Return the Linear modules of a chain that declares them in the order in which they run.

    Raises
    ------
    TypeError
        If `model` is no module.
    ValueError
        If it has no Linear module, or they do not chain in the order of their declaration.
    """
    layers = linear_modules(model)
    for (before, first), (after, second) in itertools.pairwise(layers.items()):
        if first.out_features != second.in_features:
            raise ValueError(
                f"layer {after} must take the {first.out_features} outputs of layer {before}, "
                f"not {second.in_features!r}"
            )
    return layers


@dataclass(frozen=True, eq=False)
class ChainLayer:
    """One Linear layer of a chain, as seen while it ran.

    Parameters
    ----------
    name : str
    linear : torch.nn.Linear
    relu : bool
        Whether a ReLU follows.
    inputs, outputs : ndarray of float32, shape (B, N) and (B, M)
        What went in, and what came out before the ReLU.
    """

    name: str
    linear: nn.Linear
    relu: bool
    inputs: NDArray[np.float32]
    outputs: NDArray[np.float32]

    def input_rms(self) -> NDArray[np.float32]:
        """Return the root mean square of each input column, shape (N,)."""
        columns = torch.as_tensor(self.inputs).double()
        return columns.square().mean(dim=0).sqrt().float().numpy()


@torch.no_grad()
def trace_chain(model: nn.Module, calibration: torch.Tensor | NDArray) -> tuple[ChainLayer, ...]:
    """Run `model` on a batch and return its Linear layers in order of execution.

    Between two Linear layers only what the engine can do is allowed: nothing, or a ReLU (and
    anything that changes no value, as Flatten, Identity, or Dropout in evaluation). That is
    judged by what becomes of numbers of every size and sign in place of each layer's outputs, so
    it makes no difference how the model spells it, nor which values calibration happens to give.

    Raises
    ------
    TypeError
        If `model` is no module or `calibration` no real array.
    ValueError
        If calibration is empty, not finite or nothing that the model takes, a layer runs twice or
        never, or something else stands before, between or after the layers; the layer is named.
    """
    layers = linear_modules(model)
    batch = calibration_batch(calibration, like=next(iter(layers.values())).weight)
    for name, layer in layers.items():
        if not all(torch.isfinite(parameter).all() for parameter in layer.parameters()):
            raise ValueError(f"layer {name}: weights and bias must be finite, not NaN or infinity")
    calls, result = _run(model, layers, batch)
    # Fewer than all vectors do, but more than one: each output column then meets many numbers.
    wide = batch[torch.arange(_PROBES) % len(batch)]
    probed, probed_result = _run(model, layers, _probe(wide), replace=True)
    called = [call.name for call in calls]
    for seen in (called, [call.name for call in probed]):
        for name in layers:
            if seen.count(name) != 1:
                raise ValueError(
                    f"layer {name} must run once a batch, not {seen.count(name)!r} times"
                )
    chain = []
    if not (_same(calls[0].inputs, batch) and _same(probed[0].inputs, _probe(wide))):
        raise ValueError(f"layer {called[0]} must take the input as it is, not a function of it")
    for index, call in enumerate(calls):
        last = index + 1 == len(calls)
        after = result if last else calls[index + 1].inputs
        probed_after = probed_result if last else probed[index + 1].inputs
        numbers = probed[index].outputs
        relu = _same(probed_after, numbers.relu())
        as_probed = relu or _same(probed_after, numbers)
        if not (as_probed and _same(after, call.outputs.relu() if relu else call.outputs)):
            place = "the output" if last else f"layer {called[index + 1]}"
            raise ValueError(
                f"between layer {call.name} and {place} only a ReLU or nothing may stand, "
                "not another operator"
            )
        layer = layers[call.name]
        chain.append(ChainLayer(call.name, layer, relu, _rows(call.inputs), _rows(call.outputs)))
    return tuple(chain)


@dataclass(frozen=True, eq=False)
class _Call:
    """What one Linear layer was given and gave, or was made to give."""

    name: str
    inputs: torch.Tensor
    outputs: torch.Tensor


def _run(
    model: nn.Module, layers: dict[str, nn.Linear], batch: torch.Tensor, *, replace: bool = False
) -> tuple[list[_Call], torch.Tensor]:
    """Run `model`, each layer giving a probe in place of its outputs where `replace`."""
    calls: list[_Call] = []

    def check(module: nn.Linear, inputs: tuple, named: dict, *, name: str) -> None:
        given, _ = layer_arguments(*inputs, **named)
        width = given.shape[-1] if given.ndim else 1
        if width != module.in_features or given.numel() != len(batch) * width:
            raise ValueError(
                f"layer {name} must take vectors of {module.in_features} values, "
                f"not shape {tuple(given.shape)!r}"
            )

    def note(
        module: nn.Linear, inputs: tuple, named: dict, output: torch.Tensor, *, name: str
    ) -> torch.Tensor:
        given, _ = layer_arguments(*inputs, **named)
        output = _probe(output) if replace else output
        # A ReLU in place would overwrite the output, hence the clone.
        calls.append(_Call(name, given.clone(), output.clone()))
        return output

    hooks = []
    for name, layer in layers.items():
        hooks.append(layer.register_forward_pre_hook(partial(check, name=name), with_kwargs=True))
        hooks.append(layer.register_forward_hook(partial(note, name=name), with_kwargs=True))
    result = observed_run(model, batch, hooks)
    if not isinstance(result, torch.Tensor):
        raise ValueError(f"model must return one tensor, not {type(result).__name__!r}")
    return calls, result


def _probe(like: torch.Tensor) -> torch.Tensor:
    """Return numbers of both signs and all sizes from tiny to huge, the same at every call."""
    generator = torch.Generator().manual_seed(0)
    span = math.log10(torch.finfo(like.dtype).max) / 2
    sizes = 10 ** ((2 * torch.rand(like.shape, generator=generator) - 1) * span)
    signs = 2 * torch.randint(0, 2, like.shape, generator=generator) - 1
    return (sizes * signs).to(like)


def _rows(values: torch.Tensor) -> NDArray[np.float32]:
    return values.detach().reshape(len(values), -1).float().cpu().numpy()


def _same(first: torch.Tensor, second: torch.Tensor) -> bool:
    return first.numel() == second.numel() and torch.equal(first.flatten(), second.flatten())
