"""An engine whose registers answer after other numbers of clocks each time."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from darb.hw.axi_engine import axi_engine_ports

_CHANNELS = {"aw": In, "w": In, "b": Out, "ar": In, "r": Out}
_ENDS = ("valid", "ready")
_TAPS = 0x80200003
"""Of a register that goes through all states of 32 bits but 0."""


class DelayedRegisters(wiring.Component):
    """An engine behind a gate in each channel of its AXI4-Lite end.

    A gate opens in a half of the clocks, drawn for each channel, and stays open until a beat has
    gone through; valid is not withdrawn from the host's side. The streams go through as they are.

    Parameters
    ----------
    engine : AxiEngine
    config : EngineConfig
        Of `engine`, whose ports this has.
    """

    def __init__(self, engine, config) -> None:
        self._inner = engine
        super().__init__(axi_engine_ports(config))

    def elaborate(self, platform) -> Module:
        """Connect the engine, and put the gates in between."""
        m = Module()
        m.submodules.inner = inner = self._inner
        gated = {f"s_axil_{channel}{end}" for channel in _CHANNELS for end in _ENDS}
        for name, member in self.signature.members.items():
            if name not in gated:
                to, source = (inner, self) if member.flow is In else (self, inner)
                m.d.comb += getattr(to, name).eq(getattr(source, name))
        draw = Signal(32, init=1)
        m.d.sync += draw.eq((draw >> 1) ^ (draw[0].replicate(32) & _TAPS))
        for place, (channel, way) in enumerate(_CHANNELS.items()):
            valid, ready = (f"s_axil_{channel}{end}" for end in _ENDS)
            ahead, behind = (self, inner) if way is In else (inner, self)
            gate = Signal(name=f"{channel}_gate")
            passes = getattr(ahead, valid) & getattr(behind, ready) & gate
            m.d.comb += [
                getattr(behind, valid).eq(getattr(ahead, valid) & gate),
                getattr(ahead, ready).eq(getattr(behind, ready) & gate),
            ]
            m.d.sync += gate.eq(~passes & (gate | draw[5 * place]))
        return m
