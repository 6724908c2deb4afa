"""The boards that darb builds for, and the chips on them."""

from darb.hw.boards.board import LED_PORTS, Board, ClockSource, Led, all_leds
from darb.hw.boards.catalogue import BOARDS, find_board
from darb.hw.boards.chip_options import chip_options
from darb.hw.boards.devices import Device, Family

__all__ = [
    "BOARDS",
    "LED_PORTS",
    "Board",
    "ClockSource",
    "Device",
    "Family",
    "Led",
    "all_leds",
    "chip_options",
    "find_board",
]
