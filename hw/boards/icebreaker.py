"""iCEBreaker, by 1BitSquared."""

from __future__ import annotations

from darb.hw.boards import devices
from darb.hw.boards.board import Board, Led

ICEBREAKER = Board(
    name="icebreaker",
    title="iCEBreaker",
    device="iCE40UP5K",
    package="SG48",
    speed="",
    capacity=devices.ICE40UP5K,
    clock_hz=12_000_000,
    constraints="icebreaker.pcf",
    engine_clock_hz=24_000_000,
    program="iceprog",
    leds=(
        Led(port="led_alive", active_low=True),
        Led(port="led_busy", active_low=False),
        Led(port="led_error", active_low=True),
    ),
    note="The busy LED is a green one of the break-off section, on PMOD2.",
)
