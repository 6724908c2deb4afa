"""The sequencer on any well-formed layer table: inside every memory, to the end, never too soon."""

import pytest
from amaranth.hdl import Assume, Cat, Const, Cover, Mux, ResetSignal, Shape, Signal
from amaranth.lib import data
from configs import small_config
from formal_harness import Harness
from formal_layer_table import LayerTable, pick
from formal_proof import Claim
from seeded_bug import seeded_bug

import darb.hw.sequencer
from darb.golden.memory_map import HEADER_WORDS, LAYER_WORD_BITS, SECTION
from darb.golden.pipeline import BOOT, layer_gap
from darb.hw.countdown import Countdown
from darb.hw.section_fetch import SectionFetch
from darb.hw.sequencer import Sequencer

SECTIONS = 3
CONFIG = small_config(
    lanes=1,
    rows=1,
    max_k=2,
    index_word_bits=6,
    layer_depth=HEADER_WORDS + SECTIONS,
    input_depth=5,
    hidden_depth=6,
)
GAP = layer_gap(CONFIG)
CLAIM = Claim(
    "Sequencer",
    "no read outside the four memories or the banks, every word of the table's once a vector; each "
    "vector ends after exactly the clocks of the cycle model and its stalls; a vector is started "
    "only if one waits, the last layer only with a half of the output buffer",
    f"any well-formed table of 1..{SECTIONS} sections, each of 1..4 groups, 1..8 clocks a group, "
    "k = 0..2, 1..3 blocks that keep 1 or 2",
)
BUGS = [
    ("groups.last & period.near", "period.near"),
    ("groups.near & now.period_marks[0]", "0"),
    ("load.eq(wanted & ~(starts_output & ~self.output_free))", "load.eq(wanted)"),
    ("ending | per_word.last", "ending"),
    ("with m.Elif(lead.last & keep.last):", "with m.Elif(lead.last):"),
    ("Const(layer_gap(self._config) - 1)", "Const(layer_gap(self._config) - 2)"),
    ("Mux(starts_vector, self.waiting, after_gap)", "Mux(starts_vector, 1, after_gap)"),
    ("period.last | (first & ~lead.last)", "period.last | first"),
    ("next_clock.period_marks | (ending & ~load)", "next_clock.period_marks"),
]
FETCH_BUGS = [
    ('Mux(fields["ends_vector"], HEADER_WORDS, self.layer_addr + 1)', "self.layer_addr + 1"),
    ("boots & (self.layer_addr != HEADER_WORDS - 1)", "boots & ~self.layer_addr[1]"),
]
COUNTDOWN_BUGS = [
    ("self.left[:_LOW] == 1", "self.left[:_LOW] == 0"),
    ("self.high_is_0.eq(self.left[_LOW:] == 0)", "self.high_is_0.eq(1)"),
]


TWO_LAYERS = {"sections": 2}
"""A table in which each of the bugs shows: two groups of four steps, then four of a single one."""
for number in range(2):
    TWO_LAYERS |= {
        f"{name}_{number}": value
        for name, value in {
            "groups": (1, 3)[number],
            "period": (3, 0)[number],
            "lead": 0,
            "k": 1,
            "keep": (1, 0)[number],
            "per_word": 5,
            "blocks": (2, 1)[number],
            "first_of_layer": 1,
            "last_of_layer": 1,
            "reads_input": number == 0,
            "writes_output": number == 1,
        }.items()
    }


class SequencerHarness(Harness):
    """With `given`, the table has these fields and no reset comes: a bug is found sooner."""

    def __init__(self, component=Sequencer, *, given=None, invariants=True):
        super().__init__(invariants=invariants)
        self._component, self._given = component, given or {}

    def _field(self, m, shape, name):
        if name in self._given:
            return Const(self._given[name], Shape.cast(shape))
        return self.constant(m, shape, name)

    def build(self, m):
        dut = self._component(config=CONFIG)
        inside = self.open(m, dut)
        self.drive(m, dut.waiting, dut.output_free)
        if self._given:
            m.d.comb += Assume(~ResetSignal())
        table = LayerTable(m, self._field, CONFIG, SECTIONS)
        array = Signal.like(dut.layer_word)
        with m.If(dut.layer_en):
            m.d.sync += array.eq(table.word(dut.layer_addr))
        m.d.sync += dut.layer_word.eq(array)
        self.require(m, ~dut.layer_en | (dut.layer_addr < HEADER_WORDS + table.count))
        self._walks(m, inside, table)
        self._clocks(m, inside, table)
        self._queue(m, inside)
        self._follow(m, inside, table, array)

    def _walks(self, m, inside, table):
        """The engine reads three memories word by word, beside the steps, as `walk` does."""
        step = inside.component.step
        self.walked = {}
        for name, en, totals in (
            ("weights", step.valid, table.weights),
            ("indices", step.refill, table.indices),
            ("groups", step.last, table.groups),
        ):
            word = Signal(8, name=f"{name}_word")
            after = Signal(8, name=f"{name}_after")
            m.d.comb += after.eq(Mux(step.final, 0, word + en))
            m.d.sync += word.eq(after)
            total = table.total(totals)
            self.require(m, ~en | (word < total))
            self.require(m, ~step.final | (word + en == total))
            self.walked[name] = after
        depth = Mux(step.reads_input, CONFIG.input_depth, CONFIG.hidden_depth)
        self.require(m, ~step.valid | (step.base < depth))
        self.require(m, ~step.final | (step.valid & step.last))
        fresh, self.fresh = Signal(init=1), Signal()
        m.d.comb += self.fresh.eq(Mux(step.valid, step.last, fresh))
        m.d.sync += fresh.eq(self.fresh)
        self.require(m, ~step.valid | (step.first == fresh))

    def _clocks(self, m, inside, table):
        """A vector takes its clocks, stalls left out; one that waits is taken at once."""
        dut = inside.component
        clock, before = Signal(8), Signal(8)
        total = table.total(table.starts) - GAP
        m.d.sync += [clock.eq(clock + (dut.busy & ~dut.stalled)), before.eq(clock)]
        with m.If(dut.take):
            m.d.sync += clock.eq(0)
        self.require(m, ~dut.busy | (clock < total))
        self.require(m, ~dut.step.final | (before + 1 == total))
        self.require(m, ~dut.take | dut.waiting)
        ready = dut.booted & dut.waiting & dut.output_free & ~dut.busy
        self.require(m, ~ready | dut.take)
        self.clock = clock
        m.d.comb += Cover(dut.step.final & (table.count == SECTIONS) & (clock != 0))

    def _queue(self, m, inside):
        """Halves of the output buffer that the last layer has for its steps."""
        dut = inside.component
        halves = Signal(2)
        self.halves = halves - dut.step.final
        m.d.sync += halves.eq(self.halves + dut.reserve)
        self.require(m, ~dut.reserve | dut.output_free)
        self.require(m, ~(dut.step.valid & dut.step.writes_output) | (halves != 0))
        self.require(m, ~dut.stalled | ~dut.output_free)
        m.d.comb += Cover(dut.stalled & dut.busy & dut.waiting)

    def _follow(self, m, inside, table, array):
        """What induction needs: where the sequencer stands in the table."""
        dut, word = inside.component, inside.component.layer_word
        boot = Signal(range(BOOT + 1))
        m.d.sync += boot.eq(boot + (boot != BOOT))
        self.fetch = fetch = inside.submodule("fetch")
        fetching, fetched, arrived = (fetch[n] for n in ("fetching", "fetched_1", "fetched_2"))
        following, known = fetch.component.section, fetch.component.valid
        running, gap, mid = inside["running"], inside["gap_left"], inside["mid_vector"]
        load, now = inside["load"], inside["now"]
        # The sections in `now` and `following`.
        begun, here, after = Signal(), Signal(range(SECTIONS)), Signal(range(SECTIONS))
        with m.If(load):
            m.d.sync += [
                begun.eq(1),
                here.eq(after),
                after.eq(Mux(after + 1 == table.count, 0, after + 1)),
            ]
        sections = [section.as_value() for section in table.sections]
        address = HEADER_WORDS + after
        booted = boot == BOOT
        idle = ~running & ~mid
        self.invariant(m, dut.booted == booted)
        self.invariant(m, booted | ~(begun | known | running | mid | (after != 0)))
        self.invariant(m, booted | (fetching == (boot < 3)))
        self.invariant(m, booted | (fetched == ((boot >= 1) & (boot < 4))))
        self.invariant(m, booted | (arrived == (boot >= 2)))
        self.invariant(m, booted | (dut.layer_addr == Mux(boot < 2, boot, 2)))
        self.invariant(m, fetch["boots"] == (boot < 2))
        self.invariant(m, fetch["known"] == (boot >= 4))
        for at, name in enumerate(
            ("out_of_reset", "at_digest_1", "at_digest_2", "at_header_1", "at_section_1")
        ):
            self.invariant(m, fetch[name] == (boot == at))
        self.invariant(m, (boot < 4) | (dut.header.as_value() == table.header.as_value()))
        self.invariant(m, (boot >= 4) | (dut.header.as_value() == 0))
        for at in range(1, BOOT):
            with m.If(boot == at):
                self.invariant(m, array == table.word(Mux(at > 2, 2, at - 1)))
                if at > 1:
                    self.invariant(m, word == table.word(at - 2))
        with m.If(booted):
            self.invariant(m, fetching + fetched + arrived + known == 1)
            wraps = following.last_of_layer & following.writes_output
            address_after = Mux(wraps, HEADER_WORDS, address + 1)
            self.invariant(m, dut.layer_addr == Mux(known, address_after, address))
            self.invariant(m, ~fetched | (array == table.word(address)))
            self.invariant(m, ~arrived | (word == table.word(address)))
            self.invariant(m, running | known)
        with m.If(known):
            self._section(m, following, pick(sections, after))
        self.invariant(m, (after < table.count) & (here < table.count))
        self.invariant(m, begun | (~running & ~mid & (here == 0) & (after == 0) & (gap == 0)))
        with m.If(running):
            self._section(m, now, pick(sections, here))
        with m.If(begun):
            self.invariant(m, after == Mux(here + 1 == table.count, 0, here + 1))
        self.invariant(m, ~(running & mid) & (gap < GAP))
        ended = data.View(data.StructLayout(SECTION), pick(sections, here))
        self.invariant(m, ~mid | (ended.last_of_layer & ~ended.writes_output))
        self.invariant(m, ~idle | (after == 0))
        self._counters(m, inside, table, here, idle)

    def _counters(self, m, inside, table, here, idle):
        """The counters inside a section, and what was walked through before it."""
        now = inside["now"]
        running, gap, mid = (inside[n] for n in ("running", "gap_left", "mid_vector"))
        ending, first, refill = (inside[n] for n in ("ending", "first", "refill"))
        period_last, fetch = inside["period_last"], self.fetch
        clock, group, kept, served = (
            self._counted(m, inside, now, name) for name in ("period", "groups", "keep", "per_word")
        )
        self._flags(m, inside, "gap")
        valid, group_end = running & inside["lead_last"], running & period_last
        steps, blocks = pick(table.steps, here), pick(table.blocks, here)
        # Blocks begun and words used up, which the sequencer does not count.
        block, used = Signal(3), Signal(6)
        with m.If(valid):
            m.d.sync += [
                block.eq(block + (kept == now.keep)),
                used.eq(used + (served == now.per_word)),
            ]
        with m.If(group_end):
            m.d.sync += block.eq(0)
        with m.If(running & ending):
            m.d.sync += used.eq(0)
        done = Signal(4)
        m.d.comb += done.eq(Mux(clock > now.lead, clock - now.lead, 0))
        self.invariant(m, running | (ending & period_last & self.fresh))
        self.invariant(m, running | ((inside["base"] == 0) & (block == 0) & (used == 0)))
        past = Signal(8)
        period = now.period[:4] + 1
        m.d.comb += past.eq(group[:2] * period + clock)
        with m.If(running):
            self.invariant(m, (clock <= now.period) & (group <= now.groups))
            for name in ("period", "groups", "keep", "per_word", "lead"):
                self._flags(m, inside, name)
            self.invariant(m, ending == (period_last & inside["groups_last"]))
            to_lead = Mux(clock < now.lead, now.lead - clock, 0)
            self.invariant(m, inside["lead_left"] == to_lead)
            self.invariant(m, first == (clock <= now.lead))
            self.invariant(m, self.fresh == (done == 0))
            self.invariant(m, refill == ((served == 0) & (now.k != 0)))
            self.invariant(m, (past == 0) | (gap == GAP - 1))
            self.invariant(m, (kept <= now.keep) & (served <= now.per_word) & (block < blocks))
            self.invariant(m, done == block * (now.keep[:2] + 1) + kept)
            self.invariant(m, inside["base"] == (block << now.k[:2]))
            taken = group[:2] * steps + done
            self.invariant(m, taken == used * (now.per_word[:4] + 1) + served)
            self.invariant(m, fetch["fetching"] == (past == 0))
            self.invariant(m, fetch["fetched_1"] == (past == 1))
            self.invariant(m, fetch["fetched_2"] == (past == 2))
            self.invariant(m, self.clock == pick(table.starts, here) + past)
            words = Mux(now.k == 0, 0, used + (served != 0))
            self._walked(m, table, here, taken, words, group)
            self.invariant(m, self.halves == now.writes_output)
        with m.If(mid):
            behind = here + 1
            self.invariant(m, self.clock == pick(table.starts, behind) - 1 - gap)
            self._walked(m, table, behind, 0, 0, 0)
        with m.If(~running):
            self.invariant(m, self.halves == 0)
        with m.If(idle):
            for walked in self.walked.values():
                self.invariant(m, walked == 0)

    def _counted(self, m, inside, section, name):
        """What a counter has counted so far."""
        counted = Signal.like(section[name], name=f"{name}_counted")
        m.d.comb += counted.eq(section[name] - inside[f"{name}_left"])
        return counted

    def _flags(self, m, inside, name):
        """A counter's flags say what it says; the high bits' a clock late."""
        left, last, high_is_0 = (inside[f"{name}_{n}"] for n in ("left", "last", "high_is_0"))
        self.invariant(m, last == (left == 0))
        self.invariant(m, left[:2].all() | (high_is_0 == (left[2:] == 0)))

    def _section(self, m, section, word):
        """A descriptor and what was worked out of it."""
        self.invariant(m, section.as_value()[:LAYER_WORD_BITS] == word)
        for name in ("groups", "period", "lead", "keep", "per_word"):
            value = section[name]
            self.invariant(m, section[f"{name}_marks"] == Cat(value == 0, value[2:] == 0))
        starts, ends = section.first_of_layer, section.last_of_layer
        self.invariant(m, section.indexed == (section.k != 0))
        self.invariant(m, section.starts_vector == (starts & section.reads_input))
        self.invariant(m, section.starts_output == (starts & section.writes_output))
        self.invariant(m, section.ends_vector == (ends & section.writes_output))
        self.invariant(m, section.stride == (1 << section.k[:2])[: len(section.stride)])

    def _walked(self, m, table, at, weights, indices, groups):
        for name, more in (("weights", weights), ("indices", indices), ("groups", groups)):
            self.invariant(m, self.walked[name] == pick(getattr(table, name), at) + more)


def test_every_table_is_walked_to_its_end(checker):
    checker.holds(CLAIM, SequencerHarness(), depth=2)


@pytest.mark.parametrize(("sound", "broken"), BUGS)
def test_a_broken_sequencer_is_noticed(checker, sound, broken):
    component = seeded_bug(Sequencer, sound, broken)
    harness = SequencerHarness(component, given=TWO_LAYERS, invariants=False)
    checker.breaks(CLAIM, harness, depth=44, sound=sound, broken=broken)


@pytest.mark.parametrize(
    ("part", "sound", "broken"),
    [(SectionFetch, *bug) for bug in FETCH_BUGS] + [(Countdown, *bug) for bug in COUNTDOWN_BUGS],
)
def test_a_broken_part_is_noticed(checker, monkeypatch, part, sound, broken):
    monkeypatch.setattr(darb.hw.sequencer, part.__name__, seeded_bug(part, sound, broken))
    harness = SequencerHarness(given=TWO_LAYERS, invariants=False)
    checker.breaks(CLAIM, harness, depth=44, sound=sound, broken=broken)


def test_a_vector_of_the_longest_table_ends(checker):
    checker.reaches(CLAIM, SequencerHarness(), depth=36)
