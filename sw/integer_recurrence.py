"""Recurrent networks quantised after training: matrix products in integers, the rest as it is."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from darb.golden.fixed_point import weight_limit
from darb.sw.integer_chain import refuse_other_weights, replaced_forward
from darb.sw.pruning.calibration import calibration_batch, evaluating, observed_run
from darb.sw.pruning.layer_modules import (
    PrunableModule,
    RecurrentModule,
    layer_arguments,
    prunable_weights,
)
from darb.sw.pruning.recurrent_inputs import recurrent_inputs
from darb.sw.quantization_scales import best_clip
from darb.sw.quantized_layer import QuantizedLayer, encode
from darb.sw.quantized_recurrence import QuantizedRecurrence


class IntegerRecurrentNetwork:
    """A network with LSTM or GRU layers, quantised after training: its matrix products in integers.

    Every weight matrix, those of Linear and Conv2d layers too, multiplies codes by codes with
    exact sums, weights with one scale a row, activations with one a tensor, clips of least squared
    error. The sums are then real numbers again, and whatever stands between matrices is computed
    as the model says. A Linear that runs last has one scale for all its rows, so that arg-max is
    that of its accumulators. This is what an engine for the products and a host for the
    nonlinearities would compute; no requantisation stands between layers.

    Parameters
    ----------
    model : torch.nn.Module
    calibration : torch.Tensor or ndarray, shape (B, ...)
    weight_bits, activation_bits : int
        2..8.

    Raises
    ------
    TypeError
        If `model` is no module or `calibration` no real array.
    ValueError
        If calibration is empty, not finite or nothing that the model takes, a layer never runs, a
        module of another kind has parameters, or a weight is not finite.
    """

    def __init__(
        self,
        model: nn.Module,
        calibration: torch.Tensor | NDArray,
        *,
        weight_bits: int = 8,
        activation_bits: int = 8,
    ) -> None:
        kinds = PrunableModule | RecurrentModule
        weights = prunable_weights(model)
        refuse_other_weights(model, kinds, named="Linear, Conv2d, LSTM and GRU")
        self.model = model
        clips, last = _clips(model, calibration, limit=weight_limit(activation_bits))
        for name in weights:
            if name not in clips:
                raise ValueError(f"layer {name} must run at least once a batch, not 0 times")
        widths = {"weight_bits": weight_bits, "activation_bits": activation_bits}
        self.recurrences: dict[str, QuantizedRecurrence] = {}
        self.layers: dict[str, QuantizedLayer] = {}
        for name, module in model.named_modules():
            if isinstance(module, RecurrentModule):
                scales = {
                    layer.parameter: clips[whole]
                    for whole, layer in weights.items()
                    if layer.module is module
                }
                self.recurrences[name] = QuantizedRecurrence(name, module, scales=scales, **widths)
            elif isinstance(module, PrunableModule):
                self.layers[name] = QuantizedLayer(
                    name, module, input_scale=clips[name], shared=name == last, **widths
                )
        self._bits = activation_bits

    @torch.no_grad()
    def outputs(self, x: torch.Tensor) -> NDArray[np.floating]:
        """Return the model's outputs for real inputs.

        Parameters
        ----------
        x : torch.Tensor, shape (B, ...)

        Returns
        -------
        ndarray of float, shape (B, M)
        """
        forwards = {recurrence.module: recurrence for recurrence in self.recurrences.values()}
        forwards |= {layer.module: partial(self._real, layer) for layer in self.layers.values()}
        with evaluating(self.model), replaced_forward(forwards):
            return self.model(x).numpy()

    def _real(self, layer: QuantizedLayer, input: torch.Tensor) -> torch.Tensor:
        codes = encode(input, scale=layer.input_scale, bits=self._bits)
        return layer.laid_out(layer.accumulators(codes) * layer.rows.steps).to(input.dtype)


@torch.no_grad()
def _clips(
    model: nn.Module, calibration: torch.Tensor | NDArray, *, limit: int
) -> tuple[dict[str, float], str]:
    """Return the scale of what each weight multiplies, and which layer ran last."""
    batch = calibration_batch(calibration, like=next(model.parameters()))
    met: dict[str, list[torch.Tensor]] = {}
    last = ""

    def note(module: nn.Module, inputs: tuple, named: dict, output: object, *, name: str) -> None:
        nonlocal last
        last = name
        values, states = layer_arguments(*inputs, **named)
        if isinstance(module, RecurrentModule):
            for parameter, vectors in recurrent_inputs(module, values, states):
                whole = f"{name}.{parameter}" if name else parameter
                met.setdefault(whole, []).append(vectors.flatten())
        else:
            met.setdefault(name, []).append(values.flatten())

    hooks = [
        module.register_forward_hook(partial(note, name=name), with_kwargs=True)
        for name, module in model.named_modules()
        if isinstance(module, PrunableModule | RecurrentModule)
    ]
    observed_run(model, batch, hooks, refusals=(RuntimeError, ValueError))
    scales = {
        name: best_clip(torch.cat(values).float().cpu().numpy(), limit) / limit
        for name, values in met.items()
    }
    return scales, last
