"""Frames in: received bytes to whole frames in a buffer, and what was wrong with the others."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from darb.golden.frame import (
    CRC_BYTES,
    HEADER_BYTES,
    MAX_CAPACITY,
    MIN_CAPACITY,
    ErrorCode,
)
from darb.golden.memory_map import address_bits
from darb.hw.memory import LoadableRom
from darb.hw.serial_crc import SerialCrc
from darb.hw.uart import received_layout

_HALVES = 2
ERROR_BITS = max(ErrorCode).bit_length()


def frame_layout(capacity: int) -> data.StructLayout:
    """Return what is told of a frame; with an `error` the rest but its tag means nothing.

    `length`: bytes of its payload. `error`: an `ErrorCode`, or 0 if the frame is whole.
    """
    return data.StructLayout(
        {"length": range(capacity + 1), "command": 8, "tag": 8, "error": ERROR_BITS}
    )


class FrameReceiver(wiring.Component):
    """Stores frames in a buffer of two halves and passes them on once their CRC is right.

    While the frame in one half is carried out the other half can fill. A frame that ends while two
    older ones wait or are carried out is reported as `overrun`, after them; while such a report
    waits, further frames are lost without one. A frame with a wrong CRC, or a byte with a wrong
    stop bit, is `crc`. A length over the capacity is `too_long`, told after the header; then the
    line must be silent for `timeout` clocks before the next frame. So must it inside a frame to
    make it a `timeout`. A broken byte that would begin a frame is ignored.

    Parameters
    ----------
    capacity : int
        Bytes of payload that a half holds; a power of two.
    timeout : int
        Clocks without a byte.

    Attributes
    ----------
    i : In(stream.Signature(received_layout(), always_ready=True))
        A byte every sixteenth clock at most.
    o : Out(stream.Signature(frame_layout(capacity)))
        Frames and errors, in the order in which they ended.
    release : In(1)
        The oldest whole frame that `o` has passed on is no longer needed. Errors hold no half.
    read_en : In(1)
    read_address : In(address_bits(capacity))
        Byte of that frame's payload; not in the clock of `release`.
    read_data : Out(8)
        Two clocks later; stays without `read_en`.
    busy : Out(1)
        Inside a frame.

    Raises
    ------
    TypeError
        If an argument is no int.
    ValueError
        If one is out of its range.
    """

    def __init__(self, *, capacity: int, timeout: int) -> None:
        for name, value in (("capacity", capacity), ("timeout", timeout)):
            if isinstance(value, bool) or not isinstance(value, int):
                raise TypeError(f"{name} must be an int, not {value!r}")
        if not MIN_CAPACITY <= capacity <= MAX_CAPACITY or capacity & (capacity - 1):
            raise ValueError(
                f"capacity must be a power of two in {MIN_CAPACITY}..{MAX_CAPACITY}, "
                f"not {capacity!r}"
            )
        if timeout < 1:
            raise ValueError(f"timeout must be at least 1, not {timeout!r}")
        self._capacity, self._timeout = capacity, timeout
        super().__init__(
            {
                "i": In(stream.Signature(received_layout(), always_ready=True)),
                "o": Out(stream.Signature(frame_layout(capacity))),
                "release": In(1),
                "read_en": In(1),
                "read_address": In(address_bits(capacity)),
                "read_data": Out(8),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the receiver."""
        m = Module()
        bits = address_bits(self._capacity)
        m.submodules.crc = crc = SerialCrc()
        # Reads and writes never meet in one half, which spares the logic that a `Ram` needs there.
        m.submodules.buffer = buffer = LoadableRom(width=8, depth=_HALVES * self._capacity)
        header = Signal(data.StructLayout({"length": 16, "command": 8, "tag": 8}))
        index, position = Signal(range(HEADER_BYTES)), Signal(bits + 1)
        broken, stored = Signal(), Signal()
        held, write_half, read_half = Signal(range(_HALVES + 1)), Signal(), Signal()
        # Counts up to its highest bit, which needs no comparison behind the long carry.
        full = 1 << self._timeout.bit_length()
        silence, silent = Signal(range(2 * full), init=full - self._timeout), Signal()
        # What the frame at hand comes to, in the clock in which that is known.
        ends, tag, error = Signal(), Signal(8), Signal(ERROR_BITS)
        kept = self._report(m, ends=ends, error=error, tag=tag, header=header)
        byte = self.i.valid
        m.d.comb += [
            silent.eq(silence[-1]),
            crc.i.payload.eq(self.i.payload.data),
            buffer.w_addr.eq(Cat(position[:bits], write_half)),
            buffer.w_data.eq(self.i.payload.data),
            buffer.en.eq(self.read_en),
            buffer.addr.eq(Cat(self.read_address, read_half)),
            self.read_data.eq(buffer.data),
        ]
        m.d.sync += [
            silence.eq(Mux(byte, silence.init, silence + ~silent)),
            held.eq(held + kept - self.release),
            write_half.eq(write_half ^ kept),
            read_half.eq(read_half ^ self.release),
        ]

        def give_up() -> None:
            with m.If(silent & ~byte):
                m.d.comb += [ends.eq(1), error.eq(ErrorCode.TIMEOUT)]
                m.next = "idle"

        with m.FSM() as fsm:
            idle, in_header = fsm.ongoing("idle"), fsm.ongoing("header")
            m.d.comb += [self.busy.eq(~idle), tag.eq(Mux(in_header, 0, header.tag))]
            with m.State("idle"):
                m.d.comb += crc.start.eq(1)
                m.d.sync += [broken.eq(0), position.eq(0)]
                with m.If(byte & ~self.i.payload.broken):
                    m.d.sync += index.eq(1)
                    m.next = "header"
            with m.State("header"):
                with m.If(byte):
                    m.d.sync += index.eq(index + 1)
                    with m.If(index == HEADER_BYTES - 1):
                        m.next = "judge"
                give_up()
            with m.State("judge"):
                m.d.sync += stored.eq(held != _HALVES)
                m.next = "payload"
                with m.If(header.length > self._capacity):
                    m.d.comb += [ends.eq(1), error.eq(ErrorCode.TOO_LONG)]
                    m.next = "discard"
            with m.State("payload"):
                with m.If(position == header.length[: bits + 1]):
                    m.next = "check"
                with m.Elif(byte):
                    m.d.comb += buffer.w_en.eq(stored)
                    m.d.sync += position.eq(position + 1)
                give_up()
            with m.State("check"):
                with m.If(byte):
                    m.d.sync += index.eq(index + 1)
                    with m.If(index == CRC_BYTES - 1):
                        m.next = "verdict"
                give_up()
            with m.State("verdict"), m.If(crc.i.ready):
                m.d.comb += ends.eq(1)
                with m.If(broken | ~crc.good):
                    m.d.comb += error.eq(ErrorCode.CRC)
                with m.Elif(~stored):
                    m.d.comb += error.eq(ErrorCode.OVERRUN)
                m.next = "idle"
            with m.State("discard"), m.If(silent):
                m.next = "idle"
            m.d.comb += crc.i.valid.eq(byte)
        with m.If(byte & (idle | in_header)):
            m.d.sync += header.eq(Cat(header.as_value()[8:], self.i.payload.data))
        with m.If(byte & self.i.payload.broken & ~idle):
            m.d.sync += broken.eq(1)
        return m

    def _report(
        self, m: Module, *, ends: Signal, error: Signal, tag: Signal, header: data.View
    ) -> Signal:
        """Pass on what ended; returns whether it is a frame that now holds its half."""
        overrun, overrun_tag = Signal(), Signal(8)
        free, kept = Signal(), Signal()
        m.d.comb += [
            free.eq(~self.o.valid | self.o.ready),
            kept.eq(ends & (error == 0) & free & ~overrun),
        ]
        with m.If(free):
            m.d.sync += [
                self.o.valid.eq(overrun | ends),
                self.o.payload.length.eq(header.length),
                self.o.payload.command.eq(header.command),
                self.o.payload.tag.eq(Mux(overrun, overrun_tag, tag)),
                self.o.payload.error.eq(Mux(overrun, ErrorCode.OVERRUN, error)),
                overrun.eq(0),
            ]
        with m.Elif(ends & ~overrun):
            m.d.sync += [overrun.eq(1), overrun_tag.eq(tag)]
        return kept
