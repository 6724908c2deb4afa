"""Three LEDs that tell a person what a board does, and the second that they count."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

_PARTS = 16
"""Of a second; nothing shorter is shown."""
_SPLIT = 1024
"""Clocks that a counter of its own counts off: one long carry would be the slowest path."""


class ActivityLeds(wiring.Component):
    """Alive, busy and error, slow enough for an eye.

    Parameters
    ----------
    clock_hz : int
        At least 16.

    Attributes
    ----------
    busy : In(1)
    answers : In(1)
        A reply begins.
    failed : In(1)
        It tells an error.
    second : Out(1)
        High for one clock in each second, to 0.2 %.
    led_alive : Out(1)
        On for half a second, off for half a second.
    led_busy : Out(1)
        On from `busy` until a sixteenth of a second, at least, after it.
    led_error : Out(1)
        The last reply told an error.

    Raises
    ------
    TypeError
        If `clock_hz` is no int.
    ValueError
        If it is too small.
    """

    def __init__(self, *, clock_hz: int) -> None:
        if isinstance(clock_hz, bool) or not isinstance(clock_hz, int):
            raise TypeError(f"clock_hz must be an int, not {clock_hz!r}")
        if clock_hz < _PARTS:
            raise ValueError(f"clock_hz must be at least {_PARTS}, not {clock_hz!r}")
        self._clock_hz = clock_hz
        super().__init__(
            {
                "busy": In(1),
                "answers": In(1),
                "failed": In(1),
                "second": Out(1),
                "led_alive": Out(1),
                "led_busy": Out(1),
                "led_error": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the counters."""
        m = Module()
        clocks = self._clock_hz // _PARTS
        split = _SPLIT if clocks >= _SPLIT * _SPLIT // 2 else 1
        count, beat = Signal(range(max(split, 2))), Signal()
        timer, part = Signal(range(clocks // split)), Signal(range(_PARTS))
        tick, was_busy = Signal(), Signal()
        last = count == split - 1
        m.d.sync += [count.eq(Mux(last, 0, count + 1)), beat.eq(last)]
        m.d.comb += [
            tick.eq(beat & (timer == 0)),
            self.second.eq(tick & (part == 0)),
            self.led_alive.eq(part[-1]),
        ]
        with m.If(tick):
            m.d.sync += [
                timer.eq(clocks // split - 1),
                part.eq(part + 1),
                self.led_busy.eq(was_busy),
                was_busy.eq(0),
            ]
        with m.Elif(beat):
            m.d.sync += timer.eq(timer - 1)
        with m.If(self.busy):
            m.d.sync += [self.led_busy.eq(1), was_busy.eq(1)]
        with m.If(self.answers):
            m.d.sync += self.led_error.eq(self.failed)
        return m
