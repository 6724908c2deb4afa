"""One lane of the relative CSC engine: its memories, its queue, its multiplier, its sums."""

from __future__ import annotations

from dataclasses import replace

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from darb.golden.baselines.relative_csc import RelativeCscConfig
from darb.golden.baselines.relative_csc_model import COUNT, IN_FLIGHT, PLACE, READ
from darb.golden.bitfields import Words
from darb.golden.memory_map import address_bits
from darb.golden.pipeline import FETCH, MULTIPLY
from darb.hw.baselines.accumulator_banks import AccumulatorBanks
from darb.hw.baselines.column_queue import ColumnQueue
from darb.hw.baselines.column_sequencer import ColumnSequencer, column_layout
from darb.hw.baselines.layer_memory import layer_memory
from darb.hw.baselines.nonzero_broadcaster import pick_layout
from darb.hw.delay_line import delay
from darb.hw.dot_product import DotProduct


class RelativeCscLane(wiring.Component):
    """Works through its part of every column that is picked, one entry a clock.

    Column pointers are read before the queue, so that a column costs the lane as many clocks as it
    has entries, one without entries none.

    Parameters
    ----------
    config : RelativeCscConfig
    lane : int
    memories : dict of str to ndarray of uint8
        For Amaranth's simulator.

    Attributes
    ----------
    room : Out(1)
        See `ColumnQueue`.
    pick, column_read, even_addr, odd_addr, at_pointers, at_count : In
        From `NonzeroBroadcaster`.
    finished : Out(1); release, take : In(1); total : Out(signed(accumulator_bits))
        See `AccumulatorBanks`.
    """

    def __init__(self, *, config: RelativeCscConfig, lane: int, memories: dict[str, Words]) -> None:
        self._config, self._lane, self._memories = config, lane, memories
        pick = pick_layout(config)
        super().__init__(
            {
                "room": Out(1),
                "pick": In(1),
                "column_read": In(1),
                "even_addr": In(address_bits(config.columns // 2 + 1)),
                "odd_addr": In(address_bits((config.columns + 1) // 2)),
                "at_pointers": In(pick),
                "at_count": In(pick),
                "finished": Out(1),
                "release": In(1),
                "take": In(1),
                "total": Out(signed(config.accumulator_bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the lane."""
        m = Module()
        config = self._config
        m.submodules.queue = queue = ColumnQueue(
            layout=column_layout(config), places=config.queue_depth + IN_FLIGHT
        )
        m.submodules.sequencer = sequencer = ColumnSequencer(config=config)
        m.submodules.banks = banks = AccumulatorBanks(
            rows=config.lane_rows(self._lane),
            width=config.accumulator_bits,
            product_width=config.weight_bits + config.activation_bits,
        )
        self._enqueue(m, queue)
        self._multiply(m, sequencer, banks)
        m.d.comb += [
            self.room.eq(queue.room),
            queue.reserve.eq(self.pick),
            queue.take.eq(sequencer.take),
            sequencer.waits.eq(queue.waits),
            sequencer.head.eq(queue.head),
            sequencer.free.eq(banks.free),
            banks.open.eq(sequencer.open),
            banks.take.eq(self.take),
            banks.release.eq(self.release),
            self.finished.eq(banks.finished),
            self.total.eq(banks.total),
        ]
        return m

    def _enqueue(self, m: Module, queue: ColumnQueue) -> None:
        """Read a column's two pointers and queue it, unless there is nothing to do for it."""
        config, odd_column = self._config, self.at_pointers.odd
        m.submodules.even = even = layer_memory(config, f"even_{self._lane}", self._memories)
        m.submodules.odd = odd = layer_memory(config, f"odd_{self._lane}", self._memories)
        start = Mux(odd_column, odd.data, even.data)
        end = Mux(odd_column, even.data, odd.data)
        needed = Signal()
        assert COUNT == 1
        m.d.sync += [
            queue.item.start.eq(start),
            queue.item.count.eq(Mux(self.at_pointers.some, end - start, 0)),
        ]
        m.d.comb += [
            even.en.eq(self.column_read),
            even.addr.eq(self.even_addr),
            odd.en.eq(self.column_read),
            odd.addr.eq(self.odd_addr),
            queue.item.last.eq(self.at_count.last),
            queue.item.value.eq(self.at_count.value),
            needed.eq(self.at_count.last | (queue.item.count != 0)),
            queue.write.eq(self.at_count.valid & needed),
            queue.drop.eq(self.at_count.valid & ~needed),
        ]

    def _multiply(self, m: Module, sequencer: ColumnSequencer, banks: AccumulatorBanks) -> None:
        """From a step to its product and the row it is added to."""
        config, step = self._config, sequencer.step
        m.submodules.entries = entries = layer_memory(
            config, f"entries_{self._lane}", self._memories
        )
        m.submodules.dot = dot = DotProduct(config=replace(config.shared, lanes=1))
        fields = config.entry_layout
        layout = data.StructLayout({**fields, "value": signed(fields["value"])})
        entry = data.View(layout, entries.data)
        at_entry = delay(m, step, FETCH, name="step_at_entry")
        with m.If(at_entry.valid):
            # A skip counts the rows between two entries.
            before = Mux(at_entry.first, 0, banks.row)
            m.d.sync += banks.row.eq(before + entry.skip + ~at_entry.first)
        assert PLACE == 1
        assert PLACE + READ == MULTIPLY
        at_row = delay(m, at_entry, PLACE, name="step_at_row")
        m.d.comb += [
            entries.en.eq(step.valid),
            entries.addr.eq(sequencer.address),
            dot.activation[0].eq(delay(m, sequencer.value, FETCH, name="value")),
            dot.weight[0].eq(entry.value),
            banks.add.eq(at_row.valid),
            banks.bank.eq(at_row.bank),
            banks.ends.eq(at_row.ends),
            banks.product.eq(dot.sum),
        ]
