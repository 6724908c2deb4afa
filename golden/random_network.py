"""Random integer networks: any pattern, any column order, numbers over their whole ranges."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from darb.golden.network import IntegerLayer, IntegerNetwork
from darb.golden.pattern import Pattern


def _random_row(rng, stored: int, starts: Sequence[range], pattern: Pattern, limit: int):
    """Return one row in stored order: mostly full blocks, some short of weights, some empty."""
    row = np.zeros(stored, dtype=np.int64)
    for segment in starts:
        for first in range(segment.start, segment.stop, pattern.block_size):
            width = min(pattern.block_size, segment.stop - first)
            most = min(pattern.keep, width)
            count = most if rng.random() < 0.8 else int(rng.integers(0, most + 1))
            where = first + rng.permutation(width)[:count]
            row[where] = rng.integers(-limit, limit + 1, count)
    return row


def _random_layer(rng, name, shape, ks, keeps, weight_bits, activation_bits, lanes, spare, relu):
    m, n = shape
    columns = rng.permutation(n)[: max(1, n - int(n * spare))]
    stored = columns.size
    patterns = []
    for _ in range(m):
        k = int(rng.choice(ks))
        patterns.append(Pattern(k, min(int(rng.choice(keeps)), 1 << k)))
    if lanes is None:
        align, segments = max(pattern.block_size for pattern in patterns), [range(stored)]
    else:
        length = -(-stored // lanes)
        align = 1
        segments = [range(s, min(s + length, stored)) for s in range(0, stored, length)]
    limit = (1 << (weight_bits - 1)) - 1
    weights = np.zeros((m, n), dtype=np.int64)
    for row, pattern in enumerate(patterns):
        weights[row, columns] = _random_row(rng, stored, segments, pattern, limit)
    largest = 1 << (activation_bits - 1)
    typical = np.sqrt((weights**2).sum(axis=1) + 1) * largest / 2
    bias = np.rint(rng.normal(0, typical)).astype(np.int64)
    multiplier = rng.integers(1 << 15, 1 << 16, m)
    # Outputs spread over the whole range, some saturated; a few rows take the extreme shifts.
    shift = np.rint(np.log2(typical) + 16 - activation_bits + rng.integers(0, 4, m)).astype(int)
    shift = np.where(rng.random(m) < 0.04, rng.choice([1, 63], m), np.clip(shift, 1, 63))
    null = rng.random(m) < 0.05
    weights[null], bias[null], multiplier[null] = 0, 0, 0
    return IntegerLayer(
        name=name,
        weights=weights,
        bias=bias,
        multiplier=multiplier,
        shift=shift,
        relu=relu,
        patterns=tuple(patterns),
        columns=columns,
        align=align,
    )


def random_network(
    rng: np.random.Generator,
    sizes: Sequence[int],
    *,
    ks: Iterable[int] = range(7),
    keeps: Iterable[int] = (1,),
    weight_bits: int = 8,
    activation_bits: int = 8,
    lanes: int | None = None,
    spare_columns: float = 0.0,
) -> IntegerNetwork:
    """Return a network whose rows fit patterns drawn from `ks` and `keeps`.

    Parameters
    ----------
    rng
        Source of everything random.
    sizes
        Inputs, then the rows of each layer.
    ks, keeps
        Each row's pattern is drawn from these; keep is cut to the block size.
    lanes
        None: blocks run through from column 0, and segments are aligned to the largest block, so
        the network suits any number of lanes. Otherwise blocks restart at the segments of this
        many lanes, with align = 1.
    spare_columns
        Share of each layer's columns that its order leaves out; in later layers they make rows
        of the layer before dead.
    """
    ks, keeps = list(ks), list(keeps)
    shapes = list(zip(sizes[1:], sizes, strict=False))
    layers = tuple(
        _random_layer(
            rng,
            f"fc{number}",
            shape,
            ks,
            keeps,
            weight_bits,
            activation_bits,
            lanes,
            spare_columns,
            relu=number < len(shapes) - 1 and bool(rng.random() < 0.8),
        )
        for number, shape in enumerate(shapes)
    )
    return IntegerNetwork(
        layers=layers,
        weight_bits=weight_bits,
        activation_bits=activation_bits,
        input_scale=float(rng.random()),
        output_scales=tuple(rng.random(sizes[-1]).tolist()),
    )


def random_vectors(
    rng: np.random.Generator, network: IntegerNetwork, count: int
) -> NDArray[np.int64]:
    """Return input vectors over the whole range, both extremes among them."""
    half = 1 << (network.activation_bits - 1)
    vectors = rng.integers(-half, half, (count, network.inputs))
    if count > 2:
        vectors[0], vectors[1] = -half, half - 1
    return vectors
