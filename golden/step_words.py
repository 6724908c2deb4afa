"""Slots in the order of the engine's steps, and the index words they share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from darb.golden.bitfields import Words, pack_array, unpack_array
from darb.golden.config import EngineConfig
from darb.golden.memory_map import indices_per_word


def by_step(slots: NDArray[np.integer], rows: int) -> NDArray[np.integer]:
    """Reorder (m, S, T) slots to (groups * T, R * S), the last group padded with zeros."""
    m, lanes, steps = slots.shape
    groups = -(-m // rows)
    padded = np.zeros((groups * rows, lanes, steps), dtype=slots.dtype)
    padded[:m] = slots
    grid = padded.reshape(groups, rows, lanes, steps).transpose(0, 3, 1, 2)
    return grid.reshape(groups * steps, rows * lanes)


def by_row(steps: NDArray[np.integer], rows: int, lanes: int, length: int) -> NDArray[np.integer]:
    """Undo `by_step`: (groups * T, R * S) to (groups * R, S, T)."""
    grid = steps.reshape(-1, length, rows, lanes).transpose(0, 2, 3, 1)
    return grid.reshape(-1, lanes, length)


def pack_indices(steps: NDArray[np.int16], k: int, config: EngineConfig) -> Words:
    """Pack one section's indices, (steps, P), a fresh word first."""
    per_word = indices_per_word(config.index_word_bits, k)
    if not per_word:
        return np.zeros((0, -(-config.multipliers * config.index_word_bits // 8)), np.uint8)
    depth = -(-len(steps) // per_word)
    padded = np.zeros((depth * per_word, config.multipliers), dtype=np.int64)
    padded[: len(steps)] = steps
    place = np.arange(per_word) * k
    fields = (padded.reshape(depth, per_word, -1) << place[None, :, None]).sum(axis=1)
    return pack_array(fields, config.index_word_bits)


def unpack_indices(words: Words, steps: int, k: int, config: EngineConfig) -> NDArray[np.int64]:
    """Undo `pack_indices`: return (steps, P)."""
    if not k:
        return np.zeros((steps, config.multipliers), dtype=np.int64)
    per_word = indices_per_word(config.index_word_bits, k)
    fields = unpack_array(words, config.index_word_bits, config.multipliers, signed=False)
    place = np.arange(per_word) * k
    spread = (fields[:, None, :] >> place[None, :, None]) & ((1 << k) - 1)
    return spread.reshape(-1, config.multipliers)[:steps]
