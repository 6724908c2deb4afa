"""OrangeCrab r0.2, by Good Stuff Department: an ECP5 in two sizes."""

from __future__ import annotations

from darb.hw.boards import devices
from darb.hw.boards.board import Board, all_leds


def _orangecrab(size: str, capacity: devices.Device) -> Board:
    return Board(
        name=f"orangecrab-{size.lower()}",
        title=f"OrangeCrab r0.2 {size}",
        device=f"LFE5U-{size}",
        package="MG285",
        speed="8",
        capacity=capacity,
        clock_hz=48_000_000,
        constraints="orangecrab.lpf",
        engine_clock_hz=100_000_000,
        program="dfu-util -a 0 -D",
        leds=all_leds(active_low=True),
        note="The USB plug has no serial port behind it: connect a 3.3 V USB serial adapter, its "
        "TX to header pin 0, its RX to header pin 1, and ground.",
    )


ORANGECRAB_25F = _orangecrab("25F", devices.LFE5U_25F)
ORANGECRAB_85F = _orangecrab("85F", devices.LFE5U_85F)
