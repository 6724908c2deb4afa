"""The arg-max of each vector of a stream."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from darb.golden.config import EngineConfig
from darb.hw.output_buffer import output_layout


class ArgMax(wiring.Component):
    """Takes a vector word by word and sends the number of its first largest word.

    The result stands one clock after the vector's last word; meanwhile one word a clock is taken,
    but none while a result waits.

    Parameters
    ----------
    config : EngineConfig

    Attributes
    ----------
    i : In(stream.Signature(output_layout(signed(accumulator_bits))))
    o : Out(stream.Signature(output_layout(16)))
        `last` always stands.
    """

    def __init__(self, *, config: EngineConfig) -> None:
        self._shape = signed(config.accumulator_bits)
        super().__init__(
            {
                "i": In(stream.Signature(output_layout(self._shape))),
                "o": Out(stream.Signature(output_layout(16))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the comparison."""
        m = Module()
        number, best_number = Signal(16), Signal(16)
        best = Signal(self._shape)
        better = Signal()
        m.d.comb += [
            self.i.ready.eq(~self.o.valid),
            self.o.payload.last.eq(1),
            better.eq((number == 0) | (self.i.payload.data > best)),
        ]
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += number.eq(number + 1)
            with m.If(better):
                m.d.sync += [best.eq(self.i.payload.data), best_number.eq(number)]
            with m.If(self.i.payload.last):
                m.d.sync += [number.eq(0), self.o.valid.eq(1)]
                m.d.sync += self.o.payload.data.eq(best_number)
                with m.If(better):
                    m.d.sync += self.o.payload.data.eq(number)
        return m
