"""Which memories of a design become block RAM, and how many: yosys' own choice, done over.

It follows what yosys 0.70's pass ``memory_libmap`` does, so that the number of block RAMs is exact:
of all the cells and all the widths of each, the cheapest by a count of cells and of the logic
around them.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from darb.hw.boards.devices import Family
from darb.hw.estimate.memory_cells import MEMORY_CELLS, MemoryCell, MemoryKind

_LOGIC_COST_ROM = 1 / 16
_LOGIC_COST_ROM_OF_6_INPUTS = 1 / 64
_LOGIC_COST_RAM = 1
_MUX_COST = 1 / 2
_EMULATION_COST = 2
_KEEP_OLD, _START_AT_ZERO, _READ_PORT = 6, 2, 1
"""Points for what has to be built around a cell: the old word beside a write (a delayed write and
its forwarding), a zero out of configuration, a port of its own to read."""


class MemoryUse(enum.Enum):
    """How the design uses a memory: one of the three modules in ``memories.v``."""

    ROM = "darb_rom"
    LOADABLE_ROM = "darb_loadable_rom"
    RAM = "darb_ram"


@dataclass(frozen=True, kw_only=True)
class MemoryMapping:
    """What one memory is made of.

    Parameters
    ----------
    kind : MemoryKind
    depth, width : int
        Words of the memory and the bits of each that are read.
    cells : int
        Block RAMs or LUT RAMs; 0 in logic.
    ranges : int
        Runs of words in cells of their own, between which logic selects; 1 in logic.
    share : float
        Of a block RAM that one cell takes: half of a RAMB36, else the whole.
    """

    kind: MemoryKind
    depth: int
    width: int
    cells: int = 0
    ranges: int = 1
    share: float = 1.0

    @property
    def block_rams(self) -> float:
        """Block RAMs."""
        return self.cells * self.share if self.kind is MemoryKind.BLOCK_RAM else 0

    @property
    def lut_rams(self) -> int:
        """LUT RAMs."""
        return self.cells if self.kind is MemoryKind.LUT_RAM else 0


@dataclass(frozen=True)
class _Layout:
    cost: float
    cells: int
    ranges: int
    unit: int
    padded: int

    def cells_read(self, width: int, unread: range) -> int:
        """Return the cells that hold a bit that is read; synthesis drops the others."""
        read = set()
        for first in range(0, self.ranges * self.padded, self.padded):
            for bit in range(width):
                if bit not in unread:
                    read.add((first + bit) // self.unit)
        return len(read)


def _emulation(cell: MemoryCell, use: MemoryUse) -> int:
    points = _READ_PORT
    if cell.kind is MemoryKind.LUT_RAM:
        # A register behind it does all of this.
        return points
    if use is MemoryUse.RAM and not cell.keeps_old:
        points += _KEEP_OLD
    if not cell.starts_at_zero:
        points += _START_AT_ZERO
    return points


def _best_layout(cell: MemoryCell, depth: int, width: int, use: MemoryUse) -> _Layout:
    """Choose the width in which `cell` holds the memory for the least cost."""
    writes = use is not MemoryUse.ROM
    widest = cell.widths[-1]
    if writes and cell.widest_write is not None:
        widest = cell.widest_write
    # A narrow write port is made of a wide one's write enables, but not inside a byte.
    narrowest = 0
    if writes and cell.narrowest_write is not None and cell.byte:
        narrowest = max(bits for bits in cell.widths if bits <= cell.byte) if cell.byte > 1 else 0
    best = None
    for number, unit in enumerate(cell.widths):
        if unit < narrowest or (unit > widest and best is not None):
            continue
        byte = min(cell.byte or unit, unit) if writes else 1
        padded = -(-width // byte) * byte
        ranges = -(-depth // (cell.words >> number))
        cells = -(-ranges * padded // unit)
        cost = (cell.cost - cell.width_cost) * cells + cell.width_cost * ranges * width / unit
        cost += _MUX_COST * (ranges - 1) * width
        if writes and ranges > 1:
            cost += _MUX_COST * ranges
        cost += _EMULATION_COST * _emulation(cell, use)
        # Yosys keeps the best cost as an integer.
        if best is None or cost < int(best.cost):
            best = _Layout(cost, cells, ranges, unit, padded)
    return best


def map_memory(
    family: Family,
    *,
    depth: int,
    width: int,
    use: MemoryUse,
    unread: range = range(0),
    in_block_ram: bool = False,
) -> MemoryMapping:
    """Return what yosys makes of a memory.

    Parameters
    ----------
    family : Family
    depth, width : int
        Words and bits a word, those not counted that are the same in all of them.
    use : MemoryUse
    unread : range
        Bits of each word that nothing reads.
    in_block_ram : bool
        The design asks for block RAM, whatever it costs.
    """
    if len(unread) >= width:
        return MemoryMapping(kind=MemoryKind.LOGIC, depth=depth, width=0)
    chosen, layout = None, None
    by_kind: dict[MemoryKind, tuple[MemoryCell, _Layout]] = {}
    for cell in MEMORY_CELLS[family]:
        if cell.kind is MemoryKind.LUT_RAM and (in_block_ram or use is MemoryUse.ROM):
            continue
        if not cell.two_ports and use is not MemoryUse.ROM:
            continue
        found = _best_layout(cell, depth, width, use)
        if cell.kind not in by_kind or found.cost < by_kind[cell.kind][1].cost:
            by_kind[cell.kind] = cell, found
    factor = _LOGIC_COST_RAM
    if use is MemoryUse.ROM:
        factor = _LOGIC_COST_ROM_OF_6_INPUTS if family is Family.XILINX else _LOGIC_COST_ROM
    best = None if in_block_ram else int(depth * width * factor)
    for cell, found in by_kind.values():
        if best is None or found.cost < best:
            chosen, layout, best = cell, found, int(found.cost)
    if chosen is None:
        return MemoryMapping(kind=MemoryKind.LOGIC, depth=depth, width=width - len(unread))
    share = 0.5 if family is Family.XILINX and chosen.words == 1 << 14 else 1.0
    return MemoryMapping(
        kind=chosen.kind,
        depth=depth,
        width=width - len(unread),
        cells=layout.cells_read(width, unread),
        ranges=layout.ranges,
        share=share,
    )
