"""The image loader: 32-bit register writes into the words of the image memories."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from darb.golden.config import EngineConfig
from darb.golden.memory_map import MEMORIES, address_bits, memory_shapes
from darb.golden.register_map import LOAD_MEMORY, LOAD_MEMORY_SHIFT

_PIECE_BITS = 32


def loading_signature() -> wiring.Signature:
    """Return what the registers say to the image loader, and it to them.

    `halt`: the engine is in reset. `place_en`, `data_en`: write `word`, which stands at least that
    clock, to the place or to the memory; only where `place_okay`, `data_okay` allows it in the same
    clock. `place`: where the next data goes.
    """
    return wiring.Signature(
        {
            "halt": Out(1),
            "place_en": Out(1),
            "data_en": Out(1),
            "word": Out(_PIECE_BITS),
            "place_okay": In(1),
            "data_okay": In(1),
            "place": In(32),
        }
    )


def memory_write_signature(config: EngineConfig) -> wiring.Signature:
    """Return a write port for all image memories.

    `en`: one bit a memory, bit m for memory number m. `addr`: of the word. `weights`, `indices`,
    `rows`, `layers`: the word, for the memory of that name.
    """
    shapes = memory_shapes(config)
    return wiring.Signature(
        {
            "en": Out(len(MEMORIES)),
            "addr": Out(max(address_bits(depth) for depth, _ in shapes.values())),
            **{name: Out(width) for name, (_, width) in shapes.items()},
        }
    )


class ImageLoader(wiring.Component):
    """Collects the words of the image memories from 32-bit pieces, least significant first.

    A piece a clock. A word is whole with its last piece, of ceil(width / 32), and is written one
    clock later, from registers; then the next word of the same memory is collected. A new place
    drops the pieces of a word that is not whole. Accepted are a place inside a memory, and data
    below the memory's end; both only while halted.

    Parameters
    ----------
    config : EngineConfig

    Attributes
    ----------
    i : In(loading_signature())
    o : Out(memory_write_signature(config))
    """

    def __init__(self, *, config: EngineConfig) -> None:
        self._config = config
        super().__init__({"i": In(loading_signature()), "o": Out(memory_write_signature(config))})

    def elaborate(self, platform: object) -> Module:
        """Build the loader."""
        m = Module()
        shapes = memory_shapes(self._config)
        pieces = {name: -(-width // _PIECE_BITS) for name, (_, width) in shapes.items()}
        most = max(pieces.values())
        assembly, count = Signal(_PIECE_BITS * most), Signal(range(most))
        memory, last_piece = Signal(range(len(MEMORIES))), Signal()
        # One more than any word's, where the address stands once a memory is full.
        address = Signal(range(max(depth for depth, _ in shapes.values()) + 1))
        place_memory = self.i.word[LOAD_MEMORY_SHIFT:]
        place_address = self.i.word[:LOAD_MEMORY_SHIFT]
        with m.Switch(place_memory):
            for name, number in LOAD_MEMORY.items():
                with m.Case(number):
                    m.d.comb += self.i.place_okay.eq(
                        self.i.halt & (place_address < shapes[name][0])
                    )
        with m.Switch(memory):
            for name, number in LOAD_MEMORY.items():
                with m.Case(number):
                    m.d.comb += [
                        self.i.data_okay.eq(self.i.halt & (address != shapes[name][0])),
                        last_piece.eq(count == pieces[name] - 1),
                    ]
        unused = Const(0, LOAD_MEMORY_SHIFT - len(address))
        m.d.comb += self.i.place.eq(Cat(address, unused, memory))

        m.d.sync += self.o.en.eq(0)
        with m.If(self.i.place_en):
            m.d.sync += [memory.eq(place_memory), address.eq(place_address), count.eq(0)]
        with m.If(self.i.data_en):
            m.d.sync += [assembly.eq(Cat(assembly[_PIECE_BITS:], self.i.word)), count.eq(count + 1)]
            with m.If(last_piece):
                m.d.sync += [
                    count.eq(0),
                    address.eq(address + 1),
                    self.o.en.eq(1 << memory),
                    self.o.addr.eq(address),
                ]
        for name, (_, width) in shapes.items():
            # Pieces come in at the top, so that each memory finds its word without a multiplexer.
            first = _PIECE_BITS * (most - pieces[name])
            m.d.comb += getattr(self.o, name).eq(assembly[first : first + width])
        return m
