"""The sequencer: walks the section descriptors and issues one step a clock."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from darb.golden.config import EngineConfig
from darb.golden.memory_map import (
    FORMAT_VERSION,
    HEADER,
    HEADER_WORDS,
    LAYER_WORD_BITS,
    SECTION,
    address_bits,
)
from darb.golden.pipeline import FETCH, layer_gap, step_to_read
from darb.hw.delay_line import delay


def bank_address_bits(config: EngineConfig) -> int:
    """Return the width of a column's number inside its segment."""
    return max(address_bits(config.input_depth), address_bits(config.hidden_depth))


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
        Registered. `valid`: a step. `first`, `last`: of its row group. `final`: of its vector.
        `refill`: it needs a new index word. `k`, `base`: its block. `reads_input`, `read_half`:
        the buffer it reads. `writes_output`, `write_half`, `relu`: where its rows go.
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
        section = data.StructLayout(SECTION)
        now, following = Signal(section), Signal(section)
        following_valid, running = Signal(), Signal()
        load, section_end = Signal(), Signal()
        self._fetch(m, load, following, following_valid)

        mid_vector, gap = Signal(), Signal(range(layer_gap(self._config)))
        follows_on = ~following.first_of_layer
        starts_vector = following.first_of_layer & following.reads_input
        starts_output = following.first_of_layer & following.writes_output
        after_gap = ~section_end & (gap == 0)
        wanted = Signal()
        m.d.comb += [
            wanted.eq(
                (~running | section_end)
                & following_valid
                & (follows_on | Mux(starts_vector, self.waiting, after_gap))
            ),
            self.stalled.eq(wanted & starts_output & ~self.output_free),
            load.eq(wanted & ~(starts_output & ~self.output_free)),
            self.take.eq(load & starts_vector),
            self.reserve.eq(load & starts_output),
            self.busy.eq(running | mid_vector),
        ]
        with m.If(gap != 0):
            m.d.sync += gap.eq(gap - 1)
        with m.If(section_end):
            m.d.sync += running.eq(0)
            with m.If(now.last_of_layer):
                m.d.sync += [
                    gap.eq(layer_gap(self._config) - 1),
                    mid_vector.eq(~now.writes_output),
                ]
        with m.If(load):
            m.d.sync += [now.eq(following), running.eq(1), mid_vector.eq(0)]

        done_reading = section_end & now.last_of_layer & now.reads_input
        m.d.comb += self.release.eq(
            delay(m, done_reading, step_to_read(self._config), name="done_reading")
        )
        self._count(m, now, running, load, section_end)
        return m

    def _fetch(
        self, m: Module, load: Signal, following: data.View, following_valid: Signal
    ) -> None:
        """Read the header, then keep the next descriptor at hand."""
        fetching, last_fetch = Signal(init=1), Signal()
        header_words, known = Signal(range(HEADER_WORDS + 1)), Signal()
        m.d.comb += [
            known.eq(self.header.version == FORMAT_VERSION),
            self.layer_en.eq(fetching),
            last_fetch.eq(delay(m, fetching, FETCH, name="fetched")),
        ]
        m.d.sync += fetching.eq(0)
        with m.If(~self.booted):
            with m.If(self.layer_addr != HEADER_WORDS):
                m.d.sync += [self.layer_addr.eq(self.layer_addr + 1), fetching.eq(1)]
            with m.If(last_fetch):
                m.d.sync += header_words.eq(header_words + 1)
                with m.Switch(header_words):
                    with m.Case(0):
                        m.d.sync += self.digest.eq(self.layer_word)
                    with m.Case(1):
                        m.d.sync += self.header.as_value().eq(self.layer_word)
                    with m.Default():
                        m.d.sync += self.booted.eq(1)
        with m.If(last_fetch):
            m.d.sync += [
                following.as_value().eq(self.layer_word),
                following_valid.eq(known & (self.booted | (header_words == HEADER_WORDS))),
            ]
        with m.If(load):
            wraps = following.last_of_layer & following.writes_output
            m.d.sync += [
                following_valid.eq(0),
                fetching.eq(1),
                self.layer_addr.eq(Mux(wraps, HEADER_WORDS, self.layer_addr + 1)),
            ]

    def _count(
        self, m: Module, now: data.View, running: Signal, load: Signal, section_end: Signal
    ) -> None:
        """Count clocks, groups, indices and blocks; register the step."""
        config = self._config
        clock, group = Signal.like(now.period), Signal.like(now.groups)
        served, kept = Signal.like(now.per_word), Signal.like(now.keep)
        base = Signal(bank_address_bits(config))
        valid, group_end = Signal(), Signal()
        m.d.comb += [
            valid.eq(running & (clock >= now.lead)),
            group_end.eq(running & (clock == now.period)),
            section_end.eq(group_end & (group == now.groups)),
        ]
        with m.If(running):
            m.d.sync += clock.eq(clock + 1)
        with m.If(valid):
            m.d.sync += [
                served.eq(Mux(served == now.per_word, 0, served + 1)),
                kept.eq(kept + 1),
            ]
            with m.If(kept == now.keep):
                m.d.sync += [kept.eq(0), base.eq(base + (1 << now.k)[: len(base)])]
        with m.If(group_end):
            m.d.sync += [clock.eq(0), group.eq(group + 1), kept.eq(0), base.eq(0)]
        with m.If(section_end):
            m.d.sync += [group.eq(0), served.eq(0)]

        read_half, write_half, vector_half = Signal(), Signal(), Signal()
        hidden_half, output_half = Signal(), Signal()
        with m.If(section_end & now.last_of_layer):
            m.d.sync += hidden_half.eq(~hidden_half)
            with m.If(now.reads_input):
                m.d.sync += vector_half.eq(~vector_half)
            with m.If(now.writes_output):
                m.d.sync += output_half.eq(~output_half)
        m.d.comb += [
            read_half.eq(Mux(now.reads_input, vector_half, hidden_half)),
            write_half.eq(Mux(now.writes_output, output_half, ~hidden_half)),
        ]
        last = group_end
        step = {
            "valid": valid,
            "first": clock == now.lead,
            "last": last,
            "final": last & (group == now.groups) & now.last_of_layer & now.writes_output,
            "refill": valid & (served == 0) & (now.k != 0),
            "k": now.k,
            "base": base,
            "reads_input": now.reads_input,
            "read_half": read_half,
            "writes_output": now.writes_output,
            "write_half": write_half,
            "relu": now.relu,
        }
        for name, value in step.items():
            m.d.sync += self.step[name].eq(value)
