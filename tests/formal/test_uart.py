"""Both ends of a serial line: every byte once, in order, bit for bit."""

import pytest
from amaranth.hdl import Assume, C, Cat, Cover, Mux, ResetSignal, Signal
from formal_harness import Harness
from formal_proof import Claim
from formal_token import Token
from seeded_bug import seeded_bug

from darb.hw.uart import MIN_DIVISOR, UartReceiver, UartTransmitter

FRAME_BITS = 10
LATENCY = 5
"""Clocks from a bit on the line to the receiver's own: two flip-flops, the majority, its state."""
SENDER = Claim(
    "UartTransmitter",
    "a byte taken is on the line for ten bits, start, eight bits, stop, from the next clock on; "
    "the next byte is taken in the last of these clocks; 1 is on the line otherwise",
    "4 and 5 clocks a bit",
)
SENDER_BUGS = [
    ("left.eq(_BITS + 2)", "left.eq(_BITS + 1)"),
    ("(left == 1) & (timer == 1)", "(left == 1) & (timer == 2)"),
    ("bits.eq(Cat(bits[1:], 1))", "bits.eq(Cat(bits[1:], 0))"),
    ("self.i.ready.eq(left == 0)", "self.i.ready.eq(1)"),
]
LINK_DEPTH = 92
LINK = Claim(
    "UartTransmitter to UartReceiver",
    "the n-th byte received is the n-th sent, unbroken, and it comes in time",
    f"{MIN_DIVISOR} clocks a bit, no reset in between; the depth holds two bytes",
)
LINK_BUGS = [
    ("bits.eq(Cat(0, self.i.payload))", "bits.eq(Cat(0, self.i.payload[::-1]))"),
    ("left.eq(_BITS + 2)", "left.eq(_BITS)"),
]


class SenderHarness(Harness):
    def __init__(self, component=UartTransmitter, *, divisor=MIN_DIVISOR, invariants=True):
        super().__init__(invariants=invariants)
        self._component, self._divisor = component, divisor

    def build(self, m):
        dut = self._component(divisor=self._divisor)
        inside = self.open(m, dut)
        self.drive(m, dut.i.valid, dut.i.payload)
        most = FRAME_BITS * self._divisor
        # Clocks since the byte was taken, 0 with none on the line.
        clock, byte = Signal(range(most + 1)), Signal(8)
        ends = (clock == 0) | (clock == most)
        m.d.sync += clock.eq(Mux(ends, 0, clock + 1))
        with m.If(dut.i.valid & dut.i.ready):
            m.d.sync += [clock.eq(1), byte.eq(dut.i.payload)]
        number, phase = Signal(range(FRAME_BITS + 1)), Signal(range(self._divisor))
        m.d.comb += [
            number.eq(Mux(clock == 0, FRAME_BITS, (clock - 1) // self._divisor)),
            phase.eq((clock - 1) % self._divisor),
        ]
        frame = Cat(C(0, 1), byte, C(0x7FF, 11))
        self.require(m, dut.tx == (frame >> number)[0])
        self.require(m, dut.i.ready == ends)

        shifted = Mux(ends, FRAME_BITS, number)
        self.invariant(m, clock <= most)
        self.invariant(m, inside["left"] == Mux(ends, 0, FRAME_BITS - number))
        self.invariant(m, ends | (inside["timer"] == self._divisor - 1 - phase))
        self.invariant(m, inside["bits"] == (frame >> shifted)[:9])
        m.d.comb += Cover((clock == most) & (byte == 0xA5) & dut.i.valid)


class LinkHarness(Harness):
    def __init__(self, component=UartTransmitter):
        super().__init__()
        self._component = component

    def build(self, m):
        m.submodules.sender = sender = self._component(divisor=MIN_DIVISOR)
        m.submodules.receiver = receiver = UartReceiver(divisor=MIN_DIVISOR)
        self.drive(m, sender.i.valid, sender.i.payload)
        # A reset in mid-byte leaves what is on the line in the receiver's first flip-flops.
        m.d.comb += [receiver.rx.eq(sender.tx), Assume(~ResetSignal())]
        token = Token(
            m,
            chosen=self.free(1, "chosen"),
            enters=sender.i.valid & sender.i.ready,
            leaves=receiver.o.valid,
            payload=sender.i.payload,
            most=2,
        )
        most = FRAME_BITS * MIN_DIVISOR + LATENCY
        waits = Signal(range(most + 1))
        m.d.sync += waits.eq(Mux((token.count == 0) | receiver.o.valid, 0, waits + 1))
        with m.If(receiver.o.valid):
            self.require(m, (token.count != 0) & ~receiver.o.payload.broken)
            with m.If(token.is_next):
                self.require(m, receiver.o.payload.data == token.payload)
        self.require(m, (waits != most) & (token.count <= 2))
        received = Signal(2)
        m.d.sync += received.eq(received + receiver.o.valid)
        m.d.comb += Cover((received == 2) & token.left)


@pytest.mark.parametrize("divisor", [MIN_DIVISOR, MIN_DIVISOR + 1])
def test_a_byte_is_on_the_line_bit_for_bit(checker, divisor):
    checker.holds(SENDER, SenderHarness(divisor=divisor), depth=2)


@pytest.mark.parametrize(("sound", "broken"), SENDER_BUGS)
def test_a_broken_transmitter_is_noticed(checker, sound, broken):
    harness = SenderHarness(seeded_bug(UartTransmitter, sound, broken), invariants=False)
    checker.breaks(SENDER, harness, depth=44, sound=sound, broken=broken)


def test_a_whole_byte_is_reached(checker):
    checker.reaches(SENDER, SenderHarness(), depth=44)


def test_bytes_cross_the_line(checker):
    checker.holds(LINK, LinkHarness(), mode="bmc", depth=LINK_DEPTH)


@pytest.mark.parametrize(("sound", "broken"), LINK_BUGS)
def test_a_broken_line_is_noticed(checker, sound, broken):
    harness = LinkHarness(seeded_bug(UartTransmitter, sound, broken))
    checker.breaks(LINK, harness, depth=LINK_DEPTH, sound=sound, broken=broken)


def test_two_bytes_are_received(checker):
    checker.reaches(LINK, LinkHarness(), depth=LINK_DEPTH)
