"""A lane's finished sums, in the order in which it finished them."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from darb.golden.memory_map import address_bits
from darb.hw.memory import Ram


class SumQueue(wiring.Component):
    """Holds up to `depth` sums; room for one is reserved before it is computed.

    A sum can be taken from the clock after its write on, and stands one clock after it is taken.
    One in and one out a clock.

    Parameters
    ----------
    width : int
        Bits of a signed sum, or of several that go together.
    depth : int
        A power of two.

    Attributes
    ----------
    room : Out(1)
        A place can be reserved.
    reserve : In(1)
    write_en, write_data : In
        A sum with a reserved place.
    waits : Out(1)
        A sum can be taken.
    take : In(1)
    data : Out(signed(width))
        The sum taken last.
    """

    def __init__(self, *, width: int, depth: int) -> None:
        self._width, self._depth = width, depth
        super().__init__(
            {
                "room": Out(1),
                "reserve": In(1),
                "write_en": In(1),
                "write_data": In(signed(width)),
                "waits": Out(1),
                "take": In(1),
                "data": Out(signed(width)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the queue."""
        m = Module()
        bits = address_bits(self._depth)
        m.submodules.words = words = Ram(width=self._width, depth=1 << bits)
        reserved, present = Signal(range(self._depth + 1)), Signal(range(self._depth + 1))
        m.d.comb += [
            self.room.eq(reserved != self._depth),
            self.waits.eq(present != 0),
            words.w_en.eq(self.write_en),
            words.w_data.eq(self.write_data),
            words.r_en.eq(self.take),
            self.data.eq(words.data),
        ]
        m.d.sync += [
            reserved.eq(reserved + self.reserve - self.take),
            present.eq(present + self.write_en - self.take),
            words.w_addr.eq(words.w_addr + self.write_en),
            words.r_addr.eq(words.r_addr + self.take),
        ]
        return m
