"""The way from the lanes' queues to the one row post-processor."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from darb.golden.pipeline import FETCH


class RowCollector(wiring.Component):
    """Takes sums from the lanes in turn, row i of a vector from lane ``i mod lanes``.

    At most one a clock; `total` follows a take by two clocks: the queue's, then the register that
    picks the lane.

    Parameters
    ----------
    lanes : int
    width : int
        Bits of a signed sum.

    Attributes
    ----------
    waits : In(lanes)
        See `SumQueue`.
    take : Out(lanes)
    data : In(data.ArrayLayout(signed(width), lanes))
    ready : In(1)
        A row can go on.
    last : In(1)
        It is its vector's last, so that lane 0 is next.
    taken : Out(1)
        A row is taken.
    total : Out(signed(width))
    """

    def __init__(self, *, lanes: int, width: int) -> None:
        self._lanes = lanes
        super().__init__(
            {
                "waits": In(lanes),
                "take": Out(lanes),
                "data": In(data.ArrayLayout(signed(width), lanes)),
                "ready": In(1),
                "last": In(1),
                "taken": Out(1),
                "total": Out(signed(width)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the collector."""
        m = Module()
        assert FETCH == 2
        # One bit a lane: a number would have to be decoded before it picks.
        turn = Signal(self._lanes, init=1)
        m.d.comb += [
            self.taken.eq((turn & self.waits).any() & self.ready),
            self.take.eq(Mux(self.taken, turn, 0)),
        ]
        if self._lanes == 1:
            m.d.sync += self.total.eq(self.data[0])
            return m
        number = Signal(range(self._lanes))
        with m.If(self.taken):
            m.d.sync += turn.eq(Mux(self.last, 1, turn.rotate_left(1)))
        for lane in range(self._lanes):
            with m.If(self.take[lane]):
                m.d.sync += number.eq(lane)
        m.d.sync += self.total.eq(self.data[number])
        return m
