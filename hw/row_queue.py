"""The row queue: a group's sums in at once, out one row a clock."""

from __future__ import annotations

from itertools import pairwise

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from darb.golden.config import EngineConfig
from darb.golden.pipeline import ACCUMULATE, CAPTURE, FETCH
from darb.hw.delay_line import delay
from darb.hw.sequencer import step_layout


class RowQueue(wiring.Component):
    """Captures the accumulators of a row group and shifts them out.

    The first row stands two clocks after the group's last step has its sum: one for the
    accumulator, one for the capture. The next group's last step must be R clocks behind at least,
    which the sequencer sees to. A row word takes two clocks to fetch as well, so `fetch` leads.

    Parameters
    ----------
    config : EngineConfig

    Attributes
    ----------
    step : In(step_layout(config))
        The step whose sum stands before the accumulators.
    totals : In(data.ArrayLayout(signed(accumulator_bits), R))
        The accumulators, one clock later.
    fetch : Out(1)
        Read the next row word.
    restart : Out(1)
        It is the last one of the vector.
    valid : Out(1)
        A row of the group, perhaps a padding row, stands in `total`.
    total : Out(signed(accumulator_bits))
    group : Out(step_layout(config))
        Last step of the group that the row belongs to.
    ends_vector : Out(1)
        The row is the vector's last.
    """

    def __init__(self, *, config: EngineConfig) -> None:
        self._rows = config.rows
        total = signed(config.accumulator_bits)
        super().__init__(
            {
                "step": In(step_layout(config)),
                "totals": In(data.ArrayLayout(total, config.rows)),
                "fetch": Out(1),
                "restart": Out(1),
                "valid": Out(1),
                "total": Out(total),
                "group": Out(step_layout(config)),
                "ends_vector": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the queue."""
        m = Module()
        assert ACCUMULATE + CAPTURE == FETCH
        self._fetch(m)
        m.d.comb += [
            self.valid.eq(delay(m, self.fetch, ACCUMULATE + CAPTURE, name="valid")),
            self.ends_vector.eq(delay(m, self.restart, ACCUMULATE + CAPTURE, name="ends_vector")),
        ]
        at_total = delay(m, self.step, ACCUMULATE, name="step_at_total")
        queue = [
            Signal.like(self.total, name=f"queue_{r}", reset_less=True) for r in range(self._rows)
        ]
        for slot, behind in pairwise(queue):
            m.d.sync += slot.eq(behind)
        with m.If(at_total.last):
            m.d.sync += self.group.eq(at_total)
            for slot, total in zip(queue, self.totals, strict=True):
                m.d.sync += slot.eq(total)
        m.d.comb += self.total.eq(queue[0])
        return m

    def _fetch(self, m: Module) -> None:
        """Fetch R row words from the group's last step on."""
        if self._rows == 1:
            m.d.comb += [self.fetch.eq(self.step.last), self.restart.eq(self.step.final)]
            return
        left, final = Signal(range(self._rows)), Signal()
        m.d.comb += [
            self.fetch.eq(self.step.last | (left != 0)),
            self.restart.eq(final & (left == 1)),
        ]
        with m.If(self.step.last):
            m.d.sync += [left.eq(self._rows - 1), final.eq(self.step.final)]
        with m.Elif(left != 0):
            m.d.sync += left.eq(left - 1)
