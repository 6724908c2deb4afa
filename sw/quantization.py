"""Post-training quantisation: from a float chain of Linear layers to an integer network."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import nn

from darb.golden.fixed_point import weight_limit
from darb.golden.network import IntegerLayer, IntegerNetwork
from darb.golden.pattern import Pattern
from darb.sw.input_scaling import scale_inputs
from darb.sw.pruning.chain import ChainLayer, trace_chain
from darb.sw.pruning.masking import Mask
from darb.sw.pruning.pruner import PrunedModel
from darb.sw.quantization_scales import best_clip, quantize_rows
from darb.sw.validation import check_int


def _quantize_layer(
    layer: ChainLayer,
    *,
    input_scale: float,
    output_scale: float,
    weight_bits: int,
    shared: bool,
    patterns: tuple[Pattern, ...],
    columns: NDArray[np.int32],
    align: int,
) -> tuple[IntegerLayer, NDArray[np.float64]]:
    """Return the integer layer and the real value of each row's accumulator step."""
    weights = layer.linear.weight.detach().double().cpu().numpy()
    if layer.linear.bias is None:
        bias = np.zeros(len(weights))
    else:
        bias = layer.linear.bias.detach().double().cpu().numpy()
    rows = quantize_rows(
        weights, bias, input_scale=input_scale, weight_bits=weight_bits, shared=shared
    )
    multiplier, shift = rows.requantisation(output_scale, layer=layer.name)
    integer = IntegerLayer(
        name=layer.name,
        weights=rows.weights,
        bias=rows.bias,
        multiplier=multiplier,
        shift=shift,
        relu=layer.relu,
        patterns=patterns,
        columns=columns,
        align=align,
    )
    return integer, np.where(rows.steps == 0, 1.0, rows.steps)


def quantize(
    model: nn.Module | PrunedModel,
    calibration: torch.Tensor | NDArray,
    *,
    weight_bits: int = 8,
    activation_bits: int = 8,
) -> IntegerNetwork:
    """Quantise a trained chain of Linear layers to integers, without retraining.

    Weights are symmetric with one scale a row, activations symmetric with one scale a tensor. The
    clip value of each is the one of least squared error. The last layer has one scale for all its
    rows, because its raw accumulators are compared with one another by arg-max.

    Parameters
    ----------
    model : torch.nn.Module or PrunedModel
        A plain module becomes a dense network in natural column order. So the integer accuracy of
        a method without row patterns is that of the pruned model's own ``.model``.
    calibration : torch.Tensor or ndarray, shape (B, ...)
        Inputs like those to come, as the model takes them; some hundreds suffice.
    weight_bits, activation_bits : int
        2..8; the most negative weight code is not used.

    Returns
    -------
    IntegerNetwork
        Evaluated by integer code alone, as `darb.golden` does.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If the model is no chain of Linear layers and ReLUs (see `trace_chain`), the layers of a
        `PrunedModel` have no row patterns, are not those that run or in another order, a value is
        out of range or not finite, or a row's numbers are too large or too small beside those of
        its layer.
    """
    check_int("weight_bits", weight_bits, 2, 8)
    check_int("activation_bits", activation_bits, 2, 8)
    masks = model.layers if isinstance(model, PrunedModel) else {}
    for name, mask in masks.items():
        if not isinstance(mask, Mask):
            raise ValueError(
                f"layer {name}: rows must keep to patterns that the engine can store (quantize the "
                f"pruned model's .model to measure it), not to {model.config.rule!r}"
            )
    chain = trace_chain(model.model if isinstance(model, PrunedModel) else model, calibration)
    names = [layer.name for layer in chain]
    if isinstance(model, PrunedModel) and list(masks) != names:
        raise ValueError(
            f"layers of the pruned model must be {names!r}, as they run, not {list(masks)!r}"
        )
    limit = weight_limit(activation_bits)
    input_scale = scale = best_clip(chain[0].inputs, limit) / limit
    layers = []
    for index, layer in enumerate(chain):
        outputs = np.maximum(layer.outputs, 0) if layer.relu else layer.outputs
        mask = masks.get(layer.name)
        if mask is None:
            count, width = layer.linear.weight.shape
            stored = {
                "patterns": (Pattern(0, 1),) * count,
                "columns": np.arange(width, dtype=np.int32),
                "align": 1,
            }
        else:
            stored = {"patterns": mask.patterns, "columns": mask.columns, "align": mask.align}
            # Outputs that nobody reads must not widen the scale of those that are read.
            outputs = outputs[:, mask.live]
        after = best_clip(outputs, limit) / limit
        integer, steps = _quantize_layer(
            layer,
            input_scale=scale,
            output_scale=after,
            weight_bits=weight_bits,
            shared=index + 1 == len(chain),
            **stored,
        )
        layers.append(integer)
        scale = after
    return IntegerNetwork(
        layers=tuple(layers),
        weight_bits=weight_bits,
        activation_bits=activation_bits,
        input_scale=input_scale,
        output_scales=tuple(steps.tolist()),
    )


def quantize_input(network: IntegerNetwork, values: ArrayLike) -> NDArray[np.int64]:
    """Round and saturate real inputs to the integers that `network` takes.

    Parameters
    ----------
    network : IntegerNetwork
    values : array_like of float, shape (B, ...)
        Flattened to (B, N). Integers are real values too: they are scaled like the rest.

    Returns
    -------
    ndarray of int64, shape (B, N)

    Raises
    ------
    TypeError
        If `values` are not real numbers.
    ValueError
        If the shape does not fit or a value is not finite.
    """
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu().numpy()
    values = np.asarray(values)
    if values.dtype.kind in "iu":
        # Whole numbers stand for themselves here: pixels of 0..255, say, not scaled inputs.
        values = values.astype(np.float64)
    return scale_inputs(
        values,
        columns=network.inputs,
        scale=network.input_scale,
        bits=network.activation_bits,
    )
