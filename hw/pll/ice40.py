"""SB_PLL40_PAD and SB_PLL40_CORE, the PLL of Lattice's iCE40.

Structure from the *iCE40 sysCLOCK PLL Design and User Guide* (FPGA-TN-02052), limits from the table
"sysCLOCK PLL Timing" of the *iCE40 UltraPlus Family Data Sheet* (FPGA-DS-02008).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from amaranth.hdl import Const, Instance, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from darb.hw.pll.search import check_frequency, nearest

INPUT_HZ = (10_000_000, 133_000_000)
PFD_HZ = (10_000_000, 133_000_000)
VCO_HZ = (533_000_000, 1_066_000_000)
OUTPUT_HZ = (16_000_000, 275_000_000)

# FILTER_RANGE is the number of the first range that ends above the compared frequency.
_FILTER_ENDS_HZ = (17_000_000, 26_000_000, 44_000_000, 66_000_000, 101_000_000)


@dataclass(frozen=True, kw_only=True)
class Ice40PllSettings:
    """Dividers of an SB_PLL40 with FEEDBACK_PATH SIMPLE.

    Parameters
    ----------
    input_hz : int
    divr : int
        0..15; the input is divided by one more before it is compared.
    divf : int
        0..127; the oscillator is divided by one more before it is compared.
    divq : int
        1..6; the oscillator is divided by ``2**divq`` for the output.
    """

    input_hz: int
    divr: int
    divf: int
    divq: int

    @property
    def pfd_hz(self) -> Fraction:
        """Frequency at the phase detector."""
        return Fraction(self.input_hz, self.divr + 1)

    @property
    def vco_hz(self) -> Fraction:
        """Frequency of the oscillator."""
        return self.pfd_hz * (self.divf + 1)

    @property
    def output_hz(self) -> Fraction:
        """Frequency of the output."""
        return self.vco_hz / (1 << self.divq)

    @property
    def filter_range(self) -> int:
        """FILTER_RANGE, which the loop's filter wants for this compared frequency: 1..6."""
        return 1 + sum(self.pfd_hz >= end for end in _FILTER_ENDS_HZ)


def _all(input_hz: int) -> Iterator[Ice40PllSettings]:
    for divr in range(16):
        pfd = Fraction(input_hz, divr + 1)
        if not PFD_HZ[0] <= pfd <= PFD_HZ[1]:
            continue
        for divf in range(128):
            vco = pfd * (divf + 1)
            if not VCO_HZ[0] <= vco <= VCO_HZ[1]:
                continue
            for divq in range(1, 7):
                if OUTPUT_HZ[0] <= vco / (1 << divq) <= OUTPUT_HZ[1]:
                    yield Ice40PllSettings(input_hz=input_hz, divr=divr, divf=divf, divq=divq)


def ice40_pll_settings(*, input_hz: int, output_hz: int) -> Ice40PllSettings:
    """Return the settings that come nearest to `output_hz`.

    Raises
    ------
    TypeError
        If a frequency is no int.
    ValueError
        If a frequency is outside the PLL's limits, or none within 0.5 % of `output_hz` is reached.
    """
    check_frequency("input_hz", input_hz, INPUT_HZ)
    check_frequency("output_hz", output_hz, OUTPUT_HZ)
    return nearest(_all(input_hz), output_hz, VCO_HZ)


class Ice40Pll(wiring.Component):
    """An SB_PLL40_PAD, or an SB_PLL40_CORE.

    Parameters
    ----------
    settings : Ice40PllSettings
    from_pad : bool
        `i` is the input port beside the PLL, and nothing else uses it: the PLL's output takes the
        way by which that port would enter the chip. Else `i` is a clock from within.

    Attributes
    ----------
    i : In(1)
        Clock of `settings.input_hz`.
    o : Out(1)
        Clock of `settings.output_hz`.
    locked : Out(1)
        `o` is steady; asynchronous to it.
    """

    def __init__(self, *, settings: Ice40PllSettings, from_pad: bool) -> None:
        self.settings = settings
        self._from_pad = from_pad
        super().__init__({"i": In(1), "o": Out(1), "locked": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """Build the instance."""
        m = Module()
        its = self.settings
        source = "PACKAGEPIN" if self._from_pad else "REFERENCECLK"
        m.submodules.pll = Instance(
            "SB_PLL40_PAD" if self._from_pad else "SB_PLL40_CORE",
            p_FEEDBACK_PATH="SIMPLE",
            p_DIVR=Const(its.divr, 4),
            p_DIVF=Const(its.divf, 7),
            p_DIVQ=Const(its.divq, 3),
            p_FILTER_RANGE=Const(its.filter_range, 3),
            i_RESETB=Const(1),
            i_BYPASS=Const(0),
            o_PLLOUTGLOBAL=self.o,
            o_LOCK=self.locked,
            **{f"i_{source}": self.i},
        )
        return m
