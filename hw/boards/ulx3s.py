"""ULX3S, by Radiona: an ECP5 in four sizes."""

from __future__ import annotations

from darb.hw.boards import devices
from darb.hw.boards.board import Board, all_leds


def _ulx3s(size: str, capacity: devices.Device) -> Board:
    return Board(
        name=f"ulx3s-{size.lower()}",
        title=f"ULX3S {size}",
        device=f"LFE5U-{size}",
        package="BG381",
        speed="6",
        capacity=capacity,
        clock_hz=25_000_000,
        constraints="ulx3s.lpf",
        engine_clock_hz=70_000_000,
        program="openFPGALoader -b ulx3s",
        leds=all_leds(active_low=False),
    )


ULX3S_12F = _ulx3s("12F", devices.LFE5U_12F)
ULX3S_25F = _ulx3s("25F", devices.LFE5U_25F)
ULX3S_45F = _ulx3s("45F", devices.LFE5U_45F)
ULX3S_85F = _ulx3s("85F", devices.LFE5U_85F)
