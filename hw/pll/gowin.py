"""rPLL, the PLL of Gowin's GW1NR-9C.

Structure from the *Gowin Clock User Guide* (UG286), limits from the table "PLL Switching
Characteristics" of the *GW1NR series of FPGA Products Data Sheet* (DS117), speed grade C6/I5.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from amaranth.hdl import Const, Instance, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from darb.hw.pll.search import check_frequency, nearest

INPUT_HZ = (3_000_000, 400_000_000)
PFD_HZ = (3_000_000, 400_000_000)
VCO_HZ = (400_000_000, 1_200_000_000)
OUTPUT_HZ = (3_125_000, 600_000_000)

_OUTPUT_DIVIDERS = (2, 4, 8, 16, 32, 48, 64, 80, 96, 112, 128)


@dataclass(frozen=True, kw_only=True)
class GowinPllSettings:
    """Dividers of an rPLL.

    Parameters
    ----------
    input_hz : int
    idiv_sel : int
        0..63; the input is divided by one more before it is compared.
    fbdiv_sel : int
        0..63; the output is divided by one more before it is compared.
    odiv_sel : int
        One of 2, 4, 8, 16, 32, 48, 64, 80, 96, 112, 128; divides the oscillator for the output.
    """

    input_hz: int
    idiv_sel: int
    fbdiv_sel: int
    odiv_sel: int

    @property
    def pfd_hz(self) -> Fraction:
        """Frequency at the phase detector."""
        return Fraction(self.input_hz, self.idiv_sel + 1)

    @property
    def output_hz(self) -> Fraction:
        """Frequency of CLKOUT."""
        return self.pfd_hz * (self.fbdiv_sel + 1)

    @property
    def vco_hz(self) -> Fraction:
        """Frequency of the oscillator."""
        return self.output_hz * self.odiv_sel


def _all(input_hz: int) -> Iterator[GowinPllSettings]:
    for idiv_sel in range(64):
        pfd = Fraction(input_hz, idiv_sel + 1)
        if not PFD_HZ[0] <= pfd <= PFD_HZ[1]:
            continue
        for fbdiv_sel in range(64):
            output = pfd * (fbdiv_sel + 1)
            if not OUTPUT_HZ[0] <= output <= OUTPUT_HZ[1]:
                continue
            for odiv_sel in _OUTPUT_DIVIDERS:
                if VCO_HZ[0] <= output * odiv_sel <= VCO_HZ[1]:
                    yield GowinPllSettings(
                        input_hz=input_hz,
                        idiv_sel=idiv_sel,
                        fbdiv_sel=fbdiv_sel,
                        odiv_sel=odiv_sel,
                    )


def gowin_pll_settings(*, input_hz: int, output_hz: int) -> GowinPllSettings:
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


class GowinPll(wiring.Component):
    """An rPLL.

    Parameters
    ----------
    settings : GowinPllSettings
    device : str
        The chip's name, e.g. ``GW1NR-9C``.

    Attributes
    ----------
    i : In(1)
        Clock of `settings.input_hz`.
    o : Out(1)
        Clock of `settings.output_hz`.
    locked : Out(1)
        `o` is steady; asynchronous to it.
    """

    def __init__(self, *, settings: GowinPllSettings, device: str) -> None:
        self.settings = settings
        self._device = device
        super().__init__({"i": In(1), "o": Out(1), "locked": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """Build the instance."""
        m = Module()
        its = self.settings
        m.submodules.pll = Instance(
            "rPLL",
            p_DEVICE=self._device,
            p_FCLKIN=f"{its.input_hz / 1_000_000:g}",
            p_IDIV_SEL=its.idiv_sel,
            p_FBDIV_SEL=its.fbdiv_sel,
            p_ODIV_SEL=its.odiv_sel,
            p_DYN_IDIV_SEL="false",
            p_DYN_FBDIV_SEL="false",
            p_DYN_ODIV_SEL="false",
            p_DYN_DA_EN="false",
            p_PSDA_SEL="0000",
            p_DUTYDA_SEL="1000",
            p_CLKFB_SEL="internal",
            p_CLKOUT_BYPASS="false",
            p_CLKOUTP_BYPASS="false",
            p_CLKOUTD_BYPASS="false",
            i_CLKIN=self.i,
            i_CLKFB=Const(0),
            i_RESET=Const(0),
            i_RESET_P=Const(0),
            i_IDSEL=Const(0, 6),
            i_FBDSEL=Const(0, 6),
            i_ODSEL=Const(0, 6),
            i_PSDA=Const(0, 4),
            i_DUTYDA=Const(0, 4),
            i_FDLY=Const(0, 4),
            o_CLKOUT=self.o,
            o_LOCK=self.locked,
        )
        return m
