"""ECPIX-5 85F, by LambdaConcept."""

from __future__ import annotations

from darb.hw.boards import devices
from darb.hw.boards.board import Board, all_leds

ECPIX5_85F = Board(
    name="ecpix5-85f",
    title="ECPIX-5 85F",
    device="LFE5UM5G-85F",
    package="BG554",
    speed="8",
    capacity=devices.LFE5UM5G_85F,
    clock_hz=100_000_000,
    constraints="ecpix5.lpf",
    engine_clock_hz=100_000_000,
    program="openFPGALoader -b ecpix5",
    leds=all_leds(active_low=True),
)
