"""The block-index decoder for every k, keep and field width up to 12."""

import pytest
from amaranth.hdl import Assume, Cover, Module, Mux, Signal
from formal_harness import Harness
from formal_proof import Claim
from seeded_bug import seeded_bug

from darb.golden.memory_map import indices_per_word
from darb.hw.block_index_decoder import AHEAD, BlockIndexDecoder
from darb.hw.delay_line import delay

WIDEST = 12
CLAIM = Claim(
    "BlockIndexDecoder",
    "three clocks after a step, address = base or the step's index in the word last refilled",
    f"each field width 1..{WIDEST}, max_k = the width, 2 fields, any k, any base",
)
BUGS = [
    ("queue >> k", "queue >> 1"),
    ("mask.eq((1 << k) - 1)", "mask.eq((1 << k) - 2)"),
    ("options = [self.word[p],", "options = [self.word[0],"),
    ("with m.If(step):", "with m.If(step | ways[0]):"),
    ("~self.refill & (self.k == k)", "self.k == k"),
]


class DecoderHarness(Harness):
    """One decoder for each field width, each with inputs of its own."""

    def __init__(self, component=BlockIndexDecoder, *, widths, invariants=True):
        super().__init__(invariants=invariants)
        self._component, self._widths = component, widths

    def build(self, m):
        for width in self._widths:
            m.submodules[f"width_{width}"] = self._one(width)

    def _one(self, width):
        m = Module()
        dut = self._component(fields=2, field_bits=width, max_k=width, address_bits=width)
        inside = self.open(m, dut)
        self.drive(m, dut.word, dut.step, dut.refill, dut.k, dut.base)
        step, refill, told_k, base = (
            delay(m, each, AHEAD, name=f"told_{name}")
            for name, each in (
                ("step", dut.step),
                ("refill", dut.refill),
                ("k", dut.k),
                ("base", dut.base),
            )
        )
        self.invariant(m, inside["step_1"] == step)
        self.invariant(m, ~step | (inside["k_1"] == told_k))
        self.invariant(m, ~step | (inside["base_1"] == base))
        # At first none of the ways is chosen, and no step is at hand.
        self.invariant(m, ~step | (inside["ways"][0] == refill))
        for value in range(1, width + 1):
            way = inside["ways"][value]
            self.invariant(m, ~step | (way == (~refill & (told_k == value))))
        # The word at hand, the k it was refilled with, and which of its indices is next.
        word, k = Signal.like(dut.word), Signal.like(dut.k)
        number, begun = Signal(range(width + 1)), Signal()
        word_now = Signal.like(word)
        number_now = Mux(refill, 0, number + 1)
        m.d.comb += [
            word_now.eq(Mux(refill, dut.word, word)),
            Assume(told_k <= width),
        ]
        with m.If(step):
            m.d.sync += [word.eq(word_now), k.eq(told_k), number.eq(number_now), begun.eq(1)]
            m.d.comb += Assume(refill | (told_k == 0) | (begun & (k == told_k)))
        wanted = [Signal(width, name=f"wanted_{p}") for p in range(2)]
        with m.Switch(told_k):
            for value in range(1, width + 1):
                with m.Case(value):
                    with m.If(step):
                        m.d.comb += Assume(number_now < indices_per_word(width, value))
                    for p in range(2):
                        index = (word_now[p] >> (number_now * value)) & ((1 << value) - 1)
                        m.d.comb += wanted[p].eq(base | index)
            with m.Default():
                for p in range(2):
                    m.d.comb += wanted[p].eq(base)
        for p in range(2):
            one, two = Signal(width, name=f"one_{p}"), Signal(width, name=f"two_{p}")
            stepped, shown = Signal(name=f"stepped_{p}"), Signal(name=f"shown_{p}")
            m.d.sync += [one.eq(wanted[p]), two.eq(one), stepped.eq(step), shown.eq(stepped)]
            with m.If(shown):
                self.require(m, dut.address[p] == two)
            for value in range(1, width + 1):
                with m.If(begun & (k == value)):
                    self.invariant(m, inside[f"queue_{p}"] == word[p] >> (number * value))
                    self.invariant(m, number < indices_per_word(width, value))
        m.d.comb += Cover(begun & (k == 1) & (number == width - 1))
        return m


def test_addresses_are_as_specified(checker):
    checker.holds(CLAIM, DecoderHarness(widths=range(1, WIDEST + 1)), depth=3)


@pytest.mark.parametrize(("sound", "broken"), BUGS)
def test_a_broken_decoder_is_noticed(checker, sound, broken):
    component = seeded_bug(BlockIndexDecoder, sound, broken)
    harness = DecoderHarness(component, widths=[4], invariants=False)
    checker.breaks(CLAIM, harness, depth=8, sound=sound, broken=broken)


def test_words_are_used_up(checker):
    checker.reaches(CLAIM, DecoderHarness(widths=range(1, WIDEST + 1)), depth=WIDEST + 2)
