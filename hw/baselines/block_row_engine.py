"""Lanes that work on block rows of their own and gather from copies of the vector."""

from __future__ import annotations

from typing import ClassVar

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from darb.golden.baselines.block_row import BlockRowConfig
from darb.golden.bitfields import Words
from darb.hw.baselines.block_row_lane import BlockRowLane
from darb.hw.baselines.result_path import ResultPath
from darb.hw.baselines.row_collector import RowCollector
from darb.hw.engine import output_shape
from darb.hw.output_buffer import output_layout
from darb.hw.vector_loader import VectorLoader, input_layout


class BlockRowEngine(wiring.Component):
    """One layer, whose block rows the lanes take in turn.

    Takes vectors on `i`, sends results on `o`, both in order; two vectors fit each end. Lanes run
    ahead of one another by up to `queue_depth` block rows, into the next vector too. When every
    beat of either stream is transferred is what
    `darb.golden.baselines.block_row_model.BlockRowModel` says.

    Parameters
    ----------
    config : BlockRowConfig
        Of the engine's own `config_kind`.
    memories : dict of str to ndarray of uint8, optional
        Of the packer, for Amaranth's simulator; generated Verilog reads them from files.

    Attributes
    ----------
    i : In(stream.Signature(input_layout(config.shared)))
        Beat n carries columns ``n * beat`` and on.
    o : Out(stream.Signature(output_layout(output_shape(config.shared))))
        One row a beat, in row order.
    too_short, too_long : Out(1)
        See `VectorLoader`.

    Raises
    ------
    TypeError
        If `config` is of another kind.
    """

    config_kind: ClassVar[type[BlockRowConfig]]

    def __init__(self, *, config: BlockRowConfig, memories: dict[str, Words] | None = None) -> None:
        if not isinstance(config, self.config_kind):
            raise TypeError(f"config must be a {self.config_kind.__name__}, not {config!r}")
        self._config, self._memories = config, memories or {}
        super().__init__(
            {
                "i": In(stream.Signature(input_layout(config.shared))),
                "o": Out(stream.Signature(output_layout(output_shape(config.shared)))),
                "too_short": Out(1),
                "too_long": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Connect the lanes to the two ends."""
        m = Module()
        config, memories = self._config, self._memories
        m.submodules.loader = loader = VectorLoader(config=config.shared)
        m.submodules.collector = collector = RowCollector(
            lanes=config.lanes, width=config.accumulator_bits, rows=config.block_size
        )
        m.submodules.result = result = ResultPath(config=config, memories=memories)
        lanes = [
            BlockRowLane(config=config, lane=p, memories=memories) for p in range(config.lanes)
        ]
        connect(m, flipped(self.i), loader.i)
        connect(m, result.o, flipped(self.o))
        all_finished = Signal()
        m.d.comb += [
            loader.enable.eq(1),
            loader.beats.eq(config.input_beats),
            loader.take.eq(loader.waiting),
            all_finished.eq(Cat(lane.finished for lane in lanes).all()),
            collector.waits.eq(Cat(lane.waits for lane in lanes)),
            collector.ready.eq(result.ready),
            collector.last.eq(result.last),
            result.take.eq(collector.taken),
            result.total.eq(collector.total),
            self.too_short.eq(loader.too_short),
            self.too_long.eq(loader.too_long),
        ]
        m.d.sync += loader.release.eq(all_finished)
        for p, lane in enumerate(lanes):
            m.submodules[f"lane_{p}"] = lane
            m.d.comb += [
                lane.load_en.eq(loader.load_en),
                lane.load_half.eq(loader.load_half),
                lane.load_addr.eq(loader.load_addr),
                lane.load_data.eq(loader.load_data),
                lane.arrived.eq(loader.waiting),
                lane.release.eq(all_finished),
                lane.take.eq(collector.take[p]),
                collector.data[p].eq(lane.totals),
            ]
        return m
