"""The CSR and BSR engines: lanes take block rows in turn and gather from copies of the vector."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal

from darb.golden.baselines.bsr import BsrConfig
from darb.golden.baselines.csr import CsrConfig
from darb.hw.baselines.block_row_lane import BlockRowLane
from darb.hw.baselines.engine import BaselineEngine
from darb.hw.baselines.result_path import ResultPath
from darb.hw.baselines.row_collector import RowCollector
from darb.hw.vector_loader import VectorLoader


class BlockRowEngine(BaselineEngine):
    """One layer, whose block rows the lanes take in turn.

    Lanes run ahead of one another by up to `queue_depth` block rows, into the next vector too.
    """

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
        all_finished = Signal()
        self._connect_ends(m, loader, result)
        m.d.comb += [
            all_finished.eq(Cat(lane.finished for lane in lanes).all()),
            collector.waits.eq(Cat(lane.waits for lane in lanes)),
        ]
        self._connect_results(m, loader, collector, result)
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


class CsrEngine(BlockRowEngine):
    """One layer in CSR with absolute column indices, one entry a lane and clock.

    Parameters
    ----------
    config : CsrConfig
    memories : dict of str to ndarray of uint8, optional
        Of `darb.golden.baselines.pack_csr`.

    Raises
    ------
    TypeError
        If `config` is no `CsrConfig`.
    """

    config_kind = CsrConfig


class BsrEngine(BlockRowEngine):
    """One layer in BSR, `blocks_a_step` blocks of one block row a lane and clock.

    Parameters
    ----------
    config : BsrConfig
    memories : dict of str to ndarray of uint8, optional
        Of `darb.golden.baselines.pack_bsr`.

    Raises
    ------
    TypeError
        If `config` is no `BsrConfig`.
    """

    config_kind = BsrConfig
