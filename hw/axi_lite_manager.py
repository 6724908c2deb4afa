"""AXI4-Lite from the manager's end: one read or write at a time."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from darb.golden.register_map import ADDRESS_BITS
from darb.hw.axi_lite_registers import axi_lite_ports

_OKAY = 0


class AxiLiteManager(wiring.Component):
    """Reads or writes one register; the answer stays until it was used.

    Attributes
    ----------
    read, write : In(1)
        Ask; high until and in the clock of `finish`, with `register` and `value` unchanged.
    register : In(ADDRESS_BITS - 2)
        Address in words of 32 bits.
    value : In(32)
        To be written.
    done : Out(1)
        The answer is here, and stays until `finish`.
    data : Out(32)
        What was read.
    refused : Out(1)
        The answer is an error.
    finish : In(1)
        The answer was used; only where `done` is high.
    m_axil_* : Out, In
        To an AXI4-Lite subordinate.
    """

    def __init__(self) -> None:
        ports = axi_lite_ports("m_axil")
        super().__init__(
            {
                "read": In(1),
                "write": In(1),
                "register": In(ADDRESS_BITS - 2),
                "value": In(32),
                "done": Out(1),
                "data": Out(32),
                "refused": Out(1),
                "finish": In(1),
                **{name: member.flip() for name, member in ports.items()},
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the manager."""
        m = Module()
        has_address, has_data = Signal(), Signal()
        m.d.comb += [
            self.m_axil_araddr[2:].eq(self.register),
            self.m_axil_awaddr[2:].eq(self.register),
            self.m_axil_wdata.eq(self.value),
            self.m_axil_wstrb.eq(0b1111),
            self.m_axil_arvalid.eq(self.read & ~has_address),
            self.m_axil_awvalid.eq(self.write & ~has_address),
            self.m_axil_wvalid.eq(self.write & ~has_data),
            self.m_axil_rready.eq(self.finish),
            self.m_axil_bready.eq(self.finish),
            self.done.eq(self.m_axil_rvalid | self.m_axil_bvalid),
            self.data.eq(self.m_axil_rdata),
        ]
        with m.If(self.m_axil_bvalid):
            m.d.comb += self.refused.eq(self.m_axil_bresp != _OKAY)
        with m.Else():
            m.d.comb += self.refused.eq(self.m_axil_rresp != _OKAY)
        with m.If(self.finish):
            m.d.sync += [has_address.eq(0), has_data.eq(0)]
        with m.Else():
            address_taken = (self.m_axil_arvalid & self.m_axil_arready) | (
                self.m_axil_awvalid & self.m_axil_awready
            )
            data_taken = self.m_axil_wvalid & self.m_axil_wready
            m.d.sync += [
                has_address.eq(has_address | address_taken),
                has_data.eq(has_data | data_taken),
            ]
        return m
