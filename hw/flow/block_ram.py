"""New contents for the image memories of a design that is placed and routed already.

The design is synthesised with random contents. Every bit column of them occurs once, so that each
bit of an image memory is found again in the chip's configuration, whatever block RAMs, widths and
interleaving synthesis chose; any other contents then go to the same places.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from darb.golden.bitfields import Words

Bits = NDArray[np.bool_]
Runs = dict[int, list[tuple[str, int, int, int]]]

_KEY_ROWS = 32
_STRIDES = (1, 2, 4, 8, 16, 32)
"""Words of one memory that share a row of a block RAM, as its narrower widths have it."""


class NotInBlockRamError(ValueError):
    """A memory that is not in block RAM, so that its contents cannot be exchanged."""


@dataclass(frozen=True)
class Places:
    """Where each bit of one memory is; every array is (depth, width).

    Parameters
    ----------
    block : ndarray of int64
        Number of the block RAM.
    row, column : ndarray of int64
        Place in that block RAM's array of bits.
    """

    block: NDArray[np.int64]
    row: NDArray[np.int64]
    column: NDArray[np.int64]


def to_bits(words: Words, width: int) -> Bits:
    """Return (depth, width) bits of a memory, lowest first."""
    return np.unpackbits(words, axis=1, bitorder="little", count=width).astype(bool)


def to_words(bits: Bits) -> Words:
    """Return the words of (depth, width) bits; the inverse of `to_bits`."""
    return np.packbits(bits, axis=1, bitorder="little")


def random_contents(
    shapes: Mapping[str, tuple[int, int]], *, grain: int, seed: int = 0
) -> dict[str, Words]:
    """Return random words for memories of (depth, width), the depth rounded up to `grain`."""
    rng = np.random.default_rng(seed)
    return {
        name: to_words(rng.integers(0, 2, (-(-depth // grain) * grain, width)).astype(bool))
        for name, (depth, width) in shapes.items()
    }


def _keys(bits: Bits) -> NDArray[np.uint32]:
    """Return the first rows of each column as one number."""
    head = np.packbits(bits[:_KEY_ROWS], axis=0, bitorder="little")
    return np.ascontiguousarray(head.T).view("<u4").ravel()


def _runs(memories: Mapping[str, Bits], rows: int) -> Runs:
    """Return memory, first word, stride and bit of each run that a column may hold, by its key."""
    runs: Runs = defaultdict(list)
    for name, bits in memories.items():
        for stride in _STRIDES:
            for base in range(0, len(bits), rows * stride):
                for first in range(base, base + stride):
                    run = bits[first : base + rows * stride : stride]
                    if len(run) < _KEY_ROWS:
                        continue
                    for bit, key in enumerate(_keys(run).tolist()):
                        runs[key].append((name, first, stride, bit))
    return runs


def locate(blocks: list[Bits], memories: Mapping[str, Bits]) -> dict[str, Places]:
    """Find every bit of random memories in the chip's block RAMs.

    Parameters
    ----------
    blocks : list of ndarray of bool
        Each block RAM as (rows, columns), in its widest form: a row holds as many words as fit.
    memories : mapping of str to ndarray of bool
        What `random_contents` gave, as (depth, width).

    Raises
    ------
    NotInBlockRamError
        If a bit is not found; names the memory.
    """
    found = {name: np.full((3, *bits.shape), -1) for name, bits in memories.items()}
    runs_by_rows: dict[int, Runs] = {}
    for number, block in enumerate(blocks):
        rows = len(block)
        if rows not in runs_by_rows:
            runs_by_rows[rows] = _runs(memories, rows)
        for column, key in enumerate(_keys(block).tolist()):
            for name, first, stride, bit in runs_by_rows[rows].get(key, ()):
                run = memories[name][first : first + rows * stride : stride, bit]
                if np.array_equal(run, block[: len(run), column]):
                    where = found[name][:, first : first + rows * stride : stride, bit]
                    where[0], where[1], where[2] = number, np.arange(len(run)), column
    for name, where in found.items():
        if (where < 0).any():
            word, bit = np.argwhere(where[0] < 0)[0].tolist()
            raise NotInBlockRamError(
                f"memory {name} must be in block RAM for its contents to be exchanged, but bit "
                f"{bit} of word {word} is not"
            )
    return {name: Places(*where) for name, where in found.items()}


def exchange(
    blocks: list[Bits], places: Mapping[str, Places], memories: Mapping[str, Bits]
) -> None:
    """Write new contents to `blocks`, in place; words past a memory's end become zero."""
    for name, place in places.items():
        bits = np.zeros(place.block.shape, dtype=bool)
        bits[: len(memories[name])] = memories[name]
        for number in np.unique(place.block).tolist():
            here = place.block == number
            blocks[number][place.row[here], place.column[here]] = bits[here]


def read_contents(blocks: list[Bits], places: Mapping[str, Places]) -> dict[str, Bits]:
    """Return what the memories hold; the inverse of `exchange`."""
    contents = {}
    for name, place in places.items():
        bits = np.zeros(place.block.shape, dtype=bool)
        for number in np.unique(place.block).tolist():
            here = place.block == number
            bits[here] = blocks[number][place.row[here], place.column[here]]
        contents[name] = bits
    return contents
