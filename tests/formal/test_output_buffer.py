"""The output end: every result of every vector once, in row order, by the four stream rules."""

import pytest
from amaranth.hdl import Assume, Cover, Mux, Signal, unsigned
from configs import small_config
from formal_harness import Harness
from formal_proof import Claim
from seeded_bug import seeded_bug

from darb.golden.timeline import BUFFERS, DRAIN
from darb.hw.output_buffer import OutputBuffer

MOST, WIDTH = 3, 3
CONFIG = small_config(output_depth=MOST)
CLAIM = Claim(
    "OutputBuffer",
    "beat n of the v-th vector out is result n of the v-th vector in, `last` at its end and there "
    "only; valid is not withdrawn, the payload stays; a beat stands when it must",
    f"1..{MOST} results of {WIDTH} bits, written in any order",
)
BUGS = [
    ("read_ready.eq(~self.o.valid | self.o.ready)", "read_ready.eq(1)"),
    ("(~read_valid | read_ready)", "1"),
    ("taken.eq(taken + self.reserve - sent)", "taken.eq(taken + self.reserve - finished)"),
    ("half.eq(half ^ finished)", "half.eq(half ^ sent)"),
    ("read_last.eq(at_last)", "read_last.eq(address == self.last_address + 1)"),
    ("with m.If(reads | read_ready):", "with m.If(reads):"),
    ("whole.eq(whole + self.complete - finished)", "whole.eq(self.complete | (whole & ~finished))"),
]


class BufferHarness(Harness):
    def __init__(self, component=OutputBuffer, *, invariants=True):
        super().__init__(invariants=invariants)
        self._component = component

    def build(self, m):
        dut = self._component(config=CONFIG, shape=unsigned(WIDTH))
        inside = self.open(m, dut)
        words = inside.submodule("words")
        self.drive(m, dut.write_en, dut.write_addr, dut.write_data, dut.complete, dut.reserve)
        self.drive(m, dut.o.ready)
        outputs = self.constant(m, range(MOST + 1), "outputs")
        # The result that is looked at, whichever of the vector's.
        place = self.constant(m, range(MOST), "place")
        fill, front, written = Signal(), Signal(), Signal()
        # Halves reserved and not complete; complete and not sent.
        open_, whole = Signal(range(BUFFERS + 1)), Signal(range(BUFFERS + 1))
        number, late = Signal(range(MOST + 1)), Signal(range(DRAIN + 1))
        here, moves, sent = Signal(), Signal(), Signal()
        m.d.comb += [
            dut.last_address.eq(outputs - 1),
            dut.write_half.eq(fill),
            here.eq(dut.write_en & (dut.write_addr == place)),
            moves.eq(dut.o.valid & dut.o.ready),
            sent.eq(moves & (number + 1 == outputs)),
            Assume(place < outputs),
            Assume(~dut.reserve | dut.free),
            Assume(~dut.write_en | ((open_ != 0) & (dut.write_addr < outputs))),
            Assume(~dut.complete | ((open_ != 0) & (written | here))),
        ]
        m.d.sync += [
            written.eq((written | here) & ~dut.complete),
            fill.eq(fill ^ dut.complete),
            front.eq(front ^ sent),
            open_.eq(open_ + dut.reserve - dut.complete),
            whole.eq(whole + dut.complete - sent),
            late.eq(Mux((whole != 0) & ~dut.o.valid, late + (late != DRAIN), 0)),
        ]
        with m.If(moves):
            m.d.sync += number.eq(Mux(sent, 0, number + 1))
        result = [Signal(WIDTH, name=f"result_{half}") for half in range(BUFFERS)]
        for half in range(BUFFERS):
            with m.If(here & (fill == half)):
                m.d.sync += result[half].eq(dut.write_data)
        oldest = Mux(front, result[1], result[0])

        waited, payload = Signal(), Signal.like(dut.o.payload)
        flows = Signal()
        m.d.sync += [
            waited.eq(dut.o.valid & ~dut.o.ready),
            payload.eq(dut.o.payload),
            flows.eq(moves & ~sent),
        ]
        with m.If(waited):
            self.require(m, dut.o.valid & (dut.o.payload.as_value() == payload.as_value()))
        with m.If(dut.o.valid):
            self.require(m, whole != 0)
            self.require(m, dut.o.payload.last == (number + 1 == outputs))
            with m.If(number == place):
                self.require(m, dut.o.payload.data == oldest)
        self.require(m, ~flows | dut.o.valid)
        self.require(m, late + ((whole != 0) & ~dut.o.valid) < DRAIN)
        self.require(m, dut.free == (open_ + whole != BUFFERS))
        self.require(m, inside["address"] < outputs)

        self._invariants_of(m, inside, words, outputs, place, number, whole, open_, front, result)
        self.invariant(m, (fill == front ^ whole[0]) & (~written | (open_ != 0)))
        with m.If(written):
            mine = words.peek(m, place + (fill << len(dut.write_addr)))
            self.invariant(m, mine == Mux(fill, result[1], result[0]))
        m.d.comb += [
            Cover(sent & (whole == BUFFERS) & (outputs == MOST)),
            Cover(sent & (outputs == 1) & (open_ == 1)),
        ]

    def _invariants_of(self, m, inside, words, outputs, place, number, whole, open_, front, result):
        """What stands in the two registers before the stream, and in the memory."""
        dut = inside.component
        read_valid = inside["read_valid"]
        self.invariant(m, (inside["taken"] == open_ + whole) & (open_ + whole <= BUFFERS))
        self.invariant(m, number < outputs)
        # Results read since the oldest vector's first, and how many vectors they complete.
        ahead, ends = Signal(range(MOST + 3)), Signal(range(BUFFERS + 1))
        at_read, first = Signal(range(MOST + 1)), Signal()
        m.d.comb += [
            ahead.eq(number + dut.o.valid + read_valid),
            ends.eq((ahead >= outputs) + (ahead >= 2 * outputs)),
            first.eq(number + dut.o.valid < outputs),
            at_read.eq(Mux(first, number + dut.o.valid, 0)),
        ]
        self.invariant(m, inside["address"] == ahead - ends * outputs)
        self.invariant(m, inside["half"] == front ^ ends[0])
        self.invariant(m, (ends <= whole) & (inside["whole"] == whole - ends))
        self.invariant(m, ahead <= whole * outputs)
        with m.If(read_valid):
            self.invariant(m, inside["read_last"] == (at_read + 1 == outputs))
            with m.If(at_read == place):
                half = front ^ ~first
                self.invariant(m, words.component.data == Mux(half, result[1], result[0]))
        for half in range(BUFFERS):
            kept = words.peek(m, place + (half << len(dut.write_addr)))
            with m.If((whole == BUFFERS) | ((whole == 1) & (front == half))):
                self.invariant(m, kept == result[half])


def test_every_result_comes_out_in_its_place(checker):
    checker.holds(CLAIM, BufferHarness(), depth=3)


@pytest.mark.parametrize(("sound", "broken"), BUGS)
def test_a_broken_buffer_is_noticed(checker, sound, broken):
    harness = BufferHarness(seeded_bug(OutputBuffer, sound, broken), invariants=False)
    checker.breaks(CLAIM, harness, depth=14, sound=sound, broken=broken)


def test_two_vectors_inside_are_reached(checker):
    checker.reaches(CLAIM, BufferHarness(), depth=14)
