"""The bench's end of AXI4-Lite: reads and writes registers inside a simulator."""

from __future__ import annotations

from collections.abc import Iterable

from darb.hw.bench_pins import BenchPins

_OKAY = 0
_PATIENCE = 500
"""Clocks without an answer after which a register is given up."""


class RegisterAccess:
    """Reads and writes, one clock after the other.

    Parameters
    ----------
    pins : BenchPins
        Of the top, see `AxiEngine`.
    """

    def __init__(self, pins: BenchPins) -> None:
        self.pins = pins

    def rest(self) -> None:
        """Ask for nothing."""
        for name in ("awvalid", "wvalid", "bready", "arvalid", "rready"):
            self.pins.set(f"s_axil_{name}", 0)

    async def read(self, address: int) -> int:
        """Return a register.

        Raises
        ------
        AssertionError
            If it does not answer; names it.
        """
        pins = self.pins
        pins.set("s_axil_rready", 1)
        pins.set("s_axil_araddr", address)
        pins.set("s_axil_arvalid", 1)
        await self._until("arready", address)
        await pins.tick()
        pins.set("s_axil_arvalid", 0)
        await self._until("rvalid", address)
        value = pins.get("s_axil_rdata")
        await pins.tick()
        return value

    async def _until(self, name: str, address: int) -> None:
        for _ in range(_PATIENCE):
            if self.pins.get(f"s_axil_{name}"):
                return
            await self.pins.tick()
        raise AssertionError(f"a read of {address:#x} sees no {name} in {_PATIENCE} clocks")

    async def write(self, writes: Iterable[tuple[int, int]]) -> None:
        """Write (address, value) one after the other, as fast as the engine takes them.

        Returns in the first clock after the last one took effect.

        Raises
        ------
        AssertionError
            If one is refused or not answered; names it.
        """
        pins, writes = self.pins, [(int(address), int(value)) for address, value in writes]
        sent = answered = waited = 0
        pins.set("s_axil_bready", 1)
        pins.set("s_axil_wstrb", 0b1111)
        while answered < len(writes):
            offers = sent < len(writes)
            pins.set("s_axil_awvalid", int(offers))
            pins.set("s_axil_wvalid", int(offers))
            if offers:
                address, value = writes[sent]
                pins.set("s_axil_awaddr", address)
                pins.set("s_axil_wdata", value)
                # The engine takes address and data in the same clock where both are offered so.
                sent += pins.get("s_axil_awready")
            await pins.tick()
            waited += 1
            if pins.get("s_axil_bvalid"):
                response = pins.get("s_axil_bresp")
                assert response == _OKAY, f"write {answered} answers {response}, {writes[answered]}"
                answered, waited = answered + 1, 0
            elif waited == _PATIENCE:
                address = writes[answered][0]
                raise AssertionError(f"a write to {address:#x} sees no bvalid in {waited} clocks")
