"""The bench's end of AXI4-Lite: reads and writes registers inside the simulator."""

from __future__ import annotations

from collections.abc import Iterable

from cocotb.triggers import FallingEdge

_OKAY = 0


class RegisterAccess:
    """Reads and writes, driven and sampled at the falling edge.

    Parameters
    ----------
    dut : cocotb handle
        The top, see `AxiEngine`.
    """

    def __init__(self, dut: object) -> None:
        self.dut = dut

    def rest(self) -> None:
        """Ask for nothing."""
        for name in ("awvalid", "wvalid", "bready", "arvalid", "rready"):
            getattr(self.dut, f"s_axil_{name}").value = 0

    async def read(self, address: int) -> int:
        """Return a register."""
        dut = self.dut
        dut.s_axil_rready.value = 1
        dut.s_axil_araddr.value = address
        dut.s_axil_arvalid.value = 1
        while not int(dut.s_axil_arready.value):
            await FallingEdge(dut.aclk)
        await FallingEdge(dut.aclk)
        dut.s_axil_arvalid.value = 0
        while not int(dut.s_axil_rvalid.value):
            await FallingEdge(dut.aclk)
        value = int(dut.s_axil_rdata.value)
        await FallingEdge(dut.aclk)
        return value

    async def write(self, writes: Iterable[tuple[int, int]]) -> None:
        """Write (address, value) one after the other, as fast as the engine takes them.

        Returns in the first clock after the last one took effect.

        Raises
        ------
        AssertionError
            If one is refused; names it.
        """
        dut, writes = self.dut, [(int(address), int(value)) for address, value in writes]
        sent = answered = 0
        dut.s_axil_bready.value = 1
        dut.s_axil_wstrb.value = 0b1111
        while answered < len(writes):
            offers = sent < len(writes)
            dut.s_axil_awvalid.value = dut.s_axil_wvalid.value = int(offers)
            if offers:
                dut.s_axil_awaddr.value, dut.s_axil_wdata.value = writes[sent]
                # The engine takes address and data in the same clock where both are offered so.
                sent += int(dut.s_axil_awready.value)
            await FallingEdge(dut.aclk)
            if int(dut.s_axil_bvalid.value):
                response = int(dut.s_axil_bresp.value)
                assert response == _OKAY, f"write {answered} answers {response}, {writes[answered]}"
                answered += 1
