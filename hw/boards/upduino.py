"""UPduino v3, by tinyVision.ai."""

from __future__ import annotations

from darb.hw.boards import devices
from darb.hw.boards.board import Board, ClockSource, all_leds

UPDUINO_V3 = Board(
    name="upduino-v3",
    title="UPduino v3",
    device="iCE40UP5K",
    package="SG48",
    speed="",
    capacity=devices.ICE40UP5K,
    clock_hz=48_000_000,
    clock_source=ClockSource.HFOSC,
    clock_tolerance=0.1,
    constraints="upduino_v3.pcf",
    engine_clock_hz=24_000_000,
    program="iceprog",
    leds=all_leds(active_low=True),
    note="The USB plug has no serial port behind it: connect a 3.3 V USB serial adapter, its TX to "
    "header pin 23, its RX to header pin 25, and ground. The clock is the chip's own oscillator, "
    "specified to 10 % only: where the serial port garbles, tell the host a baud some percent off.",
)
