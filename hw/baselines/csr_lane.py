"""One lane of the CSR engine: its memories, its copy of the vector, its multiplier, its sums."""

from __future__ import annotations

from dataclasses import replace

from amaranth.hdl import Module, Mux, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from darb.golden.baselines.csr import CsrConfig
from darb.golden.bitfields import Words
from darb.golden.memory_map import address_bits
from darb.golden.pipeline import FETCH, GATHER, MULTIPLY
from darb.hw.baselines.activation_copy import ActivationCopy
from darb.hw.baselines.csr_sequencer import CsrSequencer
from darb.hw.baselines.layer_memory import layer_memory
from darb.hw.baselines.sum_queue import SumQueue
from darb.hw.delay_line import delay
from darb.hw.dot_product import Accumulator, DotProduct
from darb.hw.memory import walk


class CsrLane(wiring.Component):
    """Works through its rows of one vector after another, one entry a clock.

    A row's sum can be taken `darb.golden.baselines.csr_model.STEP_TO_QUEUE` clocks after its last
    step. `take` in that clock; `total` stands in the next.

    Parameters
    ----------
    config : CsrConfig
    lane : int
    memories : dict of str to ndarray of uint8
        For Amaranth's simulator.

    Attributes
    ----------
    load_en, load_half, load_addr, load_data : In
        From `VectorLoader`.
    arrived : In(1)
        One more vector is in.
    finished : Out(1); release : In(1)
        See `CsrSequencer`.
    waits : Out(1); take : In(1)
        See `SumQueue`.
    total : Out(signed(accumulator_bits))
    """

    def __init__(self, *, config: CsrConfig, lane: int, memories: dict[str, Words]) -> None:
        self._config, self._lane, self._memories = config, lane, memories
        beat = data.ArrayLayout(signed(config.activation_bits), config.beat)
        super().__init__(
            {
                "load_en": In(1),
                "load_half": In(1),
                "load_addr": In(address_bits(config.input_beats)),
                "load_data": In(beat),
                "arrived": In(1),
                "finished": Out(1),
                "release": In(1),
                "waits": Out(1),
                "take": In(1),
                "total": Out(signed(config.accumulator_bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the lane."""
        m = Module()
        config = self._config
        single = replace(config.shared, lanes=1)
        m.submodules.sequencer = sequencer = CsrSequencer(config=config, lane=self._lane)
        m.submodules.lengths = lengths = layer_memory(
            config, f"lengths_{self._lane}", self._memories
        )
        m.submodules.entries = entries = layer_memory(
            config, f"entries_{self._lane}", self._memories
        )
        m.submodules.copy = copy = ActivationCopy(config=config)
        m.submodules.dot = dot = DotProduct(config=single)
        m.submodules.accumulator = accumulator = Accumulator(
            config=single, sum_shape=dot.sum.shape()
        )
        m.submodules.queue = queue = SumQueue(
            width=config.accumulator_bits, depth=config.queue_depth
        )
        step = sequencer.step
        walk(m, entries, step.valid, step.last & step.final)
        fields = config.entry_layout
        layout = data.StructLayout({**fields, "value": signed(fields["value"])})
        entry = data.View(layout, entries.data)
        at_entry = delay(m, step, FETCH, name="step_at_entry")
        at_sum = delay(m, at_entry, GATHER + MULTIPLY, name="step_at_sum")
        # An empty row's step adds nothing, whatever entry stands.
        value = Mux(at_entry.valid, entry.value, 0).as_signed()
        m.d.comb += [
            sequencer.arrived.eq(self.arrived),
            sequencer.room.eq(queue.room),
            sequencer.length.eq(lengths.data),
            sequencer.release.eq(self.release),
            lengths.en.eq(sequencer.length_en),
            lengths.addr.eq(sequencer.length_addr),
            copy.load_en.eq(self.load_en),
            copy.load_half.eq(self.load_half),
            copy.load_addr.eq(self.load_addr),
            copy.load_data.eq(self.load_data),
            copy.column.eq(entry.column),
            copy.half.eq(at_entry.half),
            dot.activation[0].eq(copy.activation),
            dot.weight[0].eq(delay(m, value, GATHER, name="weight")),
            accumulator.step.eq(at_sum.valid | at_sum.first),
            accumulator.first.eq(at_sum.first),
            accumulator.sum.eq(dot.sum),
            queue.reserve.eq(sequencer.begin),
            queue.write_en.eq(delay(m, at_sum.last, 1, name="whole")),
            queue.write_data.eq(accumulator.total),
            queue.take.eq(self.take),
            self.finished.eq(sequencer.finished),
            self.waits.eq(queue.waits),
            self.total.eq(queue.data),
        ]
        return m
