"""The frame receiver's reports, by the stream rules, and the halves of its buffer."""

import pytest
from amaranth.hdl import Assume, Cat, Cover, Signal, Value
from formal_harness import Harness
from formal_proof import Claim
from seeded_bug import seeded_bug

from darb.golden.frame import MIN_CAPACITY, ErrorCode
from darb.hw.frame_receiver import FrameReceiver

HALVES = 2
CLAIM = Claim(
    "FrameReceiver",
    "a report stays until it is taken; what ends is reported in the next clock, or as overrun "
    "behind the report that waits; the whole frames that are not released, two at most, hold their "
    "halves, in which no byte changes",
    f"capacity {MIN_CAPACITY}, timeout 1, any bytes at any clocks",
)
BUGS = [
    ("free.eq(~self.o.valid | self.o.ready)", "free.eq(1)"),
    ("(error == 0) & free & ~overrun", "free & ~overrun"),
    ("self.o.valid.eq(overrun | ends)", "self.o.valid.eq(ends)"),
    ("Mux(overrun, ErrorCode.OVERRUN, error)", "error"),
]


class ReceiverHarness(Harness):
    def __init__(self, component=FrameReceiver, *, invariants=True):
        super().__init__(invariants=invariants)
        self._component = component

    def build(self, m):
        dut = self._component(capacity=MIN_CAPACITY, timeout=1)
        inside = self.open(m, dut)
        self.drive(m, dut.i.valid, dut.i.payload, dut.o.ready, dut.release)
        report = Value.cast(dut.o.payload)
        whole = dut.o.payload.error == 0
        waited, before = Signal(), Signal(len(report))
        ended, error, late = Signal(), Signal.like(inside["error"]), Signal()
        free = ~dut.o.valid | dut.o.ready
        m.d.sync += [
            waited.eq(dut.o.valid & ~dut.o.ready),
            before.eq(report),
            ended.eq(inside["ends"] & free & ~late),
            error.eq(inside["error"]),
        ]
        with m.If(waited):
            self.require(m, dut.o.valid & (report == before))
        with m.If(ended):
            self.require(m, dut.o.valid & (dut.o.payload.error == error))
        # What ended while a report waited is told behind it.
        told = Signal()
        m.d.sync += told.eq(late & free)
        with m.If(free):
            m.d.sync += late.eq(0)
        with m.Elif(inside["ends"]):
            m.d.sync += late.eq(1)
        with m.If(told):
            self.require(m, dut.o.valid & (dut.o.payload.error == ErrorCode.OVERRUN))
        self.require(m, ~dut.o.valid | waited | ended | told)

        passed, held = Signal(range(HALVES + 1)), inside["held"]
        m.d.comb += Assume(~dut.release | (passed != 0))
        m.d.sync += passed.eq(passed + (dut.o.valid & dut.o.ready & whole) - dut.release)
        self.require(m, held == passed + (dut.o.valid & whole))
        self.require(m, held <= HALVES)
        self._contents(m, inside, held)
        self.invariant(m, inside["overrun"] == late)
        self.invariant(m, ~late | dut.o.valid)
        m.d.comb += Cover(told & dut.o.ready)

    def _contents(self, m, inside, held):
        """A byte of a held half, whichever, stays as it was."""
        dut, fsm = inside.component, inside.local("fsm")
        buffer = inside.submodule("buffer")
        place = self.constant(m, len(dut.read_address), "place")
        write_half, read_half = inside["write_half"], inside["read_half"]
        self.invariant(m, write_half == read_half ^ held[0])
        storing = fsm.ongoing("payload") | fsm.ongoing("check") | fsm.ongoing("verdict")
        self.invariant(m, ~(storing & inside["stored"]) | (held != HALVES))
        for half in range(HALVES):
            byte = buffer.peek(m, Cat(place, half))
            kept = Signal(8, name=f"kept_{half}")
            with m.If(inside["kept"] & (write_half == half)):
                m.d.sync += kept.eq(byte)
            with m.If((held == HALVES) | ((held == 1) & (read_half == half))):
                self.require(m, byte == kept)


def test_reports_and_halves_are_kept(checker):
    checker.holds(CLAIM, ReceiverHarness(), depth=2)


@pytest.mark.parametrize(("sound", "broken"), BUGS)
def test_a_broken_receiver_is_noticed(checker, sound, broken):
    harness = ReceiverHarness(seeded_bug(FrameReceiver, sound, broken), invariants=False)
    checker.breaks(CLAIM, harness, depth=16, sound=sound, broken=broken)


def test_a_late_report_is_reached(checker):
    checker.reaches(CLAIM, ReceiverHarness(), depth=16)
