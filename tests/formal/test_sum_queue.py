"""The queue of a lane's sums: every reserved sum comes out once, in order."""

import pytest
from amaranth.hdl import Assume, Cover, Signal
from formal_harness import Harness
from formal_proof import Claim
from formal_token import Token
from seeded_bug import seeded_bug

from darb.hw.baselines.sum_queue import SumQueue

DEPTH, WIDTH = 4, 4
CLAIM = Claim(
    "SumQueue",
    "the n-th sum out is the n-th in and stays until the next; room and waits say what there is",
    f"{DEPTH} sums of {WIDTH} bits",
)
BUGS = [
    ("self.room.eq(reserved != self._depth)", "self.room.eq(1)"),
    ("reserved.eq(reserved + self.reserve - self.take)", "reserved.eq(reserved - self.take)"),
    ("self.waits.eq(present != 0)", "self.waits.eq(reserved != 0)"),
    ("words.r_en.eq(self.take)", "words.r_en.eq(self.waits)"),
    ("words.w_addr.eq(words.w_addr + self.write_en)", "words.w_addr.eq(words.w_addr + self.waits)"),
]


class SumQueueHarness(Harness):
    def __init__(self, component=SumQueue, *, invariants=True):
        super().__init__(invariants=invariants)
        self._component = component

    def build(self, m):
        dut = self._component(width=WIDTH, depth=DEPTH)
        inside = self.open(m, dut)
        words = inside.submodule("words")
        self.drive(m, dut.reserve, dut.write_en, dut.write_data, dut.take)
        promised, standing = Signal(range(DEPTH + 1)), Signal()
        m.d.sync += promised.eq(promised + dut.reserve - dut.write_en)
        m.d.comb += [
            Assume(~dut.reserve | dut.room),
            Assume(~dut.write_en | (promised != 0)),
            Assume(~dut.take | dut.waits),
        ]
        token = Token(
            m,
            chosen=self.free(1, "chosen"),
            enters=dut.write_en,
            leaves=dut.take,
            payload=dut.write_data,
            most=DEPTH,
        )
        with m.If(dut.take):
            m.d.sync += standing.eq(token.is_next)
        with m.If(standing):
            self.require(m, dut.data.as_unsigned() == token.payload)
        self.require(m, dut.waits == (token.count != 0))
        self.require(m, dut.room == (promised + token.count != DEPTH))

        written = words.component.w_addr - words.component.r_addr
        kept = words.peek(m, (words.component.r_addr + token.ahead)[: len(words.component.r_addr)])
        self.invariant(m, promised + token.count <= DEPTH)
        self.invariant(m, inside["reserved"] == promised + token.count)
        self.invariant(m, inside["present"] == token.count)
        self.invariant(m, ((written - token.count) & (DEPTH - 1)) == 0)
        self.invariant(m, ~standing | token.left)
        self.invariant(m, ~(token.inside & token.left))
        with m.If(token.inside):
            self.invariant(m, (token.ahead < token.count) & (kept == token.payload))
        m.d.comb += Cover(token.inside & (token.ahead == DEPTH - 1))
        m.d.comb += Cover(standing & (token.count == DEPTH))


def test_every_sum_comes_out_in_its_place(checker):
    checker.holds(CLAIM, SumQueueHarness(), depth=2)


@pytest.mark.parametrize(("sound", "broken"), BUGS)
def test_a_broken_queue_is_noticed(checker, sound, broken):
    harness = SumQueueHarness(seeded_bug(SumQueue, sound, broken), invariants=False)
    checker.breaks(CLAIM, harness, depth=14, sound=sound, broken=broken)


def test_a_full_queue_is_reached(checker):
    checker.reaches(CLAIM, SumQueueHarness(), depth=14)
