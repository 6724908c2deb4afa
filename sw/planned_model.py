"""A saved network as far as a plan asks: its patterns and its sums, without calibration."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from darb.golden import IntegerLayer, IntegerNetwork, Pattern
from darb.golden.fixed_point import weight_limit
from darb.sw.exported_program import load_exported
from darb.sw.folding import pattern_network
from darb.sw.pruning import prune
from darb.sw.validation import check_int, check_ratio

_SALIENCY = "magnitude"


def _codes(weights: NDArray[np.floating], weight_bits: int) -> NDArray[np.int64]:
    """Return each row's weights scaled to the whole range of integers."""
    limit = weight_limit(weight_bits)
    largest = np.abs(weights).max(axis=1, keepdims=True)
    return np.rint(weights * (limit / np.where(largest > 0, largest, 1.0))).astype(np.int64)


def _linears(model: nn.Sequential) -> dict[str, nn.Linear]:
    return {name: item for name, item in model.named_modules() if isinstance(item, nn.Linear)}


def _dense_network(model: nn.Sequential) -> IntegerNetwork:
    """Return a network of the model's shape that keeps every weight; the weights are zero."""
    layers = []
    for name, linear in _linears(model).items():
        m, n = linear.weight.shape
        layers.append(
            IntegerLayer(
                name=name,
                weights=np.zeros((m, n), dtype=np.int8),
                bias=np.zeros(m, dtype=np.int32),
                multiplier=np.zeros(m, dtype=np.uint16),
                shift=np.ones(m, dtype=np.uint8),
                relu=False,
                patterns=(Pattern(0),) * m,
                columns=np.arange(n, dtype=np.int32),
            )
        )
    return IntegerNetwork(layers=tuple(layers))


def planned_networks(
    path: str | Path, *, ratio: float = 1.0, weight_bits: int = 8, activation_bits: int = 8
) -> Callable[[int, int], IntegerNetwork]:
    """Return a function from lanes and rows to the network that ``darb export`` would pack.

    The network is pruned by the weights' magnitudes, for there are no inputs to weigh them by, and
    its weights are scaled to their range row by row. So the number of clocks is that of such a
    pruning exactly; the accumulator may come out a bit wider or narrower than the exporter's.

    Parameters
    ----------
    path : path
        A ``.pt2`` file.
    ratio : float
        Prune to this ratio; 1 keeps every weight.
    weight_bits, activation_bits : int

    Raises
    ------
    ValueError, TypeError, OSError
        If the file or an argument does not fit.
    """
    check_ratio(ratio)
    check_int("weight_bits", weight_bits, 2, 8)
    check_int("activation_bits", activation_bits, 2, 8)
    model = load_exported(path)

    def network(lanes: int, rows: int) -> IntegerNetwork:
        if ratio > 1:
            fresh = copy.deepcopy(model)
            pruner = prune(fresh, ratio=ratio, lanes=lanes, rows=rows, saliency=_SALIENCY)
            plain = pattern_network(pruner.masks)
        else:
            fresh, plain = model, _dense_network(model)
        linears = _linears(fresh)
        layers = []
        for layer in plain.layers:
            with torch.no_grad():
                weights = linears[layer.name].weight.double().cpu().numpy()
            layers.append(dataclasses.replace(layer, weights=_codes(weights, weight_bits)))
        return IntegerNetwork(
            layers=tuple(layers), weight_bits=weight_bits, activation_bits=activation_bits
        )

    return network
