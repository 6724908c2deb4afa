"""Requantisation against its definition, for every accumulator, multiplier and shift."""

import pytest
from amaranth.hdl import Assume, Cover, Mux, Signal, signed
from configs import small_config
from formal_harness import Harness
from formal_proof import Claim
from seeded_bug import seeded_bug

from darb.golden.fixed_point import BIAS_BITS, MULTIPLIER_BITS, SHIFT_BITS, signed_range
from darb.golden.pipeline import POST
from darb.hw.delay_line import delay
from darb.hw.row_post_processor import RowPostProcessor

CONFIG = small_config(accumulator_bits=8, activation_bits=4)
CLAIM = Claim(
    "RowPostProcessor",
    "six clocks on, activation = saturate(max((acc * multiplier + 2^(shift-1)) >> shift, 0 if "
    "relu)) and accumulator = acc",
    "8-bit accumulator, 4-bit activation, any multiplier, any shift 1..63, any bias that fits",
)
BUGS = [
    ("shifted[1 : bits + 1] + shifted[0]", "shifted[1 : bits + 1]"),
    ("shifted[bits:].any() | shifted[:bits].all()", "shifted[bits:].any()"),
    ("negative & under", "negative & ~ones"),
    ("over = ~zeros | shifted", "over = shifted"),
    ("delay(m, self.relu, POST - 1,", "delay(m, self.relu, POST - 2,"),
    ("(places[3:] << 3)", "(places[3:5] << 3)"),
    ("signed(config.accumulator_bits + MULTIPLIER_BITS + 1)", "signed(MULTIPLIER_BITS + 1)"),
]


class RequantisationHarness(Harness):
    def __init__(self, component=RowPostProcessor):
        super().__init__()
        self._component = component

    def build(self, m):
        dut = self._component(config=CONFIG)
        inside = self.open(m, dut)
        self.drive(m, dut.total, dut.row, dut.relu)
        low, high = signed_range(CONFIG.accumulator_bits)
        exact = Signal(signed(BIAS_BITS + 1))
        m.d.comb += [
            exact.eq(dut.total + dut.row.bias),
            # The accumulator holds every sum: the exporter sees to its width.
            Assume((exact >= low) & (exact <= high)),
            Assume(dut.row.shift != 0),
        ]
        accumulator = Signal(signed(CONFIG.accumulator_bits))
        m.d.comb += accumulator.eq(exact)
        # One beat, whichever: of all others induction has nothing to consider.
        age, chosen = Signal(range(POST + 2)), self.free(1, "chosen")
        with m.If((age != 0) | chosen):
            m.d.sync += age.eq(Mux(age == POST + 1, age, age + 1))
        known = age == POST
        # The operands are shown to be right where they stand, then their product is taken there:
        # to find two multipliers equal takes a solver for ever.
        biased, factor = inside["biased"], inside["multiplier"]
        accumulator = delay(m, accumulator, 1, name="exact")
        multiplier = delay(m, dut.row.multiplier, 1, name="factor")
        with m.If(age == 1):
            self.require(m, (biased == accumulator) & (factor == multiplier))
        product = Signal(signed(CONFIG.accumulator_bits + MULTIPLIER_BITS + 1))
        m.d.comb += product.eq(biased * factor)
        product = delay(m, product, POST - 1, name="product")
        accumulator = delay(m, accumulator, POST - 1, name="later")
        shift = delay(m, dut.row.shift, POST, name="amount")
        relu = delay(m, dut.relu, POST, name="clamp")

        half = Signal((1 << SHIFT_BITS) - 1)
        m.d.comb += half.eq(1 << (shift - 1)[:SHIFT_BITS])
        scaled = Signal(signed(len(half) + 2))
        m.d.comb += scaled.eq((product + half) >> shift)
        low, high = signed_range(CONFIG.activation_bits)
        clamped = Mux(relu & (scaled < 0), 0, scaled)
        wanted = Mux(clamped > high, high, Mux(clamped < low, low, clamped))
        with m.If(known):
            self.require(m, dut.activation == wanted)
            self.require(m, dut.accumulator == accumulator)
        for value in (low, high):
            m.d.comb += Cover(known & (dut.activation == value))
        m.d.comb += Cover(known & (shift == (1 << SHIFT_BITS) - 1) & (dut.activation == 0))


def test_results_are_as_defined(checker):
    checker.holds(CLAIM, RequantisationHarness(), depth=POST + 2)


@pytest.mark.parametrize(("sound", "broken"), BUGS)
def test_a_broken_post_processor_is_noticed(checker, sound, broken):
    harness = RequantisationHarness(seeded_bug(RowPostProcessor, sound, broken))
    checker.breaks(CLAIM, harness, depth=POST + 2, sound=sound, broken=broken)


def test_both_limits_and_the_largest_shift_are_reached(checker):
    checker.reaches(CLAIM, RequantisationHarness(), depth=POST + 2)
