"""A lane's queue of columns to work through."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from darb.golden.memory_map import address_bits
from darb.hw.memory import Ram


class ColumnQueue(wiring.Component):
    """Has `places` for items; one is reserved before it is known whether it is needed.

    An item stands at `head` two clocks after its write if none is before it, else in the clock
    after that one is taken. One in and one out a clock.

    Parameters
    ----------
    layout : data.StructLayout
        Of an item.
    places : int

    Attributes
    ----------
    room : Out(1)
        Two places can be reserved, so that one can in the next clock, whatever this one brings.
    reserve : In(1)
    write, item : In
        An item with a reserved place.
    drop : In(1)
        A reserved place is not needed.
    waits : Out(1)
        An item stands at `head`.
    head : Out(layout)
    take : In(1)
    """

    def __init__(self, *, layout: data.StructLayout, places: int) -> None:
        self._layout, self._places = layout, places
        super().__init__(
            {
                "room": Out(1),
                "reserve": In(1),
                "write": In(1),
                "item": In(layout),
                "drop": In(1),
                "waits": Out(1),
                "head": Out(layout),
                "take": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the queue."""
        m = Module()
        bits = address_bits(self._places)
        m.submodules.words = words = Ram(width=self._layout.size, depth=1 << bits)
        free = Signal(range(self._places + 1), init=self._places)
        behind = Signal.like(free, init=0)
        m.d.comb += [
            self.room.eq(free > 1),
            words.w_en.eq(self.write),
            words.w_data.eq(self.item),
            words.r_en.eq((behind != 0) & (~self.waits | self.take)),
            self.head.eq(words.data),
        ]
        m.d.sync += [
            free.eq(free + self.take + self.drop - self.reserve),
            behind.eq(behind + self.write - words.r_en),
            self.waits.eq(words.r_en | (self.waits & ~self.take)),
            words.w_addr.eq(words.w_addr + self.write),
            words.r_addr.eq(words.r_addr + words.r_en),
        ]
        return m
