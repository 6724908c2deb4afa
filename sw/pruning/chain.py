"""A PyTorch module seen as a chain of Linear layers."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

_PROBES = 64


def _linear_modules(model: nn.Module) -> dict[str, nn.Linear]:
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Module, not {model!r}")
    layers = {
        name: module for name, module in model.named_modules() if isinstance(module, nn.Linear)
    }
    if not layers:
        raise ValueError(f"model must have at least one Linear layer, not {type(model).__name__!r}")
    return layers


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Hold every module of `model` in evaluation mode, then put each back as it was."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def linear_layers(model: nn.Module) -> dict[str, nn.Linear]:
    """Return the Linear modules of a chain, by name.

    Raises
    ------
    TypeError
        If `model` is no module.
    ValueError
        If it has no Linear module, or they do not chain.
    """
    layers = _linear_modules(model)
    chain = list(layers.items())
    for (before, first), (after, second) in itertools.pairwise(chain):
        if first.out_features != second.in_features:
            raise ValueError(
                f"layer {after} must take the {first.out_features} outputs of layer {before}, "
                f"not {second.in_features!r}"
            )
    return layers


@torch.no_grad()
def input_rms(model: nn.Module, calibration: torch.Tensor) -> dict[str, NDArray[np.float32]]:
    """Return the root mean square of each Linear layer's input columns.

    Parameters
    ----------
    model : torch.nn.Module
    calibration : torch.Tensor or ndarray
        One batch of inputs, as the model takes them.
    """
    batch = torch.as_tensor(calibration)
    found: dict[str, NDArray[np.float32]] = {}
    hooks = []
    for name, layer in linear_layers(model).items():

        def note(module: nn.Module, inputs: tuple, *, name: str = name) -> None:
            columns = inputs[0].detach().reshape(-1, inputs[0].shape[-1])
            found[name] = columns.double().square().mean(dim=0).sqrt().float().cpu().numpy()

        hooks.append(layer.register_forward_pre_hook(note))
    try:
        with evaluating(model):
            model(batch)
    finally:
        for hook in hooks:
            hook.remove()
    return found


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


@torch.no_grad()
def trace_chain(model: nn.Module, calibration: torch.Tensor | NDArray) -> tuple[ChainLayer, ...]:
    """Run `model` on a batch and return its Linear layers in order of execution.

    Between two Linear layers only what the engine can do is allowed: nothing, or a ReLU (and
    anything that changes no value, as Flatten, Identity, or Dropout in evaluation). That is
    judged by the values themselves, so it makes no difference how the model spells it.

    Raises
    ------
    TypeError
        If `model` is no module or `calibration` no real array.
    ValueError
        If calibration is empty or not finite, a layer runs twice or never, or something else
        stands before, between or after the layers; the layer is named.
    """
    layers = _linear_modules(model)
    if not isinstance(calibration, torch.Tensor | np.ndarray):
        raise TypeError(f"calibration must be a tensor or an array, not {calibration!r}")
    batch = torch.as_tensor(calibration)
    if batch.ndim < 2 or not len(batch):
        raise ValueError(f"calibration must be a batch of inputs, not shape {tuple(batch.shape)!r}")
    weight = next(iter(layers.values())).weight
    batch = batch.to(weight)
    if not torch.isfinite(batch).all():
        raise ValueError("calibration must be finite, not with NaN or infinity")
    for name, layer in layers.items():
        if not all(torch.isfinite(parameter).all() for parameter in layer.parameters()):
            raise ValueError(f"layer {name}: weights and bias must be finite, not NaN or infinity")
    calls: list[tuple[str, torch.Tensor, torch.Tensor]] = []
    # A ReLU in place would overwrite the output, hence the clone.
    hooks = [
        layer.register_forward_hook(
            lambda module, inputs, output, name=name: calls.append(
                (name, inputs[0].clone(), output.clone())
            )
        )
        for name, layer in layers.items()
    ]
    # Mirrored inputs tell a ReLU from nothing where calibration makes every output positive.
    probed = torch.cat([batch, -batch[:_PROBES]])
    try:
        with evaluating(model):
            result = model(probed)
    finally:
        for hook in hooks:
            hook.remove()
    called = [name for name, _, _ in calls]
    for name in layers:
        if called.count(name) != 1:
            raise ValueError(
                f"layer {name} must run once a batch, not {called.count(name)!r} times"
            )
    chain = []
    if not _same(calls[0][1], probed):
        raise ValueError(f"layer {called[0]} must take the input as it is, not a function of it")
    for index, (name, inputs, outputs) in enumerate(calls):
        last = index + 1 == len(calls)
        after = result if last else calls[index + 1][1]
        if _same(after, outputs):
            relu = False
        elif _same(after, outputs.relu()):
            relu = True
        else:
            place = "the output" if last else f"layer {called[index + 1]}"
            raise ValueError(
                f"between layer {name} and {place} only a ReLU or nothing may stand, "
                "not another operator"
            )
        chain.append(
            ChainLayer(
                name, layers[name], relu, _rows(inputs[: len(batch)]), _rows(outputs[: len(batch)])
            )
        )
    return tuple(chain)


def _rows(values: torch.Tensor) -> NDArray[np.float32]:
    return values.detach().reshape(len(values), -1).float().cpu().numpy()


def _same(first: torch.Tensor, second: torch.Tensor) -> bool:
    return first.numel() == second.numel() and torch.equal(first.flatten(), second.flatten())
