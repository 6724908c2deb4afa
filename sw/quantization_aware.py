"""Quantisation-aware training: a network learns under the rounding that its integers will have."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.utils.rnn import PackedSequence

from darb.golden.fixed_point import weight_limit
from darb.sw.fake_quantization import fake_activations, fake_weights
from darb.sw.pruning.calibration import calibration_batch, observed_run
from darb.sw.pruning.layer_modules import (
    PrunableWeight,
    RecurrentModule,
    layer_arguments,
    prunable_weights,
)
from darb.sw.quantization_scales import best_clip, row_clips
from darb.sw.straight_through import straight_through
from darb.sw.validation import check_int


class QuantizationAware:
    """Rounds weights and activations in every forward pass as quantisation will.

    Layers are the network's Linear and Conv2d modules and the weight matrices of its LSTM and GRU
    modules. Weights are symmetric with one scale a row, those of the layer that runs last with one
    scale in all; what enters a module is symmetric with one scale a tensor. Clips are those of
    least squared error, as `darb.sw.quantization.quantize` chooses them, so that the network
    computes what its integers will, up to the rounding of requantisation; so biases of Linear and
    Conv2d modules are rounded to the steps of the accumulators. Of an LSTM or GRU the hidden states
    between steps and between layers are not rounded, and neither are the biases.

    The weights themselves stay real numbers, on which optimizer and `Pruner` work as ever: a
    pruned weight is zero and is rounded to zero. The network's state has the same names as before.

    Call `prepare` once, `step` after every optimizer step (and the pruner's), and `finalize` at
    the end.

    Parameters
    ----------
    model : torch.nn.Module
    calibration : torch.Tensor or ndarray, shape (B, ...)
        Inputs like those to come, as the model takes them; some hundreds suffice.
    weight_bits, activation_bits : int
        2..8.
    refresh_every : int
        Optimizer steps from one choice of clips to the next; about an epoch does well. In between
        a row's clip follows its largest weight, and activations keep their scales.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If a width is out of its range, or the model has no layer of these kinds.
    """

    def __init__(
        self,
        model: nn.Module,
        calibration: torch.Tensor | NDArray,
        *,
        weight_bits: int = 8,
        activation_bits: int = 8,
        refresh_every: int = 100,
    ) -> None:
        check_int("weight_bits", weight_bits, 2, 8)
        check_int("activation_bits", activation_bits, 2, 8)
        check_int("refresh_every", refresh_every, 1)
        self.model = model
        self.weight_bits = weight_bits
        self.activation_bits = activation_bits
        self.refresh_every = refresh_every
        self._calibration = calibration
        self._layers = prunable_weights(model)
        self._modules: dict[str, list[PrunableWeight]] = {}
        for layer in self._layers.values():
            self._modules.setdefault(_module_name(layer), []).append(layer)
        self._hooks: list[torch.utils.hooks.RemovableHandle] = []
        self._count = 0
        # A clip is kept as its share of the row's largest weight, which moves with every step.
        self._shares: dict[str, torch.Tensor] = {}
        self._scales: dict[str, float] = {}
        self._last = ""

    @property
    def activation_scales(self) -> dict[str, float]:
        """Real value of one step of what enters each module, by the module's name."""
        return dict(self._scales)

    def prepare(self) -> QuantizationAware:
        """Choose the clips; from now on every forward pass is rounded.

        Raises
        ------
        TypeError
            If calibration is no real array.
        ValueError
            If calibration is empty, not finite or nothing that the model takes, a layer never
            runs, or a weight is not finite.
        """
        for name, layer in self._layers.items():
            if not torch.isfinite(layer.weight).all():
                raise ValueError(f"layer {name}: weights must be finite, not NaN or infinity")
        self._remove_hooks()
        self._count = 0
        self._last = self._run_order()[-1]
        for name, layers in self._modules.items():
            module = layers[0].module
            self._hooks += [
                module.register_forward_pre_hook(partial(self._enter, name=name), with_kwargs=True),
                module.register_forward_hook(partial(self._leave, name=name), always_call=True),
            ]
        self._refresh()
        return self

    def step(self) -> None:
        """Tell of an optimizer step; now and then the clips are chosen anew.

        Raises
        ------
        RuntimeError
            If `prepare` has not been called, or `finalize` has.
        """
        self._check_prepared()
        self._count += 1
        if self._count % self.refresh_every == 0:
            self._refresh()

    @torch.no_grad()
    def finalize(self) -> nn.Module:
        """Round the weights for good, with clips chosen anew, and leave activations alone again.

        Quantisation to as many bits then finds the same codes, for every row has a weight of the
        largest code.

        Returns
        -------
        torch.nn.Module
            The model, as it was but for its weights.

        Raises
        ------
        RuntimeError
            If `prepare` has not been called, or `finalize` has.
        """
        self._check_prepared()
        self._choose_shares()
        for layer in self._layers.values():
            rounded = fake_weights(layer.weight, self._clips(layer), bits=self.weight_bits)
            layer.weight.copy_(rounded)
        self._remove_hooks()
        return self.model

    def _check_prepared(self) -> None:
        if not self._hooks:
            raise RuntimeError("prepare must be called before quantisation-aware training is used")

    def _remove_hooks(self) -> None:
        for hook in self._hooks:
            hook.remove()
        self._hooks = []

    def _refresh(self) -> None:
        self._choose_shares()
        # As `quantize` measures them: behind rounded weights, the activations themselves not.
        self._scales = {}
        met = self._run(record=True)
        limit = weight_limit(self.activation_bits)
        self._scales = {
            name: best_clip(np.concatenate(values), limit) / limit for name, values in met.items()
        }

    @torch.no_grad()
    def _choose_shares(self) -> None:
        limit = weight_limit(self.weight_bits)
        for name, layer in self._layers.items():
            weights = layer.weight.flatten(1).double().cpu().numpy()
            largest = np.abs(weights).max(axis=1, keepdims=True)
            if name == self._last:
                largest = largest.max(keepdims=True)
                clips = np.full((1, 1), best_clip(weights, limit))
            else:
                clips = row_clips(weights, limit)[:, None]
            shares = np.where(largest > 0, clips / np.where(largest > 0, largest, 1.0), 1.0)
            shape = (-1, *(1,) * (layer.weight.ndim - 1))
            self._shares[name] = torch.as_tensor(shares).to(layer.weight).reshape(shape)

    @torch.no_grad()
    def _clips(self, layer: PrunableWeight) -> torch.Tensor:
        sizes = layer.weight.abs()
        over = tuple(range(0 if layer.name == self._last else 1, sizes.ndim))
        return sizes.amax(dim=over, keepdim=True) * self._shares[layer.name]

    def _enter(
        self, module: nn.Module, inputs: tuple, named: dict, *, name: str
    ) -> tuple[tuple, dict]:
        scale = self._scales.get(name)
        for layer in self._modules[name]:
            clips = self._clips(layer)
            # An attribute of the object hides the parameter, which keeps its name and its place.
            module.__dict__[layer.parameter] = fake_weights(
                layer.weight, clips, bits=self.weight_bits
            )
            if scale is not None and layer.bias is not None:
                step = clips.flatten() * (scale / weight_limit(self.weight_bits))
                module.__dict__["bias"] = _whole_steps(layer.bias, step)
        if scale is None:
            return inputs, named
        values, _ = layer_arguments(*inputs, **named)
        fake = partial(fake_activations, scale=scale, bits=self.activation_bits)
        if isinstance(values, PackedSequence):
            rounded = values._replace(data=fake(values.data))
        else:
            rounded = fake(values)
        return ((rounded, *inputs[1:]), named) if inputs else ((), {**named, "input": rounded})

    def _leave(self, module: nn.Module, inputs: tuple, output: object, *, name: str) -> None:
        for layer in self._modules[name]:
            module.__dict__.pop(layer.parameter, None)
            if layer.bias is not None:
                module.__dict__.pop("bias", None)
        if isinstance(module, RecurrentModule):
            # It keeps a list of what it last computed with, and that is the rounded weights.
            module._update_flat_weights()

    def _run_order(self) -> list[str]:
        order = list(self._run(record=False))
        for name in self._modules:
            if name not in order:
                raise ValueError(f"layer {name} must run at least once a batch, not 0 times")
        return order

    @torch.no_grad()
    def _run(self, *, record: bool) -> dict[str, list[NDArray[np.float32]]]:
        """Run calibration, and return what entered each module; the one that ran last is last."""
        weight = next(iter(self._layers.values())).weight
        batch = calibration_batch(self._calibration, like=weight)
        met: dict[str, list[NDArray[np.float32]]] = {}

        def note(module: nn.Module, inputs: tuple, named: dict, *, name: str) -> None:
            arrays = met.pop(name, [])
            if record:
                values, _ = layer_arguments(*inputs, **named)
                data = values.data if isinstance(values, PackedSequence) else values
                arrays.append(data.flatten().float().cpu().numpy().copy())
            met[name] = arrays

        hooks = [
            layers[0].module.register_forward_pre_hook(partial(note, name=name), with_kwargs=True)
            for name, layers in self._modules.items()
        ]
        observed_run(self.model, batch, hooks, refusals=(RuntimeError, ValueError))
        return met


def _whole_steps(bias: torch.Tensor, step: torch.Tensor) -> torch.Tensor:
    """Return biases rounded to steps of their rows' accumulators, where these have weights."""
    with torch.no_grad():
        rounded = torch.where(step > 0, torch.round(bias / step) * step, bias)
    return straight_through(rounded, bias)


def _module_name(layer: PrunableWeight) -> str:
    """Return the name of the module that a weight belongs to."""
    if isinstance(layer.module, RecurrentModule):
        return layer.name.removesuffix(layer.parameter).removesuffix(".")
    return layer.name
