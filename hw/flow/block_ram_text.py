"""Block RAM contents in the text files of the families' tools: read them, write others."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from darb.hw.boards.devices import Family
from darb.hw.flow.block_ram import Bits

Blocks = dict[str, Bits]
"""Each block RAM's (rows, columns) of bits, by its name in the file."""

_TRELLIS = re.compile(r"^\.bram_init (\d+)\n((?:[0-9a-f ]+\n)+)", re.MULTILINE)
_TRELLIS_ENTRY_BITS = 9
_TRELLIS_COLUMNS = 36
_ICESTORM = re.compile(r"^\.ram_data (\d+ \d+)\n((?:[0-9a-f]+\n)+)", re.MULTILINE)
_ICESTORM_COLUMNS = 16
_GOWIN_WORDS = [f"INIT_RAM_{number:02X}" for number in range(64)]


def _trellis_read(text: str) -> Blocks:
    blocks = {}
    for match in _TRELLIS.finditer(text):
        entries = np.array([int(word, 16) for word in match[2].split()])
        bits = entries[:, None] >> np.arange(_TRELLIS_ENTRY_BITS) & 1
        blocks[match[1]] = bits.astype(bool).reshape(-1, _TRELLIS_COLUMNS)
    return blocks


def _trellis_write(text: str, blocks: Blocks) -> str:
    def spell(match: re.Match) -> str:
        bits = blocks[match[1]].reshape(-1, _TRELLIS_ENTRY_BITS)
        entries = bits @ (1 << np.arange(_TRELLIS_ENTRY_BITS))
        lines = (" ".join(f"{entry:03x}" for entry in line) for line in entries.reshape(-1, 8))
        return f".bram_init {match[1]}\n" + "".join(f"{line}\n" for line in lines)

    return _TRELLIS.sub(spell, text)


def _icestorm_read(text: str) -> Blocks:
    blocks = {}
    for match in _ICESTORM.finditer(text):
        # A line is one number of 256 bits: its words lowest first.
        lines = [bytes.fromhex(line)[::-1] for line in match[2].split()]
        bits = np.unpackbits(np.frombuffer(b"".join(lines), np.uint8), bitorder="little")
        blocks[match[1]] = bits.astype(bool).reshape(-1, _ICESTORM_COLUMNS)
    return blocks


def _icestorm_write(text: str, blocks: Blocks) -> str:
    def spell(match: re.Match) -> str:
        lines = np.packbits(blocks[match[1]].reshape(-1, 256), axis=1, bitorder="little")
        return f".ram_data {match[1]}\n" + "".join(
            f"{line.tobytes()[::-1].hex()}\n" for line in lines
        )

    return _ICESTORM.sub(spell, text)


def _gowin_cells(design: dict) -> dict[str, dict[str, str]]:
    """Return the parameters of each cell that has contents."""
    (module,) = (item for item in design["modules"].values() if "top" in item["attributes"])
    return {
        name: cell["parameters"]
        for name, cell in module["cells"].items()
        if all(word in cell["parameters"] for word in _GOWIN_WORDS)
    }


def _gowin_read(text: str) -> Blocks:
    blocks = {}
    for name, parameters in _gowin_cells(json.loads(text)).items():
        # Written highest bit first; a bit that synthesis left open counts as zero.
        bits = "".join(parameters[word][::-1] for word in _GOWIN_WORDS)
        ones = np.frombuffer(bits.encode(), np.uint8) == ord("1")
        blocks[name] = ones.reshape(512, -1)
    return blocks


def _gowin_write(text: str, blocks: Blocks) -> str:
    design = json.loads(text)
    for name, parameters in _gowin_cells(design).items():
        words = blocks[name].reshape(len(_GOWIN_WORDS), -1)
        for word, bits in zip(_GOWIN_WORDS, words, strict=True):
            parameters[word] = (bits[::-1] + np.uint8(ord("0"))).tobytes().decode()
    return json.dumps(design)


@dataclass(frozen=True)
class ContentsText:
    """How one family's file holds contents.

    Parameters
    ----------
    read : callable
        From the text to `Blocks`.
    write : callable
        From the text and `Blocks` to the text with these contents.
    """

    read: Callable[[str], Blocks]
    write: Callable[[str, Blocks], str]


CONTENTS_TEXTS = {
    Family.ECP5: ContentsText(_trellis_read, _trellis_write),
    Family.ICE40: ContentsText(_icestorm_read, _icestorm_write),
    Family.GOWIN: ContentsText(_gowin_read, _gowin_write),
}
"""Prjtrellis' .config, IceStorm's .asc, nextpnr's placed design for gowin_pack."""
