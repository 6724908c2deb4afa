"""The queue of a lane's columns: four stream rules, and never more items than places."""

import pytest
from amaranth.hdl import Assume, Cover, Signal
from amaranth.lib import data
from formal_harness import Harness
from formal_proof import Claim
from formal_token import Token
from seeded_bug import seeded_bug

from darb.hw.baselines.column_queue import ColumnQueue

PLACES = 5
LAYOUT = data.StructLayout({"start": 2, "last": 1})
CLAIM = Claim(
    "ColumnQueue",
    "the n-th item out is the n-th in, stays at the head until it is taken and stands there when "
    "it must; no place is given twice",
    f"{PLACES} places, items of {LAYOUT.size} bits",
)
BUGS = [
    ("self.room.eq(free > 1)", "self.room.eq(free > 0)"),
    ("(~self.waits | self.take)", "1"),
    ("self.waits & ~self.take", "self.waits & ~self.take & ~self.write"),
    ("free + self.take + self.drop - self.reserve", "free + self.take - self.reserve"),
    ("behind + self.write - words.r_en", "behind + self.write - self.take"),
]


class ColumnQueueHarness(Harness):
    def __init__(self, component=ColumnQueue, *, invariants=True):
        super().__init__(invariants=invariants)
        self._component = component

    def build(self, m):
        dut = self._component(layout=LAYOUT, places=PLACES)
        inside = self.open(m, dut)
        words = inside.submodule("words")
        self.drive(m, dut.reserve, dut.write, dut.item, dut.drop, dut.take)
        promised, room_before = Signal(range(PLACES + 1)), Signal()
        m.d.sync += [
            promised.eq(promised + dut.reserve - dut.write - dut.drop),
            room_before.eq(dut.room),
        ]
        m.d.comb += [
            Assume(~dut.reserve | dut.room | room_before),
            Assume(~(dut.write | dut.drop) | (promised != 0)),
            Assume(~(dut.write & dut.drop)),
            Assume(~dut.take | dut.waits),
        ]
        token = Token(
            m,
            chosen=self.free(1, "chosen"),
            enters=dut.write,
            leaves=dut.take,
            payload=dut.item,
            most=PLACES,
        )
        head_before, waited, late = Signal.like(dut.head), Signal(), Signal()
        m.d.sync += [
            head_before.eq(dut.head),
            waited.eq(dut.waits & ~dut.take),
            late.eq((token.count != 0) & ~dut.waits),
        ]
        with m.If(waited):
            self.require(m, dut.waits & (dut.head.as_value() == head_before.as_value()))
        with m.If(dut.waits & token.is_next):
            self.require(m, dut.head.as_value() == token.payload)
        self.require(m, ~dut.waits | (token.count != 0))
        self.require(m, ~late | dut.waits)
        self.require(m, promised + token.count <= PLACES)
        # A place that came back can be given again.
        self.require(m, dut.room == (promised + token.count + 1 < PLACES))

        written = words.component.w_addr - words.component.r_addr
        bits = len(words.component.r_addr)
        kept = words.peek(m, (words.component.r_addr + token.ahead - dut.waits)[:bits])
        self.invariant(m, inside["free"] == PLACES - promised - token.count)
        self.invariant(m, inside["behind"] + dut.waits == token.count)
        self.invariant(m, ((written - inside["behind"]) & ((1 << bits) - 1)) == 0)
        self.invariant(m, ~room_before | (inside["free"] != 0))
        with m.If(token.inside):
            self.invariant(m, token.ahead < token.count)
            with m.If((token.ahead != 0) | ~dut.waits):
                self.invariant(m, kept == token.payload)
        m.d.comb += Cover(token.inside & (token.ahead == PLACES - 1))
        m.d.comb += Cover(token.left & (promised == PLACES))


def test_every_item_comes_out_in_its_place(checker):
    checker.holds(CLAIM, ColumnQueueHarness(), depth=2)


@pytest.mark.parametrize(("sound", "broken"), BUGS)
def test_a_broken_queue_is_noticed(checker, sound, broken):
    harness = ColumnQueueHarness(seeded_bug(ColumnQueue, sound, broken), invariants=False)
    checker.breaks(CLAIM, harness, depth=16, sound=sound, broken=broken)


def test_a_full_queue_is_reached(checker):
    checker.reaches(CLAIM, ColumnQueueHarness(), depth=16)
