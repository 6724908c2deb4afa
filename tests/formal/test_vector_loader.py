"""The input end: every whole vector reaches the banks as it came, and no other does."""

import pytest
from amaranth.hdl import Assume, Cover, Mux, Signal, Value
from configs import small_config
from formal_harness import Harness
from formal_proof import Claim
from seeded_bug import seeded_bug

from darb.golden.timeline import BUFFERS
from darb.hw.vector_loader import VectorLoader

MOST = 3
CONFIG = small_config(lanes=1, input_depth=MOST, activation_bits=3)
CLAIM = Claim(
    "VectorLoader",
    "the banks hold each whole vector, beat for beat, from its last beat until its release; a "
    "vector of another length is not counted and raises its error once; ready while there is room",
    f"1..{MOST} beats of 3 bits, any lengths, any take and release",
)
BUGS = [
    ("self.enable & (occupied != BUFFERS)", "self.enable"),
    ("beat == self.last_beat", "beat == self.last_beat + 1"),
    ("~self.i.payload.last & (skipping | at_last)", "~self.i.payload.last & at_last"),
    ("self.load_half ^ whole", "self.load_half ^ (accept & self.i.payload.last)"),
    ("occupied + whole - self.release", "occupied + whole - self.take"),
    (
        "whole.eq(accept & ~skipping & at_last & self.i.payload.last)",
        "whole.eq(accept & at_last & self.i.payload.last)",
    ),
]


class LoaderHarness(Harness):
    def __init__(self, component=VectorLoader, *, invariants=True):
        super().__init__(invariants=invariants)
        self._component = component

    def build(self, m):
        dut = self._component(config=CONFIG)
        inside = self.open(m, dut)
        self.drive(m, dut.i.valid, dut.i.payload, dut.enable, dut.take, dut.release)
        beats = self.constant(m, range(MOST + 1), "beats")
        # The beat that is looked at, whichever of the vector's.
        place = self.constant(m, range(MOST), "place")
        m.d.comb += [dut.last_beat.eq(beats - 1), Assume(place < beats)]

        accept, last = dut.i.valid & dut.i.ready, dut.i.payload.last
        word = Value.cast(dut.i.payload.data)
        # Beats since the last `last`; of a vector that is too long, as many as it should have.
        number, whole = Signal(range(MOST + 1)), Signal()
        held, untaken = Signal(range(BUFFERS + 1)), Signal(range(BUFFERS + 1))
        fill, front = Signal(), Signal()
        seen, sent = Signal(len(word)), Signal(len(word))
        m.d.comb += [
            whole.eq(accept & last & (number + 1 == beats)),
            sent.eq(Mux(number == place, word, seen)),
            Assume(~dut.take | (untaken != 0)),
            Assume(~dut.release | (held > untaken)),
        ]
        with m.If(accept):
            m.d.sync += [
                number.eq(Mux(last, 0, Mux(number == beats, number, number + 1))),
                seen.eq(sent),
            ]
        m.d.sync += [
            held.eq(held + whole - dut.release),
            untaken.eq(untaken + whole - dut.take),
            fill.eq(fill ^ whole),
            front.eq(front ^ dut.release),
        ]
        self.require(m, dut.i.ready == (dut.enable & (held != BUFFERS)))
        self.require(m, dut.waiting == (untaken != 0))
        self.require(m, dut.too_short == (accept & last & (number + 1 < beats)))
        self.require(m, dut.too_long == (accept & ~last & (number + 1 == beats)))
        self.require(m, ~dut.load_en | (accept & (dut.load_addr < beats)))

        self.invariant(m, (held <= BUFFERS) & (untaken <= held) & (number <= beats))
        self.invariant(m, (inside["occupied"] == held) & (inside["untaken"] == untaken))
        self.invariant(m, (dut.load_half == fill) & (fill == front ^ held[0]))
        self.invariant(m, inside["skipping"] == (number == beats))
        self.invariant(m, inside["beat"] == Mux(number == beats, 0, number))
        self.invariant(m, (held != BUFFERS) | (number == 0))
        for half in range(BUFFERS):
            bank, vector = Signal(len(word)), Signal(len(word))
            with m.If(dut.load_en & (dut.load_half == half) & (dut.load_addr == place)):
                m.d.sync += bank.eq(Value.cast(dut.load_data))
            with m.If(whole & (fill == half)):
                m.d.sync += vector.eq(sent)
            with m.If((held == BUFFERS) | ((held == 1) & (front == half))):
                self.require(m, bank == vector)
            with m.If((fill == half) & (number > place) & (number < beats)):
                self.invariant(m, bank == seen)
        m.d.comb += [
            Cover((held == BUFFERS) & (untaken == 1) & (beats == MOST)),
            Cover(dut.too_short & (held == 1)),
            Cover(dut.too_long & (held == 1)),
        ]


def test_whole_vectors_reach_the_banks(checker):
    checker.holds(CLAIM, LoaderHarness(), depth=2)


@pytest.mark.parametrize(("sound", "broken"), BUGS)
def test_a_broken_loader_is_noticed(checker, sound, broken):
    harness = LoaderHarness(seeded_bug(VectorLoader, sound, broken), invariants=False)
    checker.breaks(CLAIM, harness, depth=12, sound=sound, broken=broken)


def test_full_banks_and_both_errors_are_reached(checker):
    checker.reaches(CLAIM, LoaderHarness(), depth=12)
