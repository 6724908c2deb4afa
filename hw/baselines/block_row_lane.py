"""One lane: its memories, its copies of the vector, its multipliers, its sums."""

from __future__ import annotations

from dataclasses import replace

from amaranth.hdl import Cat, Module, Mux, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from darb.golden.baselines.block_row import BlockRowConfig
from darb.golden.bitfields import Words
from darb.golden.memory_map import address_bits
from darb.golden.pipeline import FETCH, GATHER, MULTIPLY, reduce_latency
from darb.hw.baselines.activation_copy import ActivationCopy
from darb.hw.baselines.block_row_sequencer import BlockRowSequencer
from darb.hw.baselines.layer_memory import layer_memory
from darb.hw.baselines.sum_queue import SumQueue
from darb.hw.delay_line import delay
from darb.hw.dot_product import Accumulator, DotProduct
from darb.hw.memory import walk


class BlockRowLane(wiring.Component):
    """Works through its block rows of one vector after another, one entry a clock.

    Each block of an entry gathers its activations from a copy of the vector of its own; each row
    of the blocks has an adder tree and an accumulator. A block row's sums can be taken
    `darb.golden.baselines.block_row_model.step_to_queue` clocks after its last step. `take` in
    that clock; `totals` stand from the next to the next take.

    Parameters
    ----------
    config : BlockRowConfig
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
        See `BlockRowSequencer`.
    waits : Out(1); take : In(1)
        See `SumQueue`.
    totals : Out(data.ArrayLayout(signed(accumulator_bits), block_size))
    """

    def __init__(self, *, config: BlockRowConfig, lane: int, memories: dict[str, Words]) -> None:
        self._config, self._lane, self._memories = config, lane, memories
        beat = data.ArrayLayout(signed(config.activation_bits), config.beat)
        totals = data.ArrayLayout(signed(config.accumulator_bits), config.block_size)
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
                "totals": Out(totals),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the lane."""
        m = Module()
        config = self._config
        size, count = config.block_size, config.blocks_a_step
        row_config = replace(config.shared, lanes=count * size)
        m.submodules.sequencer = sequencer = BlockRowSequencer(config=config, lane=self._lane)
        m.submodules.lengths = lengths = layer_memory(
            config, f"lengths_{self._lane}", self._memories
        )
        m.submodules.entries = entries = layer_memory(
            config, f"entries_{self._lane}", self._memories
        )
        m.submodules.queue = queue = SumQueue(
            width=size * config.accumulator_bits, depth=config.queue_depth
        )
        step = sequencer.step
        walk(m, entries, step.valid, step.last & step.final)
        block = data.ArrayLayout(data.ArrayLayout(signed(config.weight_bits), size), size)
        layout = data.StructLayout(
            {
                "values": data.ArrayLayout(block, count),
                "columns": data.ArrayLayout(config.block_column_bits, count),
            }
        )
        at_entry = delay(m, step, FETCH, name="step_at_entry")
        at_sum = delay(
            m, at_entry, GATHER + MULTIPLY + reduce_latency(row_config), name="step_at_sum"
        )
        entry = data.View(layout, entries.data)
        # An empty block row's step adds nothing, whatever entry stands.
        values = Mux(at_entry.valid, entry.values.as_value(), 0)
        weights = data.View(layout.members["values"], delay(m, values, GATHER, name="weights"))
        activations = []
        for e in range(count):
            m.submodules[f"copy_{e}"] = copy = ActivationCopy(config=config, size=size)
            m.d.comb += [
                copy.load_en.eq(self.load_en),
                copy.load_half.eq(self.load_half),
                copy.load_addr.eq(self.load_addr),
                copy.load_data.eq(self.load_data),
                copy.column.eq(entry.columns[e]),
                copy.half.eq(at_entry.half),
            ]
            activations.append(copy.activations)
        totals = []
        for r in range(size):
            m.submodules[f"dot_{r}"] = dot = DotProduct(config=row_config)
            m.submodules[f"accumulator_{r}"] = accumulator = Accumulator(
                config=row_config, sum_shape=dot.sum.shape()
            )
            m.d.comb += [
                dot.activation.eq(Cat(activations)),
                dot.weight.eq(Cat(weights[e][r] for e in range(count))),
                accumulator.step.eq(at_sum.valid | at_sum.first),
                accumulator.first.eq(at_sum.first),
                accumulator.sum.eq(dot.sum),
            ]
            totals.append(accumulator.total)
        m.d.comb += [
            sequencer.arrived.eq(self.arrived),
            sequencer.room.eq(queue.room),
            sequencer.length.eq(lengths.data),
            sequencer.release.eq(self.release),
            lengths.en.eq(sequencer.length_en),
            lengths.addr.eq(sequencer.length_addr),
            queue.reserve.eq(sequencer.begin),
            queue.write_en.eq(delay(m, at_sum.last, 1, name="whole")),
            queue.write_data.eq(Cat(totals)),
            queue.take.eq(self.take),
            self.finished.eq(sequencer.finished),
            self.waits.eq(queue.waits),
            self.totals.eq(queue.data),
        ]
        return m
