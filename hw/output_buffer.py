"""The output end: results of a whole vector, in row order, while the next ones are computed."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Shape, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from darb.golden.config import EngineConfig
from darb.golden.memory_map import address_bits
from darb.golden.timeline import BUFFERS
from darb.hw.memory import Ram


def output_layout(shape: Shape) -> data.StructLayout:
    """Return one beat: a word, and whether it is the vector's last."""
    return data.StructLayout({"data": shape, "last": 1})


class OutputBuffer(wiring.Component):
    """Two halves of results: one is sent while the other fills.

    Rows arrive in packed order and leave in row order. The first beat stands three clocks after the
    last result is written, then one beat a clock, without a pause between vectors.

    Parameters
    ----------
    config : EngineConfig
    shape : Shape
        Of one result.

    Attributes
    ----------
    write_en, write_half, write_addr, write_data : In
        One result a clock.
    complete : In(1)
        The half being written is whole with this clock's write.
    reserve : In(1)
        The sequencer takes a half.
    free : Out(1)
        A half can be taken.
    last_address : In(address_bits(output_depth))
        Words of one vector, less one.
    o : Out(stream.Signature(output_layout(shape)))
    """

    def __init__(self, *, config: EngineConfig, shape: Shape) -> None:
        self._shape = Shape.cast(shape)
        self._address_bits = address_bits(config.output_depth)
        super().__init__(
            {
                "write_en": In(1),
                "write_half": In(1),
                "write_addr": In(self._address_bits),
                "write_data": In(shape),
                "complete": In(1),
                "reserve": In(1),
                "free": Out(1),
                "last_address": In(self._address_bits),
                "o": Out(stream.Signature(output_layout(shape))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the buffer."""
        m = Module()
        m.submodules.words = words = Ram(width=self._shape.width, depth=2 << self._address_bits)
        taken, whole = Signal(range(BUFFERS + 1)), Signal(range(BUFFERS + 1))
        half, address = Signal(), Signal(self._address_bits)
        read_valid, read_last, read_ready = Signal(), Signal(), Signal()
        sent = self.o.valid & self.o.ready & self.o.payload.last
        reads, at_last, finished = Signal(), Signal(), Signal()
        m.d.comb += [
            read_ready.eq(~self.o.valid | self.o.ready),
            reads.eq((whole != 0) & (~read_valid | read_ready)),
            at_last.eq(address == self.last_address),
            finished.eq(reads & at_last),
            self.free.eq(taken != BUFFERS),
            words.w_en.eq(self.write_en),
            words.w_addr.eq(Cat(self.write_addr, self.write_half)),
            words.w_data.eq(self.write_data),
            words.r_en.eq(reads),
            words.r_addr.eq(Cat(address, half)),
        ]
        m.d.sync += [
            taken.eq(taken + self.reserve - sent),
            whole.eq(whole + self.complete - finished),
            half.eq(half ^ finished),
        ]
        with m.If(reads):
            m.d.sync += [address.eq(Mux(at_last, 0, address + 1)), read_last.eq(at_last)]
        with m.If(reads | read_ready):
            m.d.sync += read_valid.eq(reads)
        with m.If(read_ready):
            m.d.sync += [
                self.o.valid.eq(read_valid),
                self.o.payload.data.eq(words.data),
                self.o.payload.last.eq(read_last),
            ]
        return m
