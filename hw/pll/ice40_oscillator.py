"""SB_HFOSC, the oscillator inside Lattice's iCE40 UltraPlus.

From the *iCE40 Oscillator Usage Guide* (FPGA-TN-02008). Its frequency is specified to 10 %.
"""

from __future__ import annotations

from fractions import Fraction

from amaranth.hdl import Const, Instance, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from darb.hw.pll.ice40 import OUTPUT_HZ, Ice40Pll, ice40_pll_settings
from darb.hw.pll.search import check_frequency

OSCILLATOR_HZ = 48_000_000

_DIVISIONS = {OSCILLATOR_HZ >> shift: f"0b{shift:02b}" for shift in range(4)}


class Ice40Oscillator(wiring.Component):
    """An SB_HFOSC, and an SB_PLL40_CORE behind it where no division of its own will do.

    Parameters
    ----------
    output_hz : int
        48, 24, 12 or 6 MHz come from the oscillator's own divider.

    Attributes
    ----------
    output_hz : Fraction
        Frequency reached.
    o : Out(1)
        Clock of that frequency.
    locked : Out(1)
        `o` is steady; asynchronous to it. Without a PLL always high.

    Raises
    ------
    TypeError
        If `output_hz` is no int.
    ValueError
        If no frequency within 0.5 % of `output_hz` is reached.
    """

    def __init__(self, *, output_hz: int) -> None:
        self._settings = None
        check_frequency("output_hz", output_hz, (min(_DIVISIONS), OUTPUT_HZ[1]))
        if output_hz not in _DIVISIONS:
            self._settings = ice40_pll_settings(input_hz=OSCILLATOR_HZ, output_hz=output_hz)
            self.output_hz = self._settings.output_hz
        else:
            self.output_hz = Fraction(output_hz)
        super().__init__({"o": Out(1), "locked": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """Build the instances."""
        m = Module()
        clock = Signal()
        frequency = OSCILLATOR_HZ if self._settings else int(self.output_hz)
        m.submodules.oscillator = Instance(
            "SB_HFOSC",
            p_CLKHF_DIV=_DIVISIONS[frequency],
            i_CLKHFEN=Const(1),
            i_CLKHFPU=Const(1),
            o_CLKHF=clock,
        )
        if self._settings is None:
            m.d.comb += [self.o.eq(clock), self.locked.eq(1)]
        else:
            m.submodules.pll = pll = Ice40Pll(settings=self._settings, from_pad=False)
            m.d.comb += [pll.i.eq(clock), self.o.eq(pll.o), self.locked.eq(pll.locked)]
        return m
