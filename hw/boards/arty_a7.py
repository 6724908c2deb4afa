"""Arty A7, by Digilent: an Artix-7 in two sizes."""

from __future__ import annotations

from darb.hw.boards import devices
from darb.hw.boards.board import Board, all_leds


def _arty_a7(size: int, capacity: devices.Device) -> Board:
    return Board(
        name=f"arty-a7-{size}",
        title=f"Arty A7-{size}T",
        device=f"xc7a{size}ti",
        package="csg324",
        speed="1L",
        capacity=capacity,
        clock_hz=100_000_000,
        constraints="arty_a7.xdc",
        engine_clock_hz=100_000_000,
        program=f"openFPGALoader -b arty_a7_{size}t",
        leds=all_leds(active_low=False),
    )


ARTY_A7_35 = _arty_a7(35, devices.XC7A35T)
ARTY_A7_100 = _arty_a7(100, devices.XC7A100T)
