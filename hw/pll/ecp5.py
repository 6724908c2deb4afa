"""EHXPLLL, the PLL of Lattice's ECP5.

Structure from the *ECP5 and ECP5-5G sysCLOCK PLL/DLL Design and Usage Guide* (FPGA-TN-02200),
limits from the table "sysCLOCK PLL Timing" of the *ECP5 and ECP5-5G Family Data Sheet*
(FPGA-DS-02012).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from amaranth.hdl import Const, Instance, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from darb.hw.pll.search import check_frequency, either_side, nearest

# The pin takes 8 MHz, the phase detector does not.
INPUT_HZ = (10_000_000, 400_000_000)
PFD_HZ = (10_000_000, 400_000_000)
VCO_HZ = (400_000_000, 800_000_000)
OUTPUT_HZ = (3_125_000, 400_000_000)
_MAX_DIVIDER = 128


@dataclass(frozen=True, kw_only=True)
class Ecp5PllSettings:
    """Dividers of an EHXPLLL.

    CLKOP closes the loop and nothing else, CLKOS is the output: the oscillator may then run at any
    multiple of the compared frequency, and the output at any division of that.

    Parameters
    ----------
    input_hz : int
    clki_div : int
        Divides the input before it is compared.
    clkop_div : int
        Divides the oscillator before it is compared; CLKFB_DIV is 1.
    clkos_div : int
        Divides the oscillator for the output.
    """

    input_hz: int
    clki_div: int
    clkop_div: int
    clkos_div: int

    @property
    def pfd_hz(self) -> Fraction:
        """Frequency at the phase detector."""
        return Fraction(self.input_hz, self.clki_div)

    @property
    def vco_hz(self) -> Fraction:
        """Frequency of the oscillator."""
        return self.pfd_hz * self.clkop_div

    @property
    def output_hz(self) -> Fraction:
        """Frequency of CLKOS."""
        return self.vco_hz / self.clkos_div


def _all(input_hz: int, output_hz: int) -> Iterator[Ecp5PllSettings]:
    for clki_div in range(1, _MAX_DIVIDER + 1):
        pfd = Fraction(input_hz, clki_div)
        if not PFD_HZ[0] <= pfd <= PFD_HZ[1]:
            continue
        for clkop_div in range(1, _MAX_DIVIDER + 1):
            vco = pfd * clkop_div
            if not VCO_HZ[0] <= vco <= VCO_HZ[1]:
                continue
            for clkos_div in either_side(vco, output_hz, _MAX_DIVIDER):
                if OUTPUT_HZ[0] <= vco / clkos_div <= OUTPUT_HZ[1]:
                    yield Ecp5PllSettings(
                        input_hz=input_hz,
                        clki_div=clki_div,
                        clkop_div=clkop_div,
                        clkos_div=clkos_div,
                    )


def ecp5_pll_settings(*, input_hz: int, output_hz: int) -> Ecp5PllSettings:
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


class Ecp5Pll(wiring.Component):
    """An EHXPLLL.

    Parameters
    ----------
    settings : Ecp5PllSettings

    Attributes
    ----------
    i : In(1)
        Clock of `settings.input_hz`.
    o : Out(1)
        Clock of `settings.output_hz`.
    locked : Out(1)
        `o` is steady; asynchronous to it.
    """

    def __init__(self, *, settings: Ecp5PllSettings) -> None:
        self.settings = settings
        super().__init__({"i": In(1), "o": Out(1), "locked": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """Build the instance."""
        m = Module()
        its, feedback = self.settings, Signal()
        m.submodules.pll = Instance(
            "EHXPLLL",
            # What Diamond writes beside its PLLs: the frequencies for its timing analysis, the
            # analog settings for the packer.
            a_FREQUENCY_PIN_CLKI=_megahertz(Fraction(its.input_hz)),
            a_FREQUENCY_PIN_CLKOP=_megahertz(its.pfd_hz),
            a_FREQUENCY_PIN_CLKOS=_megahertz(its.output_hz),
            a_ICP_CURRENT="12",
            a_LPF_RESISTOR="8",
            a_MFG_ENABLE_FILTEROPAMP="1",
            a_MFG_GMCREF_SEL="2",
            p_CLKI_DIV=its.clki_div,
            p_CLKFB_DIV=1,
            p_FEEDBK_PATH="CLKOP",
            p_CLKOP_ENABLE="ENABLED",
            p_CLKOP_DIV=its.clkop_div,
            # A phase of one less than the divider is no phase at all.
            p_CLKOP_CPHASE=its.clkop_div - 1,
            p_CLKOP_FPHASE=0,
            p_CLKOS_ENABLE="ENABLED",
            p_CLKOS_DIV=its.clkos_div,
            p_CLKOS_CPHASE=its.clkos_div - 1,
            p_CLKOS_FPHASE=0,
            p_OUTDIVIDER_MUXA="DIVA",
            p_OUTDIVIDER_MUXB="DIVB",
            p_PLLRST_ENA="DISABLED",
            p_STDBY_ENABLE="DISABLED",
            p_DPHASE_SOURCE="DISABLED",
            p_INTFB_WAKE="DISABLED",
            i_CLKI=self.i,
            i_CLKFB=feedback,
            i_RST=Const(0),
            i_STDBY=Const(0),
            i_PHASESEL0=Const(0),
            i_PHASESEL1=Const(0),
            i_PHASEDIR=Const(1),
            i_PHASESTEP=Const(1),
            i_PHASELOADREG=Const(1),
            i_PLLWAKESYNC=Const(0),
            i_ENCLKOP=Const(0),
            i_ENCLKOS=Const(0),
            o_CLKOP=feedback,
            o_CLKOS=self.o,
            o_LOCK=self.locked,
        )
        return m


def _megahertz(hertz: Fraction) -> str:
    return f"{float(hertz / 1_000_000):.6f}".rstrip("0").rstrip(".")
