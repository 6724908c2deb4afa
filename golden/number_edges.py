"""Numbers at their edges: networks and vectors that go as far as their widths allow."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from darb.golden.fixed_point import (
    BIAS_BITS,
    MULTIPLIER_BITS,
    SHIFT_BITS,
    accumulator_magnitude,
    signed_bits,
    signed_range,
    weight_limit,
)
from darb.golden.network import IntegerLayer, IntegerNetwork

_SMALLEST_ACCUMULATOR = 8


def extreme_weights(
    rng: np.random.Generator, layer: IntegerLayer, weight_bits: int
) -> IntegerLayer:
    """Return a layer whose rows hold the largest weight, the smallest, both or none at all.

    What is zero stays so, and with it every pattern.

    Parameters
    ----------
    rng : numpy.random.Generator
    layer : IntegerLayer
    weight_bits : int
    """
    limit = weight_limit(weight_bits)
    rows, columns = layer.shape
    largest = np.full((rows, columns), limit)
    signs = {
        "largest": np.ones((rows, columns), dtype=np.int64),
        "smallest": -np.ones((rows, columns), dtype=np.int64),
        "both": rng.choice([-1, 1], (rows, columns)),
        "none": np.zeros((rows, columns), dtype=np.int64),
    }
    kinds = rng.choice(len(signs), rows, p=[0.35, 0.35, 0.25, 0.05])
    chosen = np.stack(list(signs.values()))[kinds, np.arange(rows)]
    return replace(layer, weights=np.where(layer.weights != 0, chosen * largest, 0))


def full_accumulators(
    rng: np.random.Generator, layer: IntegerLayer, activation_bits: int, bits: int | None = None
) -> IntegerLayer:
    """Return a layer whose biases fill its accumulators exactly.

    The sum of the largest magnitudes of a row's products and its bias is then the largest integer
    of `bits` bits. Where all weights of a row have one sign the bias has the other, and the
    smallest activations reach the edge. Null rows stay null.

    Parameters
    ----------
    rng : numpy.random.Generator
    layer : IntegerLayer
    activation_bits : int
    bits : int, optional
        At least what the weights alone need; by default, for each row, the fewest that hold its
        products.

    Raises
    ------
    ValueError
        If the products of a row need more than `bits`.
    """
    bias = np.zeros(layer.shape[0], dtype=np.int64)
    for row, weights in enumerate(layer.weights):
        products = accumulator_magnitude(weights[None], np.zeros(1, dtype=int), activation_bits)
        width = max(_SMALLEST_ACCUMULATOR, signed_bits(products)) if bits is None else bits
        room = signed_range(width)[1] - products
        if room < 0:
            raise ValueError(
                f"bits must be at least {signed_bits(products)} for row {row}, not {bits!r}"
            )
        positive, negative = (weights > 0).any(), (weights < 0).any()
        sign = int(rng.choice([-1, 1])) if positive == negative else 1 if negative else -1
        bias[row] = sign * room * bool(layer.multiplier[row])
    return replace(layer, bias=bias)


def extreme_scales(rng: np.random.Generator, layer: IntegerLayer) -> IntegerLayer:
    """Return a layer with multipliers and shifts at their limits; null rows stay null.

    Parameters
    ----------
    rng : numpy.random.Generator
    layer : IntegerLayer
    """
    rows = layer.shape[0]
    lowest, highest = 1 << (MULTIPLIER_BITS - 1), (1 << MULTIPLIER_BITS) - 1
    multiplier = np.where(layer.multiplier == 0, 0, rng.choice([lowest, highest], rows))
    # At 15 and 16 the smallest multiplier halves and keeps, so that every result is in reach.
    shifts = [1, (1 << SHIFT_BITS) - 1, MULTIPLIER_BITS - 1, MULTIPLIER_BITS]
    kept = layer.shift.astype(np.int64)
    shift = np.where(rng.random(rows) < 0.3, kept, rng.choice(shifts, rows))
    return replace(layer, multiplier=multiplier, shift=shift)


def extreme_network(rng: np.random.Generator, network: IntegerNetwork) -> IntegerNetwork:
    """Return a network of which some layers were brought to some of these edges.

    Parameters
    ----------
    rng : numpy.random.Generator
    network : IntegerNetwork
    """
    layers = []
    for layer in network.layers:
        if rng.random() < 0.5:
            layer = extreme_weights(rng, layer, network.weight_bits)
        if rng.random() < 0.5:
            bits = BIAS_BITS if rng.random() < 0.2 else None
            layer = full_accumulators(rng, layer, network.activation_bits, bits)
        if rng.random() < 0.5:
            layer = extreme_scales(rng, layer)
        layers.append(layer)
    return replace(network, layers=tuple(layers))


def extreme_vectors(
    rng: np.random.Generator, network: IntegerNetwork, count: int
) -> NDArray[np.int64]:
    """Return vectors of the two extreme activations alone.

    Each is all of the smallest, all of the largest, or what brings a row of the first layer,
    drawn at random, as far up or down as it goes.

    Parameters
    ----------
    rng : numpy.random.Generator
    network : IntegerNetwork
    count : int

    Returns
    -------
    ndarray of int64, shape (count, N)
    """
    low, high = signed_range(network.activation_bits)
    vectors = np.empty((count, network.inputs), dtype=np.int64)
    for vector in vectors:
        kind = rng.choice(3, p=[0.3, 0.2, 0.5])
        if kind < 2:
            vector[:] = (low, high)[kind]
            continue
        weights = network.layers[0].weights[rng.integers(network.layers[0].shape[0])]
        sign = int(rng.choice([-1, 1]))
        vector[:] = np.where(weights.astype(np.int64) * sign > 0, high, low)
    return vectors
