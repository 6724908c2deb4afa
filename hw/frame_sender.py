"""Frames out: appends the CRC to what a reply consists of."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from darb.golden.frame import CRC_BYTES
from darb.hw.serial_crc import SerialCrc


def reply_layout() -> data.StructLayout:
    """Return one byte of a reply, and whether it is the last before the CRC.

    `spoiled`: the CRC shall be wrong; only at the last byte.
    """
    return data.StructLayout({"data": 8, "last": 1, "spoiled": 1})


class FrameSender(wiring.Component):
    """Passes bytes on and puts the CRC behind the last one.

    Takes a byte every tenth clock at most, for the CRC; a byte is offered one clock later.

    Attributes
    ----------
    i : In(stream.Signature(reply_layout()))
        From the length on.
    o : Out(stream.Signature(8))
    """

    def __init__(self) -> None:
        super().__init__({"i": In(stream.Signature(reply_layout())), "o": Out(stream.Signature(8))})

    def elaborate(self, platform: object) -> Module:
        """Build the sender."""
        m = Module()
        m.submodules.crc = crc = SerialCrc()
        left, fresh, moves = Signal(range(CRC_BYTES + 1)), Signal(init=1), Signal()
        in_crc = left != 0
        m.d.comb += [
            moves.eq(crc.i.ready & ~self.o.valid),
            self.i.ready.eq(moves & ~in_crc),
            crc.i.valid.eq(moves & (self.i.valid | in_crc)),
            crc.i.payload.eq(self.i.payload.data ^ (self.i.payload.spoiled & self.i.payload.last)),
            crc.start.eq(fresh),
        ]
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(moves & in_crc):
            # Fed with its own inverse, the register shifts: the next byte comes to the low end.
            m.d.comb += crc.i.payload.eq(~crc.crc[:8])
            m.d.sync += [
                self.o.valid.eq(1),
                self.o.payload.eq(crc.crc),
                left.eq(left - 1),
                fresh.eq(left == 1),
            ]
        with m.Elif(moves & self.i.valid):
            m.d.sync += [
                self.o.valid.eq(1),
                self.o.payload.eq(self.i.payload.data),
                fresh.eq(0),
            ]
            with m.If(self.i.payload.last):
                m.d.sync += left.eq(CRC_BYTES)
        return m
