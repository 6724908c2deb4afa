"""The image memories in other tools' file formats."""

from __future__ import annotations

from darb.golden.bitfields import Words, to_hex


def _coe(words: Words, width: int) -> bytes:
    """AMD Vivado block memory initialisation."""
    lines = to_hex(words, width).decode().split()
    text = "memory_initialization_radix=16;\nmemory_initialization_vector=\n"
    return (text + ",\n".join(lines) + ";\n").encode()


def _mif(words: Words, width: int) -> bytes:
    """Intel Quartus memory initialisation."""
    lines = to_hex(words, width).decode().split()
    head = f"DEPTH = {len(words)};\nWIDTH = {width};\nADDRESS_RADIX = HEX;\nDATA_RADIX = HEX;\n"
    body = "".join(f"{address:X} : {line};\n" for address, line in enumerate(lines))
    return (head + "CONTENT BEGIN\n" + body + "END;\n").encode()


def _bin(words: Words, width: int) -> bytes:
    """Raw words, ``ceil(width / 8)`` bytes each, least significant byte first."""
    return words.tobytes()


FORMATS = {"bin": _bin, "coe": _coe, "mif": _mif}
"""Names of the formats beside .mem that `write_memory` knows."""


def write_memory(kind: str, words: Words, width: int) -> bytes:
    """Return a memory as a file of format `kind`, one of `FORMATS`.

    Parameters
    ----------
    kind : str
        ``coe`` (AMD), ``mif`` (Intel) or ``bin`` (raw, least significant byte first).
    words : ndarray of uint8, shape (depth, bytes a word)
    width : int
        Bits a word.
    """
    return FORMATS[kind](words, width)
