"""The input end: beats of the stream into the input banks, whole vectors only."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from darb.golden.config import EngineConfig
from darb.golden.memory_map import HEADER, address_bits
from darb.golden.timeline import BUFFERS


def input_layout(config: EngineConfig) -> data.StructLayout:
    """Return one beat: an activation for each bank, and whether it is the vector's last."""
    return data.StructLayout(
        {"data": data.ArrayLayout(signed(config.activation_bits), config.lanes), "last": 1}
    )


class VectorLoader(wiring.Component):
    """Fills one half of the input banks while the other is read.

    One beat a clock; `i.ready` depends on registers alone. A vector counts once its last beat is in
    and `last` stood there and nowhere before. A vector that ends early is dropped; one that does
    not end is dropped up to its `last`. Either raises its error for one clock, and the next vector
    is whole again.

    Parameters
    ----------
    config : EngineConfig

    Attributes
    ----------
    i : In(stream.Signature(input_layout(config)))
    enable : In(1)
        `last_beat` is known.
    last_beat : In(16)
        Beats of one vector, less one.
    load_en, load_half, load_addr, load_data : Out
        To `ActivationBanks`.
    waiting : Out(1)
        A whole vector has not been taken yet.
    take, release : In(1)
        The sequencer starts the oldest vector; its buffer is free again.
    too_short, too_long : Out(1)
        The stream's `last` came before, or not at, the vector's last beat.
    """

    def __init__(self, *, config: EngineConfig) -> None:
        self._config = config
        super().__init__(
            {
                "i": In(stream.Signature(input_layout(config))),
                "enable": In(1),
                "last_beat": In(HEADER["input_beats"]),
                "load_en": Out(1),
                "load_half": Out(1),
                "load_addr": Out(address_bits(config.input_depth)),
                "load_data": Out(data.ArrayLayout(signed(config.activation_bits), config.lanes)),
                "waiting": Out(1),
                "take": In(1),
                "release": In(1),
                "too_short": Out(1),
                "too_long": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the loader."""
        m = Module()
        beat = Signal(HEADER["input_beats"])
        occupied, untaken = Signal(range(BUFFERS + 1)), Signal(range(BUFFERS + 1))
        skipping, at_last, whole = Signal(), Signal(), Signal()
        accept = self.i.valid & self.i.ready
        m.d.comb += [
            self.i.ready.eq(self.enable & (occupied != BUFFERS)),
            at_last.eq(beat == self.last_beat),
            whole.eq(accept & ~skipping & at_last & self.i.payload.last),
            self.too_short.eq(accept & ~skipping & ~at_last & self.i.payload.last),
            self.too_long.eq(accept & ~skipping & at_last & ~self.i.payload.last),
            self.load_en.eq(accept & ~skipping),
            self.load_addr.eq(beat),
            self.load_data.eq(self.i.payload.data),
            self.waiting.eq(untaken != 0),
        ]
        with m.If(accept):
            m.d.sync += [
                beat.eq(Mux(self.i.payload.last | at_last | skipping, 0, beat + 1)),
                skipping.eq(~self.i.payload.last & (skipping | at_last)),
            ]
        m.d.sync += [
            self.load_half.eq(self.load_half ^ whole),
            occupied.eq(occupied + whole - self.release),
            untaken.eq(untaken + whole - self.take),
        ]
        return m
