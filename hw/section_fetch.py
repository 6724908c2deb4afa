"""Reads the layer memory: its header once, then always the next section's descriptor."""

from __future__ import annotations

from collections.abc import Mapping

from amaranth.hdl import Module, Mux, Signal, Value, ValueLike
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
from darb.golden.pipeline import FETCH
from darb.hw.countdown import marks
from darb.hw.delay_line import delay

_COUNTED = ("groups", "period", "lead", "keep", "per_word")
"""The fields of a descriptor that are counted."""


def bank_address_bits(config: EngineConfig) -> int:
    """Return the width of a column's number inside its segment."""
    return max(address_bits(config.input_depth), address_bits(config.hidden_depth))


def section_layout(config: EngineConfig) -> data.StructLayout:
    """Return the layout of a descriptor and, behind it, of what is worked out when it arrives.

    ``<field>_marks``: of each field in `_COUNTED`, see `darb.hw.countdown`. ``indexed``: it
    has indices. ``stride``: columns of a block. ``starts_vector``, ``starts_output``: it is the
    first of the first layer, of the last layer. ``ends_vector``: it is the last of the last layer.
    """
    worked_out = dict.fromkeys((f"{name}_marks" for name in _COUNTED), 2)
    for name in ("indexed", "starts_vector", "starts_output", "ends_vector"):
        worked_out[name] = 1
    return data.StructLayout({**SECTION, **worked_out, "stride": bank_address_bits(config)})


def _section_fields(word: ValueLike) -> Mapping[str, Value]:
    """Return the fields of `section_layout` for `word` of the layer memory."""
    section = data.View(data.StructLayout(SECTION), word)
    return {
        **{name: section[name] for name in SECTION},
        **{f"{name}_marks": marks(section[name]) for name in _COUNTED},
        "indexed": section.k != 0,
        "starts_vector": section.first_of_layer & section.reads_input,
        "starts_output": section.first_of_layer & section.writes_output,
        "ends_vector": section.last_of_layer & section.writes_output,
        "stride": 1 << section.k,
    }


class SectionFetch(wiring.Component):
    """Keeps the next descriptor at hand, with what is worked out of it, all in registers.

    Four clocks after `take` the one after is there, behind the last one the first. Out of reset it
    reads the two header words before. Where they are of another format version, or of no image, it
    has no descriptor.

    Parameters
    ----------
    config : EngineConfig

    Attributes
    ----------
    layer_en, layer_addr : Out; layer_word : In
        The layer memory, data two clocks later.
    section : Out(section_layout(config))
    valid : Out(1)
        `section` is there.
    take : In(1)
        It is taken, which needs `valid`.
    booted : Out(1)
    header : Out(data.StructLayout(HEADER))
    digest : Out(96)
    """

    def __init__(self, *, config: EngineConfig) -> None:
        super().__init__(
            {
                "layer_en": Out(1),
                "layer_addr": Out(address_bits(config.layer_depth)),
                "layer_word": In(LAYER_WORD_BITS),
                "section": Out(section_layout(config)),
                "valid": Out(1),
                "take": In(1),
                "booted": Out(1),
                "header": Out(data.StructLayout(HEADER)),
                "digest": Out(LAYER_WORD_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the fetch."""
        m = Module()
        fetching, boots, known = Signal(init=1), Signal(init=1), Signal()
        arrives = delay(m, fetching, FETCH, name="fetched")
        m.d.comb += self.layer_en.eq(fetching)
        m.d.sync += [
            boots.eq(boots & (self.layer_addr != HEADER_WORDS - 1)),
            fetching.eq(boots | self.take),
            self.valid.eq((arrives & known) | (self.valid & ~self.take)),
        ]
        with m.If(boots):
            m.d.sync += self.layer_addr.eq(self.layer_addr + 1)
        fields = _section_fields(self.layer_word)
        with m.If(arrives):
            m.d.sync += [self.section[name].eq(value) for name, value in fields.items()]
        with m.If(arrives & known):
            m.d.sync += self.layer_addr.eq(
                Mux(fields["ends_vector"], HEADER_WORDS, self.layer_addr + 1)
            )
        self._boot(m, known)
        return m

    def _boot(self, m: Module, known: Signal) -> None:
        """Take the header words, which arrive in the first clocks."""
        out_of_reset = Signal(init=1)
        m.d.sync += out_of_reset.eq(0)
        at_digest = delay(m, out_of_reset, FETCH, name="at_digest")
        at_header = delay(m, at_digest, 1, name="at_header")
        at_section = delay(m, at_header, 1, name="at_section")
        header = data.View(self.header.shape(), self.layer_word)
        with m.If(at_digest):
            m.d.sync += self.digest.eq(self.layer_word)
        with m.If(at_header):
            m.d.sync += [self.header.eq(header), known.eq(header.version == FORMAT_VERSION)]
        with m.If(at_section):
            m.d.sync += self.booted.eq(1)
