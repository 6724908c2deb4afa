"""Accuracy of networks whose matrix products are in integers, whatever kind of network it is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from darb.golden.fixed_point import requantize
from darb.golden.network import IntegerNetwork
from darb.sw.integer_chain import IntegerChain
from darb.sw.integer_product import IntegerProduct
from darb.sw.integer_recurrence import IntegerRecurrentNetwork
from darb.sw.pruning.layer_modules import RecurrentModule, prunable_weights
from darb.sw.pruning.masking import Mask
from darb.sw.pruning.pruner import PrunedModel
from darb.sw.quantization import quantize, quantize_input
from darb.sw.validation import check_int

_CHUNK = 256


class _IntegerNetworkSums:
    """The last accumulators of an integer network for real inputs, as `EngineModel` has them."""

    def __init__(self, network: IntegerNetwork) -> None:
        self._network = network
        self._products = [
            IntegerProduct(
                layer.weights,
                layer.bias,
                activation_bits=network.activation_bits,
                layer=layer.name,
            )
            for layer in network.layers
        ]

    def __call__(self, x: torch.Tensor) -> NDArray[np.int64]:
        sums = quantize_input(self._network, x)
        last = len(self._products) - 1
        for index, (layer, product) in enumerate(
            zip(self._network.layers, self._products, strict=True)
        ):
            sums = product(torch.as_tensor(sums))
            if index < last:
                sums = requantize(
                    sums,
                    layer.multiplier,
                    layer.shift,
                    bits=self._network.activation_bits,
                    relu=layer.relu,
                )
        return sums


def quantized_accuracy(
    model: nn.Module | PrunedModel,
    x: torch.Tensor | NDArray,
    y: torch.Tensor | NDArray,
    calibration: torch.Tensor | NDArray,
    *,
    weight_bits: int = 8,
    activation_bits: int = 8,
) -> float:
    """Return the share of inputs that a network classifies right with its products in integers.

    What is computed depends on the layers that the model has:

    - Linear alone: the integer network that `quantize` makes and the engine computes, bit for bit.
    - Conv2d, with or without Linear: integers from the first layer to the last by the same rules;
      see `IntegerChain`.
    - LSTM or GRU, with or without the others: every matrix product in integers, gates and whatever
      else stands between products in floating point; see `IntegerRecurrentNetwork`.

    Nothing is retrained.

    Parameters
    ----------
    model : torch.nn.Module or PrunedModel
        A pruned model of Linear layers whose masks have row patterns is quantised with them, so
        that outputs nobody reads do not widen scales; else its ``.model`` is measured. It gives
        one vector of outputs for each input.
    x : torch.Tensor or ndarray, shape (B, ...)
    y : torch.Tensor or ndarray of int, shape (B,)
        Labels.
    calibration : torch.Tensor or ndarray, shape (C, ...)
        Inputs like those to come; some hundreds suffice.
    weight_bits, activation_bits : int
        2..8.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If a value is out of range or not finite, `x` and `y` do not go together, or the model is
        none of the above: batch normalisation, say, must be folded away first.
    """
    check_int("weight_bits", weight_bits, 2, 8)
    check_int("activation_bits", activation_bits, 2, 8)
    classify = _classifier(
        model, calibration, weight_bits=weight_bits, activation_bits=activation_bits
    )
    plain = model.model if isinstance(model, PrunedModel) else model
    inputs, labels = _examples(x, y, like=next(plain.parameters()))
    right = 0
    for chunk, wanted in zip(inputs.split(_CHUNK), labels.split(_CHUNK), strict=True):
        right += int((classify(chunk).argmax(axis=1) == wanted.numpy()).sum())
    return right / len(inputs)


def _classifier(
    model: nn.Module | PrunedModel, calibration: torch.Tensor | NDArray, **widths: int
) -> Callable[[torch.Tensor], NDArray]:
    """Return what gives the outputs, shape (B, M), of real inputs."""
    plain = model.model if isinstance(model, PrunedModel) else model
    kinds = {type(layer.module) for layer in prunable_weights(plain).values()}
    if any(issubclass(kind, RecurrentModule) for kind in kinds):
        return IntegerRecurrentNetwork(plain, calibration, **widths).outputs
    if any(issubclass(kind, nn.Conv2d) for kind in kinds):
        return IntegerChain(plain, calibration, **widths).accumulators
    patterned = isinstance(model, PrunedModel) and all(
        isinstance(mask, Mask) for mask in model.layers.values()
    )
    network = quantize(model if patterned else plain, calibration, **widths)
    return _IntegerNetworkSums(network)


def _examples(
    x: torch.Tensor | NDArray, y: torch.Tensor | NDArray, *, like: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return inputs and labels as tensors, or refuse them."""
    for name, values in (("x", x), ("y", y)):
        if not isinstance(values, torch.Tensor | np.ndarray):
            raise TypeError(f"{name} must be a tensor or an array, not {values!r}")
    labels = torch.as_tensor(y).cpu()
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise TypeError(f"y must be integers, not {labels.dtype}")
    if labels.shape != (len(x),) or not len(x):
        raise ValueError(
            f"y must have one label for each of at least one input, shape ({len(x)},), "
            f"not {tuple(labels.shape)!r}"
        )
    # An array of its own, for torch warns of those that are read-only.
    inputs = torch.as_tensor(np.array(x) if isinstance(x, np.ndarray) else x)
    if inputs.is_complex() or inputs.dtype == torch.bool:
        raise TypeError(f"x must be real numbers, not {inputs.dtype}")
    inputs = inputs.detach().to(device="cpu", dtype=like.dtype)
    if not torch.isfinite(inputs).all():
        raise ValueError("x must be finite, not with NaN or infinity")
    return inputs, labels
