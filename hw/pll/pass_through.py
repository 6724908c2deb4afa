"""No PLL: the input clock as it is."""

from __future__ import annotations

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class PassThrough(wiring.Component):
    """A clock that needs no PLL.

    Attributes
    ----------
    i : In(1)
        Any clock.
    o : Out(1)
        The same.
    locked : Out(1)
        High.
    """

    def __init__(self) -> None:
        super().__init__({"i": In(1), "o": Out(1), "locked": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """Wire it."""
        m = Module()
        m.d.comb += [self.o.eq(self.i), self.locked.eq(1)]
        return m
