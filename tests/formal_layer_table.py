"""A layer memory that holds any well-formed table of a few short sections."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from amaranth.hdl import Assume, Module, Mux, Signal, Value, ValueLike
from amaranth.lib import data

from darb.golden.config import EngineConfig
from darb.golden.memory_map import (
    FORMAT_VERSION,
    HEADER,
    LAYER_WORD_BITS,
    SECTION,
    indices_per_word,
)
from darb.golden.pipeline import SECTION_FETCH, layer_gap

_FREE = {"groups": 2, "period": 3, "lead": 2, "k": 2, "keep": 1, "per_word": 3}
_FLAGS = ("first_of_layer", "last_of_layer", "reads_input", "writes_output", "relu")
_BLOCKS = 2
_WIDE = 8


def pick(values: Sequence[ValueLike], index: Value) -> Value:
    """Return the element of `values` that `index` names; the last one beyond the end."""
    chosen = values[-1]
    for number, value in reversed(list(enumerate(values[:-1]))):
        chosen = Mux(index == number, value, chosen)
    return chosen


class LayerTable:
    """A table that `darb.golden.image_walk` accepts, as the solver's constants.

    Parameters
    ----------
    m : Module
    constant : callable
        Makes a constant of the solver's from a module, a shape and a name.
    config : EngineConfig
        `max_k` at most 2.
    most : int
        Sections at most.

    Attributes
    ----------
    count : Signal
        Sections.
    header : Signal
    sections : list of Signal
        Descriptors.
    steps, blocks : list of Signal
        Steps and blocks of a group.
    starts, weights, indices, groups : list of Value
        What comes before each section, and at the end before the next vector: clocks, and words
        (or groups) in the memories that the engine walks through.
    """

    def __init__(
        self, m: Module, constant: Callable[..., Signal], config: EngineConfig, most: int
    ) -> None:
        self._config = config
        self.count = constant(m, range(most + 1), "sections")
        self.header = Signal(data.StructLayout(HEADER))
        self.digest = constant(m, LAYER_WORD_BITS, "digest")
        m.d.comb += [
            self.header.version.eq(FORMAT_VERSION),
            self.header.sections.eq(self.count),
            self.header.outputs.eq(constant(m, 2, "outputs")),
            Assume((self.count >= 1) & (self.count <= most)),
        ]
        self.sections, self.steps, self.blocks = [], [], []
        for number in range(most):
            self._add(m, constant, number)
        self._chain(m)
        zero = Signal(_WIDE)
        self.starts, self.weights, self.indices, self.groups = [zero], [zero], [zero], [zero]
        for number in range(most):
            self._count(m, number)

    def word(self, address: Value) -> Value:
        """Return the word at `address`."""
        sections = [section.as_value() for section in self.sections]
        return pick([self.digest, self.header.as_value(), *sections], address)

    def _add(self, m: Module, constant: Callable[..., Signal], number: int) -> None:
        config = self._config
        section = Signal(data.StructLayout(SECTION), name=f"section_{number}")
        for name, width in {**_FREE, **dict.fromkeys(_FLAGS, 1)}.items():
            m.d.comb += section[name].eq(constant(m, width, f"{name}_{number}"))
        steps = Signal(4, name=f"steps_{number}")
        blocks = constant(m, _BLOCKS, f"blocks_{number}")
        m.d.comb += [
            steps.eq(section.period + 1 - section.lead),
            Assume(section.lead <= section.period),
            Assume(steps == blocks * (section.keep + 1)),
            Assume(section.period + 1 >= config.rows),
            Assume((section.groups + 1) * (section.period + 1) >= SECTION_FETCH),
            Assume((section.k <= config.max_k) & ((section.keep >> section.k) == 0)),
        ]
        depth = Mux(section.reads_input, config.input_depth, config.hidden_depth)
        m.d.comb += Assume((blocks != 0) & (((blocks - 1)[:_BLOCKS] << section.k) < depth))
        for k in range(config.max_k + 1):
            served = max(indices_per_word(config.index_word_bits, k), 1)
            with m.If(section.k == k):
                m.d.comb += Assume(section.per_word == served - 1)
        self.sections.append(section)
        self.steps.append(steps)
        self.blocks.append(blocks)

    def _chain(self, m: Module) -> None:
        """Layers follow one another: the first reads the input, the last alone writes it out."""
        first = self.sections[0]
        m.d.comb += Assume(first.first_of_layer & first.reads_input)
        for number, section in enumerate(self.sections):
            with m.If(self.count == number + 1):
                m.d.comb += Assume(section.last_of_layer & section.writes_output)
            if number + 1 < len(self.sections):
                after = self.sections[number + 1]
                with m.If(self.count > number + 1):
                    m.d.comb += [
                        Assume(after.first_of_layer == section.last_of_layer),
                        Assume(after.reads_input == (section.reads_input & ~after.first_of_layer)),
                        Assume(
                            section.writes_output == (after.writes_output & ~after.first_of_layer)
                        ),
                    ]

    def _count(self, m: Module, number: int) -> None:
        section, steps = self.sections[number], self.steps[number]
        groups, served = section.groups[:2] + 1, section.per_word + 1
        words = Signal(_WIDE, name=f"words_{number}")
        m.d.comb += words.eq((groups * steps + section.per_word)[:_WIDE] // served[:_WIDE])
        gap = Mux(section.last_of_layer, layer_gap(self._config), 0)
        for totals, more in (
            (self.starts, groups * (section.period[:4] + 1) + gap),
            (self.weights, groups * steps),
            (self.indices, Mux(section.k == 0, 0, words)),
            (self.groups, groups),
        ):
            total = Signal(_WIDE)
            m.d.comb += total.eq(totals[-1] + more)
            totals.append(total)

    def total(self, totals: list[Value]) -> Value:
        """Return the last of `totals` that belongs to the table."""
        return pick(totals, self.count)
