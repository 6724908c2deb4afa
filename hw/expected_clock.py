"""The clock that an engine can be built for on a board, before place and route has a say."""

from __future__ import annotations

from darb.golden.config import EngineConfig
from darb.hw.boards import Board
from darb.hw.pll import reached_hz

_MHZ = 1_000_000
_FREE_MULTIPLIERS = 32
"""Engines up to this size reach the board's own figure."""
_LOSS_A_DOUBLING = 0.25


def expected_clock(board: Board, config: EngineConfig) -> int:
    """Return a clock in Hz that an engine should reach on `board`.

    The board's `engine_clock_hz`, less a quarter for each doubling beyond 32 multipliers, for wires
    get longer with the engine. Whole MHz, so that 1 Mbaud divides it, and such that the PLL makes
    it.

    Parameters
    ----------
    board : Board
    config : EngineConfig

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    """
    if not isinstance(board, Board):
        raise TypeError(f"board must be a Board, not {board!r}")
    if not isinstance(config, EngineConfig):
        raise TypeError(f"config must be an EngineConfig, not {config!r}")
    clock, size = board.engine_clock_hz, config.multipliers
    if size <= _FREE_MULTIPLIERS:
        return clock
    while size > _FREE_MULTIPLIERS:
        clock, size = clock * (1 - _LOSS_A_DOUBLING), size // 2
    for whole in range(int(clock) // _MHZ, 0, -1):
        try:
            reached_hz(board, whole * _MHZ)
        except ValueError:
            continue
        return whole * _MHZ
    return board.engine_clock_hz
