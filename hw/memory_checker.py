"""The memory checker: reads the image memories of a halted engine and computes their CRC."""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.crc.catalog import CRC32_ISO_HDLC
from amaranth.lib.wiring import In, Out

from darb.golden.config import EngineConfig
from darb.golden.memory_map import MEMORIES, address_bits, memory_shapes
from darb.golden.register_map import LOAD_MEMORY, LOAD_MEMORY_SHIFT

_BYTE = 8


def checking_signature() -> wiring.Signature:
    """Return what the registers say to the memory checker, and it to them.

    `halt`: the engine is in reset. `start`: begin what `word` asks for; only where `okay` allows it
    in the same clock. `left`: words still to be read. `crc`: of those that were.
    """
    return wiring.Signature(
        {
            "halt": Out(1),
            "start": Out(1),
            "word": Out(32),
            "okay": In(1),
            "left": In(LOAD_MEMORY_SHIFT),
            "crc": In(32),
        }
    )


def memory_read_signature(config: EngineConfig) -> wiring.Signature:
    """Return a read port for all image memories, data two clocks after `en` and `addr`.

    `active`: the port has the memories. `en`: one bit a memory, bit m for memory number m. `addr`:
    of the word. `weights`, `indices`, `rows`, `layers`: the word, from the memory of that name.
    """
    shapes = memory_shapes(config)
    return wiring.Signature(
        {
            "active": Out(1),
            "en": Out(len(MEMORIES)),
            "addr": Out(max(address_bits(depth) for depth, _ in shapes.values())),
            **{name: In(width) for name, (_, width) in shapes.items()},
        }
    )


class MemoryChecker(wiring.Component):
    """Computes the CRC-32 of the first words of one image memory, as `golden.memory_crcs` has it.

    A byte a clock, and three clocks more a word. It begins with a request for 1 or more words of a
    memory, not more than it has, while halted and not at work; what is under way is given up when
    the engine goes on.

    Parameters
    ----------
    config : EngineConfig

    Attributes
    ----------
    i : In(checking_signature())
        `word` names the memory by its number in bits 31..28, the words in bits 27..0.
    o : Out(memory_read_signature(config))
    """

    def __init__(self, *, config: EngineConfig) -> None:
        self._config = config
        super().__init__({"i": In(checking_signature()), "o": Out(memory_read_signature(config))})

    def elaborate(self, platform: object) -> Module:
        """Build the checker."""
        m = Module()
        shapes = memory_shapes(self._config)
        sizes = {name: -(-width // _BYTE) for name, (_, width) in shapes.items()}
        m.submodules.crc = crc = CRC32_ISO_HDLC(data_width=_BYTE).create()
        memory, last_byte = Signal(range(len(MEMORIES))), Signal()
        left = Signal(range(max(depth for depth, _ in shapes.values()) + 1))
        byte = Signal(range(max(sizes.values())))
        reads, waits, picks, ends = Signal(), Signal(), Signal(), Signal()
        asked_memory = self.i.word[LOAD_MEMORY_SHIFT:]
        asked_words = self.i.word[:LOAD_MEMORY_SHIFT]
        with m.Switch(asked_memory):
            for name, number in LOAD_MEMORY.items():
                with m.Case(number):
                    fits = (asked_words != 0) & (asked_words <= shapes[name][0])
                    m.d.comb += self.i.okay.eq(self.i.halt & (left == 0) & fits)
        m.d.comb += [
            self.i.left.eq(left),
            self.i.crc.eq(crc.crc),
            # The engine reads from its first clock out of reset on.
            self.o.active.eq((left != 0) & self.i.halt),
            # Read all the time: the word then stays, in a simulator's memory under reset too.
            self.o.en.eq(self.o.active << memory),
            crc.start.eq(self.i.start),
        ]
        # The byte is chosen inside each memory's word, a clock later among the memories.
        chosen = []
        for name in MEMORIES:
            word = getattr(self.o, name)
            padded = Cat(word, Const(0, _BYTE * sizes[name] - len(word)))
            chosen.append(Signal(_BYTE, name=f"{name}_byte"))
            m.d.sync += chosen[-1].eq(padded.word_select(byte, _BYTE))
        with m.Switch(memory):
            for name, number in LOAD_MEMORY.items():
                with m.Case(number):
                    m.d.comb += last_byte.eq(byte == sizes[name] - 1)
        m.d.comb += crc.data.eq(Array(chosen)[memory])

        m.d.sync += [reads.eq(0), waits.eq(reads), ends.eq(0), crc.valid.eq(picks)]
        with m.If(self.i.start):
            m.d.sync += [
                memory.eq(asked_memory),
                left.eq(asked_words),
                self.o.addr.eq(0),
                reads.eq(1),
            ]
        with m.If(waits):
            m.d.sync += [picks.eq(1), byte.eq(0)]
        with m.If(picks):
            m.d.sync += [byte.eq(byte + 1), picks.eq(~last_byte), ends.eq(last_byte)]
        with m.If(ends):
            m.d.sync += [
                left.eq(left - 1),
                self.o.addr.eq(self.o.addr + 1),
                reads.eq(left != 1),
            ]
        with m.If(~self.i.halt):
            m.d.sync += [reads.eq(0), waits.eq(0), picks.eq(0), ends.eq(0), left.eq(0)]
        return m
