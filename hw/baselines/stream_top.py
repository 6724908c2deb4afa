"""An engine with AXI4-Stream ends alone: the top of a rival engine's generated Verilog."""

from __future__ import annotations

from amaranth.hdl import ClockDomain, DomainRenamer, Module
from amaranth.lib import wiring

from darb.golden.config import EngineConfig
from darb.hw.axi_engine import axi_stream_ports, connect_streams


class StreamTop(wiring.Component):
    """An engine between the stream ends of `darb.hw.axi_engine.AxiEngine`, without registers.

    Parameters
    ----------
    config : EngineConfig
        Of a rival, ``config.shared``.
    engine : wiring.Component
        With ends `i` and `o`.

    Attributes
    ----------
    aclk, aresetn, s_axis_*, m_axis_* : In, Out
        See `AxiEngine`; a beat has one byte an activation.
    """

    def __init__(self, *, config: EngineConfig, engine: wiring.Component) -> None:
        self._config, self._engine = config, engine
        super().__init__(axi_stream_ports(config))

    def elaborate(self, platform: object) -> Module:
        """Connect the engine."""
        m = Module()
        # Not called sync: the design around may have a domain of that name.
        m.domains.axi = domain = ClockDomain(local=True)
        m.d.comb += [domain.clk.eq(self.aclk), domain.rst.eq(~self.aresetn)]
        m.submodules.engine = DomainRenamer("axi")(self._engine)
        connect_streams(m, self, self._engine, self._config)
        return m
