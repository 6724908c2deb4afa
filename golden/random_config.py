"""Random configs: engines that hold given networks, exactly or with room to spare."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from darb.golden.config import EngineConfig, OutputMode
from darb.golden.network import IntegerNetwork
from darb.golden.packer import fit_config

MOST_INDEX_BITS = 64
_ROOM = {
    "weight_bits": (1, 8),
    "accumulator_bits": (9, 32),
    "max_k": (2, 12),
    "weight_depth": (40, 1 << 24),
    "index_depth": (20, 1 << 24),
    "row_depth": (20, 1 << 20),
    "layer_depth": (9, 1 << 12),
    "input_depth": (9, 1 << 14),
    "hidden_depth": (9, 1 << 14),
    "output_depth": (9, 1 << 16),
}
"""How much more than needed a field may be, and its largest value."""


def common_config(
    networks: Sequence[IntegerNetwork], *, lanes: int, rows: int, **pinned: object
) -> EngineConfig:
    """Return the smallest config that holds each of `networks`.

    Parameters
    ----------
    networks : sequence of IntegerNetwork
        Of the same `activation_bits`.
    lanes, rows : int
    **pinned
        See `fit_config`.

    Raises
    ------
    TypeError, ValueError
        See `fit_config`.
    """
    configs = [fit_config(network, lanes=lanes, rows=rows, **pinned) for network in networks]
    largest = {name: max(getattr(config, name) for config in configs) for name in _ROOM}
    return EngineConfig.from_dict({**configs[0].to_dict(), **largest})


def random_config(
    rng: np.random.Generator, networks: Sequence[IntegerNetwork], *, lanes: int, rows: int
) -> EngineConfig:
    """Return a config that holds each of `networks`: half of its fields exactly, others with room.

    Index words have any width that the largest k leaves, the narrowest and the widest among them.

    Parameters
    ----------
    rng : numpy.random.Generator
    networks : sequence of IntegerNetwork
        Of the same `activation_bits`; where a last layer has a ReLU the output mode is
        ``activations``.
    lanes, rows : int
    """
    most_k = max(
        pattern.k for each in networks for layer in each.layers for pattern in layer.patterns
    )
    least = max(1, most_k)
    index_word_bits = int(
        rng.choice([least, MOST_INDEX_BITS, max(12, least), rng.integers(least, 65)])
    )
    relu = any(network.layers[-1].relu for network in networks)
    modes = [OutputMode.ACTIVATIONS] if relu else list(OutputMode)
    mode = modes[rng.integers(len(modes))]
    pinned = {"index_word_bits": index_word_bits, "output_mode": mode}
    fields = common_config(networks, lanes=lanes, rows=rows, **pinned).to_dict()
    for name, (room, most) in _ROOM.items():
        if rng.random() < 0.5:
            fields[name] = min(most, fields[name] + int(rng.integers(1, room + 1)))
    fields["max_k"] = min(fields["max_k"], index_word_bits)
    return EngineConfig.from_dict(fields)
