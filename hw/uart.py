"""UART: bytes over one wire each way, 8 data bits, no parity, one stop bit."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import cdc, data, stream, wiring
from amaranth.lib.wiring import In, Out

_BITS = 8
MIN_DIVISOR = 4
_TOLERANCE = 0.01


def uart_divisor(clock_hz: int, baud: int) -> int:
    """Return the clocks a bit, the nearest whole number.

    Raises
    ------
    TypeError
        If an argument is no int.
    ValueError
        If one is not positive, the bits are shorter than `MIN_DIVISOR` clocks, or the rate would be
        more than 1 % off.
    """
    for name, value in (("clock_hz", clock_hz), ("baud", baud)):
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"{name} must be an int, not {value!r}")
        if value < 1:
            raise ValueError(f"{name} must be at least 1, not {value!r}")
    divisor = round(clock_hz / baud)
    if divisor < MIN_DIVISOR:
        raise ValueError(
            f"baud must be at most {clock_hz // MIN_DIVISOR} at {clock_hz} Hz, not {baud!r}"
        )
    if abs(clock_hz / divisor - baud) > _TOLERANCE * baud:
        raise ValueError(
            f"baud must be within 1 % of a division of {clock_hz} Hz, such as "
            f"{clock_hz / divisor:.0f}, not {baud!r}"
        )
    return divisor


def _check_divisor(divisor: int) -> None:
    if isinstance(divisor, bool) or not isinstance(divisor, int):
        raise TypeError(f"divisor must be an int, not {divisor!r}")
    if divisor < MIN_DIVISOR:
        raise ValueError(f"divisor must be at least {MIN_DIVISOR}, not {divisor!r}")


def received_layout() -> data.StructLayout:
    """Return a byte as it was received; `broken`: its stop bit was 0."""
    return data.StructLayout({"data": _BITS, "broken": 1})


class UartReceiver(wiring.Component):
    """Bytes from a line that any clock may drive.

    The line passes two flip-flops, then the majority of three clocks, so a disturbance of one clock
    is not seen at all. A start bit that is gone at its middle is no start bit. After a broken byte
    the line must be 1 before the next one begins: a line that stays 0 gives one broken byte.

    Parameters
    ----------
    divisor : int
        Clocks a bit, at least `MIN_DIVISOR`.

    Attributes
    ----------
    rx : In(1)
        1 while nothing is sent.
    o : Out(stream.Signature(received_layout(), always_ready=True))
        A byte, for one clock, at the middle of its stop bit.

    Raises
    ------
    TypeError, ValueError
        If `divisor` is no int or too small.
    """

    def __init__(self, *, divisor: int) -> None:
        _check_divisor(divisor)
        self._divisor = divisor
        super().__init__(
            {
                "rx": In(1, init=1),
                "o": Out(stream.Signature(received_layout(), always_ready=True)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the receiver."""
        m = Module()
        synchronous, before, line = Signal(init=1), Signal(2, init=0b11), Signal(init=1)
        m.submodules.synchroniser = cdc.FFSynchronizer(self.rx, synchronous, init=1)
        older, old = before
        m.d.sync += [
            before.eq(Cat(synchronous, before)),
            line.eq((synchronous & older) | (synchronous & old) | (older & old)),
        ]
        timer, sample = Signal(range(self._divisor)), Signal()
        # A one that was shifted in with the start bit falls out when the byte is whole.
        byte = Signal(_BITS + 1)
        m.d.comb += sample.eq(timer == 0)
        m.d.sync += [timer.eq(Mux(sample, self._divisor - 1, timer - 1)), self.o.valid.eq(0)]
        with m.FSM():
            with m.State("idle"):
                m.d.sync += [timer.eq(self._divisor // 2 - 1), byte.eq(1 << _BITS)]
                with m.If(~line):
                    m.next = "start"
            with m.State("start"), m.If(sample):
                m.next = "data"
                with m.If(line):
                    m.next = "idle"
            with m.State("data"), m.If(sample):
                m.d.sync += byte.eq(Cat(byte[1:], line))
                with m.If(byte[0]):
                    m.d.sync += [
                        self.o.valid.eq(1),
                        self.o.payload.data.eq(byte[1:]),
                        self.o.payload.broken.eq(~line),
                    ]
                    m.next = "idle"
                    with m.If(~line):
                        m.next = "broken"
            with m.State("broken"), m.If(line):
                m.next = "idle"
        return m


class UartTransmitter(wiring.Component):
    """Bytes onto a line: ten bits each, without a pause while there are bytes.

    Parameters
    ----------
    divisor : int
        Clocks a bit, at least `MIN_DIVISOR`.

    Attributes
    ----------
    i : In(stream.Signature(8))
    tx : Out(1)
        From a register; 1 while nothing is sent.

    Raises
    ------
    TypeError, ValueError
        If `divisor` is no int or too small.
    """

    def __init__(self, *, divisor: int) -> None:
        _check_divisor(divisor)
        self._divisor = divisor
        super().__init__({"i": In(stream.Signature(_BITS)), "tx": Out(1, init=1)})

    def elaborate(self, platform: object) -> Module:
        """Build the transmitter."""
        m = Module()
        timer, left = Signal(range(self._divisor)), Signal(range(_BITS + 3))
        # Ones follow the byte: the stop bit, then the idle line.
        bits = Signal(_BITS + 1, init=(1 << _BITS + 1) - 1)
        m.d.comb += [self.tx.eq(bits[0]), self.i.ready.eq(left == 0)]
        with m.If(left == 0):
            m.d.sync += timer.eq(self._divisor - 1)
            with m.If(self.i.valid):
                m.d.sync += [bits.eq(Cat(0, self.i.payload)), left.eq(_BITS + 2)]
        with m.Else():
            m.d.sync += timer.eq(timer - 1)
            # The last bit ends a clock early, in which the next byte is taken.
            with m.If((timer == 0) | ((left == 1) & (timer == 1))):
                m.d.sync += [
                    timer.eq(self._divisor - 1),
                    bits.eq(Cat(bits[1:], 1)),
                    left.eq(left - 1),
                ]
        return m
