"""What an engine will take of a board's chip, before any synthesis."""

from __future__ import annotations

from dataclasses import dataclass

from darb.golden.config import EngineConfig
from darb.golden.register_map import Storage
from darb.hw.boards import Board
from darb.hw.boards.devices import Family
from darb.hw.estimate.coefficients import FFS, LUTS
from darb.hw.estimate.engine_memories import EngineMemory, all_memories
from darb.hw.estimate.memory_mapping import MemoryMapping, MemoryUse, map_memory
from darb.hw.estimate.multipliers import post_processor_multipliers, product_multipliers
from darb.hw.estimate.quantities import Quantities, board_quantities
from darb.hw.flow.resources import BLOCK_RAM, FF, LUT, LUT_RAM, MULTIPLIER, RESOURCES, Usage

GRAINS = {Family.ECP5: 512, Family.ICE40: 256, Family.GOWIN: 512, Family.XILINX: 512}
"""Words that the depth of an image memory is rounded up to, so that its contents can be exchanged;
as `darb.hw.flow.toolchain` has it. On xilinx none are, but it has no shallower block RAM either."""
MOST_LUTS = 0.95
"""Share of the look-up tables beyond which a design rarely routes."""
_LOST_TO_A_LUT_RAM = {Family.GOWIN: {LUT: 8, FF: 6}}
"""What a LUT RAM keeps others from, where that is not counted as used."""
_LUTS_A_LUT_RAM = {Family.ECP5: 8, Family.GOWIN: 32}
"""Look-up tables for each LUT RAM that the chip has."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """What one component takes.

    Parameters
    ----------
    name : str
    luts, ffs, lut_rams, block_rams, multipliers : float
        `luts` and `ffs` estimated, the others exact.
    """

    name: str
    luts: float = 0
    ffs: float = 0
    lut_rams: float = 0
    block_rams: float = 0
    multipliers: float = 0


@dataclass(frozen=True, kw_only=True)
class ResourceEstimate:
    """What an engine behind its host link takes of one board's chip.

    Parameters
    ----------
    board : Board
    parts : tuple of Part
    exchangeable : bool
        The image memories are in block RAM of their own; see `darb.hw.flow.build`.
    """

    board: Board
    parts: tuple[Part, ...]
    exchangeable: bool

    def _sum(self, name: str) -> int:
        total = sum(getattr(part, name) for part in self.parts)
        # Half a RAMB36 left over is taken as well.
        return int(-(-total // 1)) if name == "block_rams" else round(total)

    @property
    def usage(self) -> dict[str, Usage]:
        """Used and available, by the words of `darb.hw.flow.resources`."""
        chip, family = self.board.capacity, self.board.family
        usage = {
            LUT: Usage(self._sum("luts"), chip.luts),
            FF: Usage(self._sum("ffs"), chip.ffs),
            BLOCK_RAM: Usage(self._sum("block_rams"), chip.block_rams),
            MULTIPLIER: Usage(self._sum("multipliers"), chip.multipliers),
        }
        if family in _LUTS_A_LUT_RAM:
            usage[LUT_RAM] = Usage(self._sum("lut_rams"), chip.luts // _LUTS_A_LUT_RAM[family])
        return {kind: usage[kind] for kind in RESOURCES if kind in usage}

    @property
    def over(self) -> dict[str, int]:
        """How many too many of each kind there are, of those that do not fit."""
        excess = {}
        lost = _LOST_TO_A_LUT_RAM.get(self.board.family, {})
        for kind, usage in self.usage.items():
            most = int(MOST_LUTS * usage.available) if kind == LUT else usage.available
            needed = usage.used + lost.get(kind, 0) * self._sum("lut_rams")
            if needed > most:
                excess[kind] = needed - most
        return excess

    @property
    def fits(self) -> bool:
        """Whether the chip holds it."""
        return not self.over


def map_memories(
    config: EngineConfig, storage: Storage, family: Family, *, exchangeable: bool
) -> dict[str, tuple[EngineMemory, MemoryMapping]]:
    """Return every memory of an engine behind its host link, by name, and what it is made of.

    Parameters
    ----------
    config : EngineConfig
    storage : Storage
    family : Family
    exchangeable : bool
        Image memories in block RAM, their depths rounded up.
    """
    grain = GRAINS[family]
    mapped = {}
    for memory in all_memories(config, storage):
        whole = exchangeable and memory.use is MemoryUse.ROM
        mapped[memory.name] = (
            memory,
            map_memory(
                family,
                depth=-(-memory.depth // grain) * grain if whole else memory.depth,
                width=memory.width,
                use=memory.use,
                unread=memory.unread,
                in_block_ram=whole,
            ),
        )
    return mapped


_HOMES = {
    "weights": "image memories",
    "indices": "image memories",
    "rows": "image memories",
    "layers": "image memories",
    "input banks": "activation banks",
    "hidden banks": "activation banks",
    "output buffer": "output buffer",
    "frame buffer": "host link's buffers",
}


def _part(
    name: str,
    quantities: Quantities,
    family: Family,
    memories: dict[str, tuple[EngineMemory, MemoryMapping]],
    multipliers: int,
) -> Part:
    luts, ffs = LUTS[family], FFS[family]
    registers = quantities.register_bits
    registers += sum(ffs.get(key, 0) * value for key, value in quantities.ffs.items())
    own = [pair for key, pair in memories.items() if _HOMES[key] == name]
    return Part(
        name=name,
        luts=sum(luts.get(key, 0) * value for key, value in quantities.luts.items())
        + luts.get("ffs", 0) * registers,
        ffs=registers,
        lut_rams=sum(memory.copies * mapping.lut_rams for memory, mapping in own),
        block_rams=sum(memory.copies * mapping.block_rams for memory, mapping in own),
        multipliers=multipliers,
    )


def estimate_resources(
    board: Board,
    config: EngineConfig,
    *,
    storage: Storage = Storage.ROM,
    exchangeable: bool | None = None,
) -> ResourceEstimate:
    """Return what an engine behind its host link takes of a board's chip.

    Block RAMs and multipliers are exact, as long as the image memories find room in block RAM;
    look-up tables and flip-flops are within 15 % of what place and route then counts.

    Parameters
    ----------
    board : Board
    config : EngineConfig
    storage : Storage
    exchangeable : bool, optional
        Whether the image memories are in block RAM of their own, with storage `rom`; by default,
        as in a build, wherever the chip has the block RAM for it.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    """
    for name, value, kind in (
        ("board", board, Board),
        ("config", config, EngineConfig),
        ("storage", storage, Storage),
    ):
        if not isinstance(value, kind):
            raise TypeError(f"{name} must be a {kind.__name__}, not {value!r}")
    family = board.family
    multipliers = {
        "multipliers and adder trees": config.multipliers * product_multipliers(family, config),
        "row post-processor": post_processor_multipliers(family, config),
    }
    estimate = None
    choices = (True, False) if exchangeable is None else (exchangeable,)
    for exchangeable in choices if storage is Storage.ROM else (False,):
        memories = map_memories(config, storage, family, exchangeable=exchangeable)
        quantities = board_quantities(config, storage, family, memories)
        estimate = ResourceEstimate(
            board=board,
            parts=tuple(
                _part(name, item, family, memories, multipliers.get(name, 0))
                for name, item in quantities.items()
            ),
            exchangeable=exchangeable,
        )
        if estimate.usage[BLOCK_RAM].used <= board.capacity.block_rams:
            break
    return estimate
