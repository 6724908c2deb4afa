"""The frame sender: every byte once, in order, then the four bytes of their CRC."""

import pytest
from amaranth.hdl import Cover, Mux, Signal
from formal_harness import Harness
from formal_proof import Claim
from seeded_bug import seeded_bug

from darb.golden.frame import CRC_BYTES
from darb.hw.frame_sender import FrameSender

POLYNOMIAL = 0xEDB88320
"""Of ISO HDLC, the lowest bit first."""
START = 0xFFFF_FFFF
CLOCKS_A_BYTE = 10
CLAIM = Claim(
    "FrameSender",
    "the n-th byte out is the n-th in, then come four bytes of the CRC-32 of the frame; valid is "
    "not withdrawn, the payload stays; each end waits at most 9 clocks for the sender",
    "frames of any length",
)
BUGS = [
    ("moves.eq(crc.i.ready & ~self.o.valid)", "moves.eq(crc.i.ready)"),
    ("with m.If(self.o.ready):", "with m.If(1):"),
    ("crc.start.eq(fresh)", "crc.start.eq(1)"),
    ("left.eq(CRC_BYTES)", "left.eq(CRC_BYTES - 1)"),
    ("crc.i.payload.eq(~crc.crc[:8])", "crc.i.payload.eq(crc.crc[:8])"),
    ("self.i.ready.eq(moves & ~in_crc)", "self.i.ready.eq(moves)"),
]


def after_bits(m, register, byte, name):
    """The CRC register before `byte` and after each of its bits, lowest first."""
    registers = [register]
    for bit in range(8):
        feedback = Mux(registers[-1][0] ^ byte[bit], POLYNOMIAL, 0)
        registers.append(Signal(32, name=f"{name}_{bit}"))
        m.d.comb += registers[-1].eq((registers[-2] >> 1) ^ feedback)
    return registers


class SenderHarness(Harness):
    """With `data`, every byte is that: a search for a bug need not find the data as well."""

    def __init__(self, component=FrameSender, *, data=None, invariants=True):
        super().__init__(invariants=invariants)
        self._component, self._data = component, data

    def build(self, m):
        dut = self._component()
        inside = self.open(m, dut)
        self.drive(m, dut.i.valid, dut.i.payload.last, dut.i.payload.spoiled, dut.o.ready)
        if self._data is None:
            self.drive(m, dut.i.payload.data)
        else:
            m.d.comb += dut.i.payload.data.eq(self._data)
        accept, moves = dut.i.valid & dut.i.ready, dut.o.valid & dut.o.ready
        # A byte to send, else how many of the CRC; the register after all bytes of the frame.
        waits, byte, rest = Signal(), Signal(8), Signal(range(CRC_BYTES + 1))
        begun, register = Signal(), Signal(32)
        part = dut.i.payload
        summed = part.data ^ (part.spoiled & part.last)
        summed_up = after_bits(m, Mux(begun, register, START), summed, "sum")[-1]
        with m.If(moves):
            m.d.sync += [waits.eq(0), rest.eq(rest - ~waits)]
            with m.If(~waits & (rest == 1)):
                m.d.sync += begun.eq(0)
        with m.If(accept):
            m.d.sync += [
                waits.eq(1),
                byte.eq(part.data),
                begun.eq(1),
                register.eq(summed_up),
            ]
            with m.If(part.last):
                m.d.sync += rest.eq(CRC_BYTES)
        busy = waits | (rest != 0)
        crc_byte = (~register >> ((CRC_BYTES - rest) << 3)[:5])[:8]
        with m.If(dut.o.valid):
            self.require(m, busy & (dut.o.payload == Mux(waits, byte, crc_byte)))
        self.require(m, ~dut.i.ready | ~busy)
        held, payload, idle = Signal(), Signal(8), Signal(range(CLOCKS_A_BYTE + 1))
        m.d.sync += [
            held.eq(dut.o.valid & ~dut.o.ready),
            payload.eq(dut.o.payload),
            idle.eq(Mux(dut.o.valid | dut.i.ready, 0, idle + 1)),
        ]
        self.require(m, ~held | (dut.o.valid & (dut.o.payload == payload)))
        self.require(m, idle + ~(dut.o.valid | dut.i.ready) < CLOCKS_A_BYTE)
        self._invariants_of(m, inside, waits, rest, begun, register, idle)
        m.d.comb += Cover(moves & ~waits & (rest == 1))

    def _invariants_of(self, m, inside, waits, rest, begun, register, idle):
        """Where the CRC of the byte at hand stands, bit by bit."""
        dut, crc = inside.component, inside.submodule("crc")
        left, port = crc["left"], crc.component
        before, byte = Signal(32), Signal(8)
        with m.If(port.i.valid & port.i.ready):
            m.d.sync += [
                before.eq(Mux(port.start, START, ~port.crc)),
                byte.eq(port.i.payload),
            ]
        in_crc = dut.o.valid & ~waits
        loaded = CRC_BYTES - inside["left"]
        spent = in_crc & (rest == 1)
        self.invariant(m, left <= 8)
        self.invariant(m, ~waits | (dut.o.valid & begun))
        self.invariant(m, (rest <= CRC_BYTES) & ((rest == 0) | begun))
        self.invariant(m, inside["left"] == rest - in_crc)
        self.invariant(m, inside["fresh"] == (~begun | spent))
        registers = after_bits(m, before, byte, "at")
        for bits, expected in enumerate(registers):
            with m.If(left == 8 - bits):
                with m.If(~inside["fresh"] | (bits != 8)):
                    self.invariant(m, ~port.crc == expected)
                self.invariant(m, (bits == 8) | (crc["byte"] == byte >> bits))
        with m.If(begun & ~spent):
            shift = Mux((rest == 0) | (waits & (inside["left"] == CRC_BYTES)), 0, loaded)
            self.invariant(m, registers[-1] == register >> (shift << 3)[:5])
        self.invariant(m, dut.o.valid | (idle + left < 8))


def test_frames_are_sent_with_their_crc(checker):
    checker.holds(CLAIM, SenderHarness(), depth=2)


@pytest.mark.parametrize(("sound", "broken"), BUGS)
def test_a_broken_sender_is_noticed(checker, sound, broken):
    harness = SenderHarness(seeded_bug(FrameSender, sound, broken), data=0xA5, invariants=False)
    checker.breaks(CLAIM, harness, depth=62, sound=sound, broken=broken)


def test_a_whole_frame_is_sent(checker):
    checker.reaches(CLAIM, SenderHarness(data=0xA5), depth=50)
