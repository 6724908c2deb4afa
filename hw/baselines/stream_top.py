"""A rival engine with AXI4-Stream ends: the top of its generated Verilog."""

from __future__ import annotations

from amaranth.hdl import ClockDomain, DomainRenamer, Module
from amaranth.lib import wiring

from darb.golden.baselines.config import BaselineConfig
from darb.hw.axi_engine import axi_stream_ports, connect_streams


class StreamTop(wiring.Component):
    """A rival engine between the stream ends of `darb.hw.axi_engine.AxiEngine`, without registers.

    Parameters
    ----------
    config : BaselineConfig
    engine : wiring.Component
        With ends `i` and `o`.

    Attributes
    ----------
    aclk, aresetn, s_axis_*, m_axis_* : In, Out
        See `AxiEngine`; a beat has one byte an activation.
    """

    def __init__(self, *, config: BaselineConfig, engine: wiring.Component) -> None:
        self._shared, self._engine = config.shared, engine
        super().__init__(axi_stream_ports(self._shared))

    def elaborate(self, platform: object) -> Module:
        """Connect the engine."""
        m = Module()
        # Not called sync: the design around may have a domain of that name.
        m.domains.axi = domain = ClockDomain(local=True)
        m.d.comb += [domain.clk.eq(self.aclk), domain.rst.eq(~self.aresetn)]
        m.submodules.engine = DomainRenamer("axi")(self._engine)
        connect_streams(m, self, self._engine, self._shared)
        return m
