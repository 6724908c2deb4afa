"""PLLE2_BASE, the PLL of Xilinx' 7 series, and the BUFG behind it.

Structure from the *7 Series FPGAs Clocking Resources User Guide* (UG472), limits from the table
"PLL Specification" of the *Artix-7 FPGAs Data Sheet* (DS181), speed grade 1, the slowest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from amaranth.hdl import Const, Instance, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from darb.hw.pll.search import check_frequency, either_side, nearest

INPUT_HZ = (19_000_000, 800_000_000)
PFD_HZ = (19_000_000, 450_000_000)
VCO_HZ = (800_000_000, 1_600_000_000)
# The PLL goes to 800 MHz, its BUFG does not.
OUTPUT_HZ = (6_250_000, 464_000_000)


@dataclass(frozen=True, kw_only=True)
class XilinxPllSettings:
    """Dividers of a PLLE2_BASE.

    Parameters
    ----------
    input_hz : int
    divclk_divide : int
        1..56; divides the input before it is compared.
    clkfbout_mult : int
        2..64; divides the oscillator before it is compared.
    clkout0_divide : int
        1..128; divides the oscillator for the output.
    """

    input_hz: int
    divclk_divide: int
    clkfbout_mult: int
    clkout0_divide: int

    @property
    def pfd_hz(self) -> Fraction:
        """Frequency at the phase detector."""
        return Fraction(self.input_hz, self.divclk_divide)

    @property
    def vco_hz(self) -> Fraction:
        """Frequency of the oscillator."""
        return self.pfd_hz * self.clkfbout_mult

    @property
    def output_hz(self) -> Fraction:
        """Frequency of CLKOUT0."""
        return self.vco_hz / self.clkout0_divide


def _all(input_hz: int, output_hz: int) -> Iterator[XilinxPllSettings]:
    for divclk_divide in range(1, 57):
        pfd = Fraction(input_hz, divclk_divide)
        if not PFD_HZ[0] <= pfd <= PFD_HZ[1]:
            continue
        for clkfbout_mult in range(2, 65):
            vco = pfd * clkfbout_mult
            if not VCO_HZ[0] <= vco <= VCO_HZ[1]:
                continue
            for clkout0_divide in either_side(vco, output_hz, 128):
                if OUTPUT_HZ[0] <= vco / clkout0_divide <= OUTPUT_HZ[1]:
                    yield XilinxPllSettings(
                        input_hz=input_hz,
                        divclk_divide=divclk_divide,
                        clkfbout_mult=clkfbout_mult,
                        clkout0_divide=clkout0_divide,
                    )


def xilinx_pll_settings(*, input_hz: int, output_hz: int) -> XilinxPllSettings:
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
    return nearest(_all(input_hz, output_hz), output_hz, VCO_HZ)


class XilinxPll(wiring.Component):
    """A PLLE2_BASE and a BUFG.

    Parameters
    ----------
    settings : XilinxPllSettings

    Attributes
    ----------
    i : In(1)
        Clock of `settings.input_hz`.
    o : Out(1)
        Clock of `settings.output_hz`.
    locked : Out(1)
        `o` is steady; asynchronous to it.
    """

    def __init__(self, *, settings: XilinxPllSettings) -> None:
        self.settings = settings
        super().__init__({"i": In(1), "o": Out(1), "locked": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """Build the instances."""
        m = Module()
        its, feedback, clock = self.settings, Signal(), Signal()
        m.submodules.pll = Instance(
            "PLLE2_BASE",
            p_CLKIN1_PERIOD=float(Fraction(10**9, its.input_hz)),
            p_DIVCLK_DIVIDE=its.divclk_divide,
            p_CLKFBOUT_MULT=its.clkfbout_mult,
            p_CLKOUT0_DIVIDE=its.clkout0_divide,
            i_CLKIN1=self.i,
            # The output's phase is of no interest, so the loop need not include a buffer.
            i_CLKFBIN=feedback,
            i_RST=Const(0),
            i_PWRDWN=Const(0),
            o_CLKFBOUT=feedback,
            o_CLKOUT0=clock,
            o_LOCKED=self.locked,
        )
        m.submodules.buffer = Instance("BUFG", i_I=clock, o_O=self.o)
        return m
