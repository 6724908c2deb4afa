"""The sequencer: walks the section descriptors and issues one step a clock."""

from __future__ import annotations

from amaranth.hdl import Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from darb.golden.config import EngineConfig
from darb.golden.memory_map import HEADER, LAYER_WORD_BITS, address_bits
from darb.golden.pipeline import layer_gap, step_to_read
from darb.hw.countdown import Countdown, marks
from darb.hw.delay_line import delay
from darb.hw.section_fetch import SectionFetch, bank_address_bits


def step_layout(config: EngineConfig) -> data.StructLayout:
    """Return what the sequencer says of a step; see `Sequencer`."""
    return data.StructLayout(
        {
            "valid": 1,
            "first": 1,
            "last": 1,
            "final": 1,
            "refill": 1,
            "k": 4,
            "base": bank_address_bits(config),
            "reads_input": 1,
            "read_half": 1,
            "writes_output": 1,
            "write_half": 1,
            "relu": 1,
        }
    )


class Sequencer(wiring.Component):
    """Issues the steps of one vector after another.

    A vector starts two clocks after `waiting`'s cause, or right behind the vector before it. There
    is no idle clock between groups, sections or vectors; between layers there are
    `pipeline.layer_gap`, so that the first column is read one clock after the last is written. Only
    the last layer can stall, for a free half of the output buffer.

    Out of reset it reads the two header words, then raises `booted`. Where they are of another
    format version, or of no image, it starts nothing.

    It has a say in every clock, so it decides from a few registers: what a descriptor asks for is
    worked out when it arrives, and counters count down and tell their end a clock ahead.

    Parameters
    ----------
    config : EngineConfig

    Attributes
    ----------
    layer_en, layer_addr : Out; layer_word : In
        The layer memory, data two clocks later.
    waiting : In(1)
        A loaded vector waits.
    take : Out(1)
        The vector is started.
    release : Out(1)
        The vector's input buffer has been read for the last time, one clock before.
    output_free : In(1)
        A half of the output buffer is free.
    reserve : Out(1)
        The last layer starts and takes that half.
    step : Out(step_layout(config))
        Registered. `valid`: a step; of the others only `last`, `final` and `refill` mean something
        without it. `first`, `last`: of its row group. `final`: of its vector. `refill`: it needs a
        new index word. `k`, `base`: its block. `reads_input`, `read_half`: the buffer it reads.
        `writes_output`, `write_half`, `relu`: where its rows go.
    booted : Out(1)
    header : Out(data.StructLayout(HEADER))
    digest : Out(96)
    busy : Out(1)
        A vector is between its first step and its last.
    stalled : Out(1)
        The last layer waits for the output buffer, and for nothing else.
    """

    def __init__(self, *, config: EngineConfig) -> None:
        self._config = config
        super().__init__(
            {
                "layer_en": Out(1),
                "layer_addr": Out(address_bits(config.layer_depth)),
                "layer_word": In(LAYER_WORD_BITS),
                "waiting": In(1),
                "take": Out(1),
                "release": Out(1),
                "output_free": In(1),
                "reserve": Out(1),
                "step": Out(step_layout(config)),
                "booted": Out(1),
                "header": Out(data.StructLayout(HEADER)),
                "digest": Out(LAYER_WORD_BITS),
                "busy": Out(1),
                "stalled": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the sequencer."""
        m = Module()
        m.submodules.fetch = fetch = SectionFetch(config=self._config)
        m.d.comb += [
            self.layer_en.eq(fetch.layer_en),
            self.layer_addr.eq(fetch.layer_addr),
            fetch.layer_word.eq(self.layer_word),
            self.booted.eq(fetch.booted),
            self.header.eq(fetch.header),
            self.digest.eq(fetch.digest),
        ]
        # `ending`: the last clock of a section, and while none runs. The next can begin behind it.
        running, ending, mid_vector = Signal(), Signal(init=1), Signal()
        load = self._decide(m, fetch, running, ending)
        now, next_clock = Signal.like(fetch.section), Signal.like(fetch.section)
        m.d.comb += [
            next_clock.eq(Mux(ending, fetch.section, now)),
            self.busy.eq(running | mid_vector),
        ]
        section_end = running & ending
        ends_hidden = section_end & now.last_of_layer & ~now.writes_output
        m.d.sync += [
            now.eq(next_clock),
            running.eq(load | (running & ~ending)),
            mid_vector.eq(~load & (mid_vector | ends_hidden)),
        ]
        done_reading = section_end & now.last_of_layer & now.reads_input
        m.d.comb += self.release.eq(
            delay(m, done_reading, step_to_read(self._config), name="done_reading")
        )
        self._issue(m, now, next_clock, running, ending, load)
        return m

    def _decide(self, m: Module, fetch: SectionFetch, running: Signal, ending: Signal) -> Signal:
        """Return whether the section at hand begins in the next clock."""
        following = fetch.section
        gap_clocks = Const(layer_gap(self._config) - 1)
        gap = Countdown(gap_clocks.shape(), name="gap")
        follows_on, after_gap = ~following.first_of_layer, gap.last
        starts_vector, starts_output = following.starts_vector, following.starts_output
        wanted, load = Signal(), Signal()
        m.d.comb += [
            wanted.eq(
                ending & fetch.valid & (follows_on | Mux(starts_vector, self.waiting, after_gap))
            ),
            self.stalled.eq(wanted & starts_output & ~self.output_free),
            load.eq(wanted & ~(starts_output & ~self.output_free)),
            self.take.eq(load & starts_vector),
            self.reserve.eq(load & starts_output),
            fetch.take.eq(load),
        ]
        # The last of a section's clocks is the one that counts, and it matters behind a layer only.
        with m.If(running):
            gap.start(m, gap_clocks, marks(gap_clocks))
        with m.Elif(~gap.last):
            gap.count(m)
        return load

    def _issue(
        self,
        m: Module,
        now: data.View,
        next_clock: data.View,
        running: Signal,
        ending: Signal,
        load: Signal,
    ) -> None:
        """Count through the section and register the step."""
        groups, period = self._count_groups(m, now, next_clock, ending, load)
        ends = Mux(period.last, groups.near & now.period_marks[0], groups.last & period.near)
        # The first clock of a section is never its last: it lasts `pipeline.SECTION_FETCH`.
        m.d.sync += ending.eq(~load & (ending | ends))
        lead = self._count_lead(m, next_clock, period)
        first = Signal()
        m.d.sync += first.eq(period.last | (first & ~lead.last))
        valid, section_end = running & lead.last, running & ending
        refill = self._count_indices(m, now, next_clock, ending, lead)
        read_half, write_half = self._halves(m, now, section_end)
        step = {
            "valid": valid,
            "first": first,
            "last": running & period.last,
            "final": section_end & now.ends_vector,
            "refill": valid & refill,
            "k": now.k,
            "base": self._count_blocks(m, now, next_clock, period, lead),
            "reads_input": now.reads_input,
            "read_half": read_half,
            "writes_output": now.writes_output,
            "write_half": write_half,
            "relu": now.relu,
        }
        for name, value in step.items():
            m.d.sync += self.step[name].eq(value)

    def _count_groups(
        self,
        m: Module,
        now: data.View,
        next_clock: data.View,
        ending: Signal,
        load: Signal,
    ) -> tuple[Countdown, Countdown]:
        """Return the counters of groups and of a group's clocks, which is at its end in idle."""
        groups = Countdown(now.groups.shape(), name="groups")
        period = Countdown(now.period.shape(), name="period")
        with m.If(period.last):
            with m.If(ending):
                groups.start(m, next_clock.groups, next_clock.groups_marks)
            with m.Else():
                groups.count(m)
            period.start(m, next_clock.period, next_clock.period_marks | (ending & ~load))
        with m.Else():
            period.count(m)
        return groups, period

    def _count_lead(self, m: Module, next_clock: data.View, period: Countdown) -> Countdown:
        """Return the counter of the clocks before a group's first step."""
        lead = Countdown(next_clock.lead.shape(), name="lead")
        with m.If(period.last):
            lead.start(m, next_clock.lead, next_clock.lead_marks)
        with m.Elif(~lead.last):
            lead.count(m)
        return lead

    def _count_blocks(
        self,
        m: Module,
        now: data.View,
        next_clock: data.View,
        period: Countdown,
        lead: Countdown,
    ) -> Signal:
        """Return the first column of the step's block."""
        base = Signal(bank_address_bits(self._config))
        keep = Countdown(now.keep.shape(), name="keep")
        with m.If(period.last | lead.last):
            with m.If(period.last | keep.last):
                keep.start(m, next_clock.keep, next_clock.keep_marks)
            with m.Else():
                keep.count(m)
        with m.If(period.last):
            m.d.sync += base.eq(0)
        with m.Elif(lead.last & keep.last):
            m.d.sync += base.eq(base + now.stride)
        return base

    def _count_indices(
        self, m: Module, now: data.View, next_clock: data.View, ending: Signal, lead: Countdown
    ) -> Signal:
        """Return whether the step, where it is one, needs a new index word."""
        refill = Signal()
        per_word = Countdown(now.per_word.shape(), name="per_word")
        with m.If(ending | lead.last):
            with m.If(ending | per_word.last):
                per_word.start(m, next_clock.per_word, next_clock.per_word_marks)
                m.d.sync += refill.eq(next_clock.indexed)
            with m.Else():
                per_word.count(m)
                m.d.sync += refill.eq(0)
        return refill

    def _halves(self, m: Module, now: data.View, section_end: Value) -> tuple[Value, Value]:
        """Return which half of its buffers the section reads and writes."""
        vector_half, hidden_half, output_half = Signal(), Signal(), Signal()
        with m.If(section_end & now.last_of_layer):
            m.d.sync += hidden_half.eq(~hidden_half)
            with m.If(now.reads_input):
                m.d.sync += vector_half.eq(~vector_half)
            with m.If(now.writes_output):
                m.d.sync += output_half.eq(~output_half)
        return (
            Mux(now.reads_input, vector_half, hidden_half),
            Mux(now.writes_output, output_half, ~hidden_half),
        )
