"""Memory words as little-endian bytes: arrays of fields in, hexadecimal text out, and back."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

Words = NDArray[np.uint8]
"""A memory, shape (depth, ceil(width / 8)): each row one word, least significant byte first."""


def _to_bits(values: ArrayLike, bits: int) -> NDArray[np.uint8]:
    """Spread integers over their low `bits` bits, least significant first: (..., bits)."""
    size = next(size for size in (1, 2, 4, 8) if bits <= 8 * size)
    raw = np.ascontiguousarray(np.asarray(values).astype(f"<i{size}"))
    spread = np.unpackbits(raw.view(np.uint8).reshape(*raw.shape, size), axis=-1, bitorder="little")
    return spread[..., :bits]


def _from_bits(spread: NDArray[np.uint8], signed: bool) -> NDArray[np.int64]:
    """Gather integers from (..., bits); unsigned ones must be narrower than 64 bits."""
    bits = spread.shape[-1]
    full = np.zeros((*spread.shape[:-1], 64), dtype=np.uint8)
    full[..., :bits] = spread
    if signed:
        full[..., bits:] = spread[..., -1:]
    return np.packbits(full, axis=-1, bitorder="little").view("<i8")[..., 0].astype(np.int64)


def pack_array(values: ArrayLike, bits: int) -> Words:
    """Pack equal fields into words, first field lowest.

    Parameters
    ----------
    values : array_like of int, shape (depth, fields)
        Two's complement where negative; only the low `bits` bits are kept.
    bits : int
        Width of one field, 1..64.

    Returns
    -------
    ndarray of uint8, shape (depth, ceil(fields * bits / 8))
    """
    values = np.asarray(values)
    if bits == 8:
        return values.astype(np.uint8)
    spread = _to_bits(values, bits)
    return np.packbits(spread.reshape(len(values), -1), axis=1, bitorder="little")


def unpack_array(words: Words, bits: int, fields: int, *, signed: bool) -> NDArray[np.int64]:
    """Return the fields of each word, shape (depth, fields); the inverse of `pack_array`."""
    if bits == 8:
        return words.view(np.int8 if signed else np.uint8).astype(np.int64)
    spread = np.unpackbits(words, axis=1, bitorder="little")[:, : fields * bits]
    return _from_bits(spread.reshape(len(words), fields, bits), signed)


def pack_struct(layout: Mapping[str, int], values: Mapping[str, ArrayLike]) -> Words:
    """Pack named fields into words, the layout's first field lowest.

    Parameters
    ----------
    layout : mapping of str to int
        Width of each field in bits; a field of width 0 takes no room.
    values : mapping of str to array_like of int, shape (depth,)
        One integer a word for every field of `layout`.
    """
    parts = [_to_bits(values[name], bits) for name, bits in layout.items() if bits]
    return np.packbits(np.concatenate(parts, axis=1), axis=1, bitorder="little")


def unpack_struct(
    layout: Mapping[str, int], words: Words, *, signed: tuple[str, ...] = ()
) -> dict[str, NDArray[np.int64]]:
    """Return the named fields of each word; the inverse of `pack_struct`."""
    spread = np.unpackbits(words, axis=1, bitorder="little")
    fields: dict[str, NDArray[np.int64]] = {}
    low = 0
    for name, bits in layout.items():
        part = spread[:, low : low + bits]
        fields[name] = (
            _from_bits(part, name in signed) if bits else np.zeros(len(words), dtype=np.int64)
        )
        low += bits
    return fields


def to_hex(words: Words, width: int) -> bytes:
    """Return $readmemh text: one word a line, ``ceil(width / 4)`` lower-case digits."""
    digits = -(-width // 4)
    size = 2 * words.shape[1]
    text = np.frombuffer(words[:, ::-1].tobytes().hex().encode(), dtype=np.uint8)
    lines = np.full((len(words), digits + 1), ord("\n"), dtype=np.uint8)
    lines[:, :digits] = text.reshape(len(words), size)[:, size - digits :]
    return lines.tobytes()


def from_hex(text: bytes, width: int, depth: int) -> Words:
    """Return the words of $readmemh text; the inverse of `to_hex`.

    Raises
    ------
    ValueError
        If the text does not hold exactly `depth` words of `width` bits in the form that `to_hex`
        writes; the message names the word.
    """
    digits = -(-width // 4)
    if len(text) != depth * (digits + 1):
        raise ValueError(
            f"must hold {depth} words of {digits} digits ({depth * (digits + 1)} bytes), "
            f"not {len(text)} bytes"
        )
    lines = np.frombuffer(text, dtype=np.uint8).reshape(depth, digits + 1)
    hexadecimal = ((lines >= ord("0")) & (lines <= ord("9"))) | (
        (lines >= ord("a")) & (lines <= ord("f"))
    )
    good = hexadecimal[:, :digits].all(axis=1) & (lines[:, digits] == ord("\n"))
    if not good.all():
        word = int(np.argmin(good))
        raise ValueError(
            f"word {word} must be {digits} hexadecimal digits, not {lines[word].tobytes()!r}"
        )
    size = -(-width // 8)
    padded = np.full((depth, 2 * size), ord("0"), dtype=np.uint8)
    padded[:, 2 * size - digits :] = lines[:, :digits]
    raw = np.frombuffer(bytes.fromhex(padded.tobytes().decode()), dtype=np.uint8)
    words = np.ascontiguousarray(raw.reshape(depth, size)[:, ::-1])
    spare = 8 * size - width
    if spare and (words[:, -1] >> (8 - spare)).any():
        word = int(np.argmax(words[:, -1] >> (8 - spare) != 0))
        raise ValueError(f"word {word} must fit {width} bits")
    return words
