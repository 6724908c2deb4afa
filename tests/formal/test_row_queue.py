"""The row queue: each group's rows once, in order, at their clocks."""

import pytest
from amaranth.hdl import Assume, Cover, Signal
from configs import small_config
from formal_harness import Harness
from formal_proof import Claim
from seeded_bug import seeded_bug

from darb.golden.pipeline import ACCUMULATE, CAPTURE, FETCH
from darb.hw.delay_line import delay
from darb.hw.row_queue import RowQueue

ROWS = 4
CLAIM = Claim(
    "RowQueue",
    "row r of a group stands, unchanged, 2 + r clocks after the group's last step, and none at "
    "other clocks; its row word is asked for two clocks before",
    f"R = 1 and R = {ROWS}, 8-bit sums, last steps R clocks apart or more",
)
BUGS = [
    ("left.eq(self._rows - 1)", "left.eq(self._rows - 2)"),
    ("final & (left == 1)", "final & (left == 2)"),
    ("with m.If(at_total.last):", "with m.If(at_total.last & ~self.valid):"),
    ("zip(queue, self.totals, strict=True)", "zip(queue[::-1], self.totals, strict=True)"),
    ("self.group.eq(at_total)", "self.group.eq(self.step)"),
]


class RowQueueHarness(Harness):
    def __init__(self, component=RowQueue, *, rows=ROWS):
        super().__init__()
        self._component, self._rows = component, rows

    def build(self, m):
        rows, latency = self._rows, ACCUMULATE + CAPTURE
        dut = self._component(config=small_config(rows=rows, accumulator_bits=8))
        m.submodules.dut = dut
        self.drive(m, dut.step, dut.totals)
        m.d.comb += Assume(dut.step.last | ~dut.step.final)
        # What came in, by its age in clocks.
        steps, totals = [dut.step], [dut.totals]
        for age in range(1, latency + rows):
            steps.append(delay(m, steps[-1], 1, name=f"step_{age}"))
            totals.append(delay(m, totals[-1], 1, name=f"totals_{age}"))
        with m.If(dut.step.last):
            for older in steps[1:rows]:
                m.d.comb += Assume(~older.last)
        fetch, stands = Signal(), Signal()
        for r in range(rows):
            with m.If(steps[r].last):
                m.d.comb += fetch.eq(1)
            with m.If(steps[latency + r].last):
                m.d.comb += stands.eq(1)
                self.require(m, dut.total == totals[latency + r - ACCUMULATE][r])
                self.require(m, dut.group.as_value() == steps[latency + r].as_value())
        last = rows - 1
        self.require(m, (dut.fetch == fetch) & (dut.valid == stands))
        self.require(m, dut.restart == steps[last].final)
        self.require(m, dut.ends_vector == steps[latency + last].final)
        m.d.comb += Cover(dut.valid & dut.ends_vector & steps[last - 1 + latency - rows].last)


@pytest.mark.parametrize("rows", [1, ROWS])
def test_rows_stand_where_they_must(checker, rows):
    checker.holds(CLAIM, RowQueueHarness(rows=rows), depth=rows + FETCH + 1)


@pytest.mark.parametrize(("sound", "broken"), BUGS)
def test_a_broken_queue_is_noticed(checker, sound, broken):
    harness = RowQueueHarness(seeded_bug(RowQueue, sound, broken))
    checker.breaks(CLAIM, harness, depth=12, sound=sound, broken=broken)


def test_groups_that_follow_without_a_pause_are_reached(checker):
    checker.reaches(CLAIM, RowQueueHarness(), depth=12)
