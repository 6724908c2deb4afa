"""The way from the lanes' queues to the one row post-processor."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from darb.golden.pipeline import FETCH
from darb.hw.delay_line import delay


class RowCollector(wiring.Component):
    """Takes block rows' sums from the lanes in turn, block row i of a vector from ``i mod lanes``.

    They go on one row a clock; `total` follows `taken` by two clocks: the queue's, then the
    register that picks the lane and the row.

    Parameters
    ----------
    lanes : int
    width : int
        Bits of a signed sum.
    rows : int
        Rows of a block row, a power of two; a vector's last may have fewer.

    Attributes
    ----------
    waits : In(lanes)
        See `SumQueue`.
    take : Out(lanes)
        All sums of a block row, which stand in `data` until the lane's next take.
    data : In(data.ArrayLayout(data.ArrayLayout(signed(width), rows), lanes))
    ready : In(1)
        The first row of a block row can go on.
    last : In(1)
        The next row is its vector's last, so that lane 0 is next.
    taken : Out(1)
        A row goes on.
    total : Out(signed(width))
    """

    def __init__(self, *, lanes: int, width: int, rows: int = 1) -> None:
        self._lanes, self._rows = lanes, rows
        sums = data.ArrayLayout(signed(width), rows)
        super().__init__(
            {
                "waits": In(lanes),
                "take": Out(lanes),
                "data": In(data.ArrayLayout(sums, lanes)),
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
        within, ends = Signal(), Signal(init=1)
        m.d.comb += [
            self.taken.eq(within | ((turn & self.waits).any() & self.ready)),
            self.take.eq(Mux(self.taken & ~within, turn, 0)),
        ]
        sums = self.data[0]
        if self._lanes > 1:
            number = Signal(range(self._lanes))
            with m.If(self.taken & ends):
                m.d.sync += turn.eq(Mux(self.last, 1, turn.rotate_left(1)))
            for lane in range(self._lanes):
                with m.If(self.take[lane]):
                    m.d.sync += number.eq(lane)
            sums = self.data[number]
        if self._rows == 1:
            m.d.sync += self.total.eq(sums[0])
            return m
        row = Signal(range(self._rows))
        with m.If(self.taken):
            m.d.sync += row.eq(Mux(self.last, 0, row + 1))
        m.d.comb += [within.eq(row != 0), ends.eq(self.last | (row == self._rows - 1))]
        m.d.sync += self.total.eq(sums[delay(m, row, 1, name="row")])
        return m
