"""Tang Nano 9K, by Sipeed."""

from __future__ import annotations

from darb.hw.boards import devices
from darb.hw.boards.board import Board, all_leds

TANG_NANO_9K = Board(
    name="tang-nano-9k",
    title="Tang Nano 9K",
    device="GW1NR-LV9QN88PC6/I5",
    package="QN88P",
    speed="C6/I5",
    capacity=devices.GW1NR_9C,
    clock_hz=27_000_000,
    constraints="tang_nano_9k.cst",
    engine_clock_hz=54_000_000,
    program="openFPGALoader -b tangnano9k",
    leds=all_leds(active_low=True),
)
