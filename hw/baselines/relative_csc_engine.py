"""The relative CSC engine: non-zero activations to lanes that hold rows of their own, as in EIE."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal

from darb.golden.baselines.relative_csc import RelativeCscConfig
from darb.golden.baselines.relative_csc_model import BANKS
from darb.hw.baselines.engine import BaselineEngine
from darb.hw.baselines.nonzero_beats import NonzeroBeats
from darb.hw.baselines.nonzero_broadcaster import NonzeroBroadcaster
from darb.hw.baselines.relative_csc_lane import RelativeCscLane
from darb.hw.baselines.result_path import ResultPath
from darb.hw.baselines.row_collector import RowCollector
from darb.hw.vector_loader import VectorLoader


class RelativeCscEngine(BaselineEngine):
    """One layer in interleaved CSC with relative row indices, one entry a lane and clock.

    Each activation that is not zero goes to all lanes at once, one a clock while none has a full
    queue; zeros cost nothing. Lanes work into the next vector while one's sums are taken.

    Parameters
    ----------
    config : RelativeCscConfig
    memories : dict of str to ndarray of uint8, optional
        Of `darb.golden.baselines.pack_relative_csc`.

    Raises
    ------
    TypeError
        If `config` is no `RelativeCscConfig`.
    """

    config_kind = RelativeCscConfig

    def elaborate(self, platform: object) -> Module:
        """Connect the broadcast and the lanes to the two ends."""
        m = Module()
        config, memories = self._config, self._memories
        m.submodules.loader = loader = VectorLoader(config=config.shared)
        m.submodules.beats = beats = NonzeroBeats(config=config)
        m.submodules.broadcaster = broadcaster = NonzeroBroadcaster(config=config)
        m.submodules.collector = collector = RowCollector(
            lanes=config.lanes, width=config.accumulator_bits
        )
        m.submodules.result = result = ResultPath(config=config, memories=memories)
        lanes = [
            RelativeCscLane(config=config, lane=p, memories=memories) for p in range(config.lanes)
        ]
        # What concerns all lanes goes through a register before it goes back to them: they are all
        # over the chip.
        release, whole = Signal(), Signal(range(BANKS + 1))
        all_finished = Cat(lane.finished for lane in lanes).all()
        m.d.sync += [
            broadcaster.room.eq(Cat(lane.room for lane in lanes).all()),
            release.eq(all_finished & ~release),
            whole.eq(whole + release - (collector.taken & collector.last)),
        ]
        self._connect_ends(m, loader, result)
        m.d.comb += [
            loader.release.eq(broadcaster.release),
            beats.load_en.eq(loader.load_en),
            beats.load_half.eq(loader.load_half),
            beats.load_addr.eq(loader.load_addr),
            beats.load_data.eq(loader.load_data),
            beats.half.eq(broadcaster.half),
            beats.read_en.eq(broadcaster.read_en),
            beats.read_addr.eq(broadcaster.read_addr),
            broadcaster.arrived.eq(loader.waiting),
            broadcaster.count.eq(beats.count),
            broadcaster.beat.eq(beats.beat),
            collector.waits.eq((whole != 0).replicate(config.lanes)),
        ]
        self._connect_results(m, loader, collector, result)
        for p, lane in enumerate(lanes):
            m.submodules[f"lane_{p}"] = lane
            m.d.comb += [
                lane.pick.eq(broadcaster.pick),
                lane.column_read.eq(broadcaster.column_read),
                lane.even_addr.eq(broadcaster.even_addr),
                lane.odd_addr.eq(broadcaster.odd_addr),
                lane.at_pointers.eq(broadcaster.at_pointers),
                lane.at_count.eq(broadcaster.at_count),
                lane.release.eq(release),
                lane.take.eq(collector.take[p]),
                collector.data[p][0].eq(lane.total),
            ]
        return m
