"""The control registers: where each one is, and how an engine tells what it can hold.

The engine's AXI4-Lite end answers by this map; a host reads an `EngineConfig` back from it.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping

from darb.golden.config import EngineConfig, OutputMode
from darb.golden.memory_map import FORMAT_VERSION, MEMORIES

IDENTITY = int.from_bytes(b"darb", "big")
ADDRESS_BITS = 8


class Storage(enum.StrEnum):
    """How the engine's image memories get their contents.

    ``rom``: with the bitstream. ``ram``: over the control registers, at run time.
    """

    ROM = "rom"
    RAM = "ram"


_CONSTANT = (
    ("weight_depth", 0x44),
    ("index_depth", 0x48),
    ("row_depth", 0x4C),
    ("layer_depth", 0x50),
    ("input_depth", 0x54),
    ("hidden_depth", 0x58),
    ("output_depth", 0x5C),
)

REGISTERS = {
    "identity": 0x00,
    "format_version": 0x04,
    "digest_0": 0x08,
    "digest_1": 0x0C,
    "digest_2": 0x10,
    "shape": 0x14,
    "status": 0x18,
    "errors": 0x1C,
    "vectors": 0x20,
    "cycles": 0x24,
    "stalls": 0x28,
    "control": 0x2C,
    "load_place": 0x30,
    "load_data": 0x34,
    "input_beats": 0x38,
    "outputs": 0x3C,
    "widths": 0x40,
    **dict(_CONSTANT),
}
"""Byte address of each 32-bit register."""
CHECK_REGISTERS = {"check": 0x60, "check_crc": 0x64}
"""Further ones of an engine that can check its memories; see `darb.golden.memory_check`."""

STATUS = {"booted": 0, "busy": 1, "version_differs": 2}
"""Bits of register `status`."""
ERRORS = {"too_short": 0, "too_long": 1}
"""Bits of register `errors`; they stay until a write of 1 clears them."""
CONTROL = {"halt": 0}
"""Bits of register `control`: while `halt` is 1 the engine is in reset.

Of storage `ram`, or of an engine that can check its memories."""
LOAD_MEMORY = {name: number for number, name in enumerate(MEMORIES)}
"""Bits 28 and up of register `load_place`: the memory that `load_data` writes to."""
LOAD_MEMORY_SHIFT = 28

_SHAPE = (("lanes", 0, 16), ("rows", 16, 8), ("weight_bits", 24, 4), ("activation_bits", 28, 4))
_WIDTHS = (("accumulator_bits", 0, 8), ("index_word_bits", 8, 8), ("max_k", 16, 8))
_MODES = tuple(OutputMode)
_STORAGES = tuple(Storage)


def constant_registers(config: EngineConfig, storage: Storage) -> dict[str, int]:
    """Return the registers that never change: who the engine is and what it can hold.

    ``shape``: lanes in bits 15..0, rows 23..16, weight_bits 27..24, activation_bits 31..28.
    ``widths``: accumulator_bits in bits 7..0, index_word_bits 15..8, max_k 23..16, the output
    mode 27..24 (activations, accumulators, argmax), the storage 31..28 (rom, ram).
    """
    widths = sum(getattr(config, name) << at for name, at, _ in _WIDTHS)
    widths |= _MODES.index(config.output_mode) << 24 | _STORAGES.index(storage) << 28
    return {
        "identity": IDENTITY,
        "format_version": FORMAT_VERSION,
        "shape": sum(getattr(config, name) << at for name, at, _ in _SHAPE),
        "widths": widths,
        **{name: getattr(config, name) for name, _ in _CONSTANT},
    }


def read_config(registers: Mapping[str, int]) -> tuple[EngineConfig, Storage]:
    """Return what the registers of `constant_registers` tell; its inverse.

    Raises
    ------
    ValueError
        If they are not an engine's, or of one that another release made.
    """
    if registers["identity"] != IDENTITY:
        raise ValueError(f"identity must be 0x{IDENTITY:08x}, not 0x{registers['identity']:08x}")
    if registers["format_version"] != FORMAT_VERSION:
        raise ValueError(
            f"the engine's image format must be version {FORMAT_VERSION}, "
            f"not {registers['format_version']!r}"
        )
    fields = {
        name: registers[word] >> at & (1 << bits) - 1
        for word, layout in (("shape", _SHAPE), ("widths", _WIDTHS))
        for name, at, bits in layout
    }
    mode, storage = registers["widths"] >> 24 & 0xF, registers["widths"] >> 28
    if mode >= len(_MODES) or storage >= len(_STORAGES):
        raise ValueError(f"widths must name a mode and a storage, not 0x{registers['widths']:08x}")
    depths = {name: registers[name] for name, _ in _CONSTANT}
    return EngineConfig(**fields, **depths, output_mode=_MODES[mode]), _STORAGES[storage]


def digest_registers(registers: Mapping[str, int]) -> str:
    """Return the digest of the image that an engine holds, spelt as `Image.digest`."""
    value = sum(registers[f"digest_{number}"] << 32 * number for number in range(3))
    return value.to_bytes(12, "big").hex()
