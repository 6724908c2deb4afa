"""The memories inside each family's chips, and what yosys reckons that they cost.

The figures are those of yosys 0.70's memory libraries (``brams.txt``, ``lutrams.txt``).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from darb.hw.boards.devices import Family


class MemoryKind(enum.StrEnum):
    """What a memory of the design is made of."""

    BLOCK_RAM = "block RAM"
    LUT_RAM = "LUT RAM"
    LOGIC = "logic"


@dataclass(frozen=True, kw_only=True)
class MemoryCell:
    """One kind of memory in the chip, as yosys' library has it.

    Parameters
    ----------
    kind : MemoryKind
        Block RAM or LUT RAM; a LUT RAM is read in the clock of its address, and serves no ROM.
    words : int
        Of one bit each; a word of the n-th of `widths` takes 2**n of them.
    widths : tuple of int
        Bits of a word, ascending; where a step less than doubles, the parity bits begin.
    cost : int
        Of one cell.
    width_cost : int
        Part of it that goes by the bits in use.
    byte : int
        Bits that share a write enable; 0 where a word has only one.
    narrowest_write, widest_write : int, optional
        Bits of a word of the write port, where that is not free.
    two_ports : bool
        Reads and writes at different addresses.
    keeps_old : bool
        A read beside a write of the same word gets the old one.
    starts_at_zero : bool
        The data register is zero out of configuration.
    """

    kind: MemoryKind = MemoryKind.BLOCK_RAM
    words: int
    widths: tuple[int, ...]
    cost: int
    width_cost: int = 0
    byte: int = 0
    narrowest_write: int | None = None
    widest_write: int | None = None
    two_ports: bool = True
    keeps_old: bool = False
    starts_at_zero: bool = True


_NARROW = (1, 2, 4, 9, 18)
_WIDE = (*_NARROW, 36)

MEMORY_CELLS: dict[Family, tuple[MemoryCell, ...]] = {
    Family.ECP5: (
        MemoryCell(kind=MemoryKind.LUT_RAM, words=16, widths=(4,), cost=4),
        # DP16KD, with two ports alike.
        MemoryCell(words=1 << 14, widths=_NARROW, cost=128, byte=9),
        # The same with one port to write, 36 bits wide, and one to read.
        MemoryCell(words=1 << 14, widths=_WIDE, cost=128, byte=9, narrowest_write=36),
    ),
    Family.ICE40: (
        MemoryCell(
            words=1 << 11,
            widths=(2, 4, 8, 16),
            cost=64,
            widest_write=8,
            starts_at_zero=False,
        ),
        MemoryCell(
            words=1 << 11,
            widths=(2, 4, 8, 16),
            cost=64,
            byte=1,
            narrowest_write=16,
            starts_at_zero=False,
        ),
    ),
    Family.GOWIN: (
        MemoryCell(kind=MemoryKind.LUT_RAM, words=16, widths=(4,), cost=4, width_cost=4),
        MemoryCell(words=1 << 14, widths=_WIDE, cost=128, byte=9, two_ports=False),
        MemoryCell(words=1 << 14, widths=_NARROW, cost=128, byte=9),
        MemoryCell(words=1 << 14, widths=_WIDE, cost=128, byte=9),
    ),
    Family.XILINX: (
        MemoryCell(kind=MemoryKind.LUT_RAM, words=32, widths=(6,), cost=8, width_cost=7),
        MemoryCell(kind=MemoryKind.LUT_RAM, words=64, widths=(3,), cost=8, width_cost=7),
        # Half a RAMB36, then a whole one.
        MemoryCell(words=1 << 14, widths=_NARROW, cost=129, byte=9, keeps_old=True),
        MemoryCell(words=1 << 15, widths=_WIDE, cost=257, byte=9, keeps_old=True),
        MemoryCell(
            words=1 << 14, widths=_WIDE, cost=129, byte=9, narrowest_write=36, keeps_old=True
        ),
        MemoryCell(
            words=1 << 15, widths=(*_WIDE, 72), cost=257, byte=9, narrowest_write=72, keeps_old=True
        ),
    ),
}
