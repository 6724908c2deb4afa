"""The clock of a board: the right PLL with the right settings, or none where none is needed."""

from __future__ import annotations

from fractions import Fraction

from darb.hw.boards.board import Board, ClockSource
from darb.hw.boards.devices import Family
from darb.hw.pll.ecp5 import Ecp5Pll, ecp5_pll_settings
from darb.hw.pll.gowin import GowinPll, gowin_pll_settings
from darb.hw.pll.ice40 import Ice40Pll, ice40_pll_settings
from darb.hw.pll.ice40_oscillator import Ice40Oscillator
from darb.hw.pll.pass_through import PassThrough
from darb.hw.pll.search import check_frequency
from darb.hw.pll.xilinx import XilinxPll, xilinx_pll_settings

Clock = Ecp5Pll | GowinPll | Ice40Pll | Ice40Oscillator | PassThrough | XilinxPll

_SETTINGS = {
    Family.ECP5: ecp5_pll_settings,
    Family.ICE40: ice40_pll_settings,
    Family.GOWIN: gowin_pll_settings,
    Family.XILINX: xilinx_pll_settings,
}


def reached_hz(board: Board, output_hz: int) -> Fraction:
    """Return the exact frequency of the clock that `make_pll` makes.

    Raises
    ------
    TypeError
        If `output_hz` is no int.
    ValueError
        If no frequency within 0.5 % of `output_hz` is reached.
    """
    check_frequency("output_hz", output_hz, (1, 1_000_000_000))
    if board.clock_source is ClockSource.HFOSC:
        return Ice40Oscillator(output_hz=output_hz).output_hz
    if output_hz == board.clock_hz:
        return Fraction(output_hz)
    return _SETTINGS[board.family](input_hz=board.clock_hz, output_hz=output_hz).output_hz


def make_pll(board: Board, output_hz: int) -> Clock:
    """Return the component that makes a clock of `output_hz` from the board's.

    Where the board's clock has that frequency, it is passed through.

    Returns
    -------
    wiring.Component
        With `o`, the clock, and `locked`; and `i`, to be connected to the port ``clk`` and to
        nothing else, unless the board's clock is inside the chip.

    Raises
    ------
    TypeError
        If `output_hz` is no int.
    ValueError
        If no frequency within 0.5 % of `output_hz` is reached.
    """
    check_frequency("output_hz", output_hz, (1, 1_000_000_000))
    if board.clock_source is ClockSource.HFOSC:
        return Ice40Oscillator(output_hz=output_hz)
    if output_hz == board.clock_hz:
        return PassThrough()
    settings = _SETTINGS[board.family](input_hz=board.clock_hz, output_hz=output_hz)
    match board.family:
        case Family.ECP5:
            return Ecp5Pll(settings=settings)
        case Family.ICE40:
            return Ice40Pll(settings=settings, from_pad=True)
        case Family.GOWIN:
            return GowinPll(settings=settings, device=board.capacity.name)
        case Family.XILINX:
            return XilinxPll(settings=settings)
