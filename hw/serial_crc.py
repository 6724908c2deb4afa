"""CRC-32 of a byte stream, a bit a clock."""

from __future__ import annotations

from amaranth.hdl import Module, ResetInserter, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.crc.catalog import CRC32_ISO_HDLC
from amaranth.lib.wiring import In, Out

_BYTE = 8


class SerialCrc(wiring.Component):
    """The CRC of frames, over bytes that come nine clocks apart or slower.

    A byte of a serial line takes far longer, and a bit a clock needs a quarter of the logic.

    Attributes
    ----------
    start : In(1)
        Where `i.ready` is high: forget all bytes; one that is taken in this clock is the first.
    i : In(stream.Signature(8))
        Ready while no byte is being worked on.
    crc : Out(32)
        Of all bytes since `start`, where `i.ready` is high.
    good : Out(1)
        The bytes end in their own CRC, low byte first; where `i.ready` is high.
    """

    def __init__(self) -> None:
        super().__init__(
            {"start": In(1), "i": In(stream.Signature(_BYTE)), "crc": Out(32), "good": Out(1)}
        )

    def elaborate(self, platform: object) -> Module:
        """Build the register."""
        m = Module()
        processor = CRC32_ISO_HDLC(data_width=1).create()
        # Its own `start` costs logic for a start and a bit in one clock.
        m.submodules.processor = ResetInserter(self.start & self.i.ready)(processor)
        byte, left = Signal(_BYTE), Signal(range(_BYTE + 1))
        m.d.comb += [
            self.i.ready.eq(left == 0),
            processor.valid.eq(left != 0),
            processor.data.eq(byte[0]),
            self.crc.eq(processor.crc),
            self.good.eq(processor.match_detected),
        ]
        with m.If(left != 0):
            m.d.sync += [byte.eq(byte >> 1), left.eq(left - 1)]
        with m.Elif(self.i.valid):
            m.d.sync += [byte.eq(self.i.payload), left.eq(_BYTE)]
        return m
