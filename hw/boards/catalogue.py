"""The boards by their names on the command line."""

from __future__ import annotations

from darb.hw.boards.arty_a7 import ARTY_A7_35, ARTY_A7_100
from darb.hw.boards.board import Board
from darb.hw.boards.ecpix5 import ECPIX5_85F
from darb.hw.boards.icebreaker import ICEBREAKER
from darb.hw.boards.orangecrab import ORANGECRAB_25F, ORANGECRAB_85F
from darb.hw.boards.tang_nano_9k import TANG_NANO_9K
from darb.hw.boards.ulx3s import ULX3S_12F, ULX3S_25F, ULX3S_45F, ULX3S_85F
from darb.hw.boards.upduino import UPDUINO_V3

BOARDS: dict[str, Board] = {
    board.name: board
    for board in (
        ULX3S_12F,
        ULX3S_25F,
        ULX3S_45F,
        ULX3S_85F,
        ORANGECRAB_25F,
        ORANGECRAB_85F,
        ECPIX5_85F,
        ICEBREAKER,
        UPDUINO_V3,
        TANG_NANO_9K,
        ARTY_A7_35,
        ARTY_A7_100,
    )
}


def find_board(name: str) -> Board:
    """Return the board of that name.

    Raises
    ------
    ValueError
        If there is none; lists the names.
    """
    if name not in BOARDS:
        raise ValueError(f"board must be one of {', '.join(BOARDS)}, not {name!r}")
    return BOARDS[name]
