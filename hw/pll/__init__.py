"""Clocks for the engine: the phase-locked loops of each family, and what they can reach."""

from darb.hw.pll.ecp5 import Ecp5Pll, Ecp5PllSettings, ecp5_pll_settings
from darb.hw.pll.gowin import GowinPll, GowinPllSettings, gowin_pll_settings
from darb.hw.pll.ice40 import Ice40Pll, Ice40PllSettings, ice40_pll_settings
from darb.hw.pll.ice40_oscillator import Ice40Oscillator
from darb.hw.pll.make import Clock, make_pll, reached_hz
from darb.hw.pll.pass_through import PassThrough
from darb.hw.pll.xilinx import XilinxPll, XilinxPllSettings, xilinx_pll_settings

__all__ = [
    "Clock",
    "Ecp5Pll",
    "Ecp5PllSettings",
    "GowinPll",
    "GowinPllSettings",
    "Ice40Oscillator",
    "Ice40Pll",
    "Ice40PllSettings",
    "PassThrough",
    "XilinxPll",
    "XilinxPllSettings",
    "ecp5_pll_settings",
    "gowin_pll_settings",
    "ice40_pll_settings",
    "make_pll",
    "reached_hz",
    "xilinx_pll_settings",
]
