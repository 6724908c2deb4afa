"""Random layers for rival engines: rows of every length, single weights or blocks, no pattern."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from darb.golden import IntegerLayer, OutputMode, Pattern
from darb.golden.baselines import BaselineConfig


def random_layer(
    rng: np.random.Generator,
    shape: tuple[int, int],
    *,
    density: float,
    weight_bits: int = 8,
    activation_bits: int = 8,
    empty: float = 0.1,
    uneven: bool = True,
    relu: bool = False,
) -> IntegerLayer:
    """Return a layer of about `density`, a share `empty` of its rows without weights.

    With `uneven` some rows are nearly full and others nearly empty.
    """
    m, n = shape
    limit = (1 << (weight_bits - 1)) - 1
    each = density * (rng.exponential(1.0, m) if uneven else np.ones(m))
    each[rng.random(m) < empty] = 0
    weights = rng.integers(1, limit + 1, shape) * rng.choice([-1, 1], shape)
    weights *= rng.random(shape) < each[:, None]
    typical = np.sqrt((weights**2).sum(axis=1) + 1) * (1 << (activation_bits - 2))
    shift = np.rint(np.log2(typical) + 17 - activation_bits)
    return IntegerLayer(
        name="layer",
        weights=weights,
        bias=np.rint(rng.normal(0, typical)).astype(np.int64),
        multiplier=rng.integers(1 << 15, 1 << 16, m),
        shift=np.clip(shift, 1, 63).astype(np.int64),
        relu=relu,
        patterns=(Pattern(0),) * m,
        columns=np.arange(n),
    )


def random_block_layer(
    rng: np.random.Generator,
    shape: tuple[int, int],
    *,
    block_size: int,
    density: float,
    empty: float = 0.1,
    **numbers: object,
) -> IntegerLayer:
    """Return a layer of about `density` in blocks, a share `empty` of block rows without any.

    Some block rows are nearly full, others nearly empty; most blocks have zeros inside, and one
    block in eight a single weight. `numbers` are those of `random_layer`.
    """
    layer = random_layer(rng, shape, density=0.8, empty=0.0, uneven=False, **numbers)
    grid = tuple(-(-side // block_size) for side in shape)
    each = density * rng.exponential(1.0, grid[0])
    each[rng.random(grid[0]) < empty] = 0
    area = np.ones((1, block_size, block_size), dtype=bool)
    corner = np.zeros_like(area)
    corner[0, rng.integers(block_size), rng.integers(block_size)] = True
    parts = np.where(rng.random(grid)[..., None, None] < 0.125, corner, area)
    parts = parts & (rng.random(grid) < each[:, None])[..., None, None]
    kept = parts.transpose(0, 2, 1, 3).reshape(grid[0] * block_size, -1)
    return replace(layer, weights=layer.weights * kept[: shape[0], : shape[1]])


def mixed_layer(seed: int, *, weight_bits: int, block_size: int = 1) -> IntegerLayer:
    """Return one of many kinds of layer, full or nearly empty, up to 39 x 39.

    Of blocks, unless they are single weights.
    """
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 40, 2).tolist())
    numbers = {
        "density": [0.05, 0.2, 0.6][seed % 3],
        "weight_bits": weight_bits,
        "empty": [0.0, 0.3][seed // 2 % 2],
        "relu": seed % 5 == 0,
    }
    if block_size == 1:
        return random_layer(rng, shape, **numbers)
    return random_block_layer(rng, shape, block_size=block_size, **numbers)


def layer_of(weights: ArrayLike, *, bias: int | ArrayLike = 0) -> IntegerLayer:
    """Return a layer of these weights that divides every sum by two."""
    weights = np.asarray(weights)
    ones = np.ones(len(weights), dtype=np.int64)
    draft = random_layer(np.random.default_rng(0), weights.shape, density=0)
    return replace(draft, weights=weights, bias=bias * ones, multiplier=ones << 15, shift=16 * ones)


def layer_reference(layer: IntegerLayer, vectors: np.ndarray, config: BaselineConfig) -> np.ndarray:
    """Return the layer's accumulators, or its activations: Python integers, no packed format."""
    raw, half = config.output_mode is OutputMode.ACCUMULATORS, 1 << (config.activation_bits - 1)
    low = 0 if layer.relu else -half
    results = []
    for vector in vectors.tolist():
        words = []
        for row, bias, scale, shift in zip(
            layer.weights.tolist(),
            layer.bias.tolist(),
            layer.multiplier.tolist(),
            layer.shift.tolist(),
            strict=True,
        ):
            total = bias + sum(w * x for w, x in zip(row, vector, strict=True))
            # Floor of the quotient and a half, in twice its units.
            scaled = (2 * total * scale + (1 << shift)) // (2 << shift)
            words.append(total if raw else min(max(scaled, low), half - 1))
        results.append(words)
    return np.array(results, dtype=np.int64)
