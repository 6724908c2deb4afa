"""AXI4-Lite registers: what engine this is, what it is doing, what went wrong."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from darb.golden.config import EngineConfig
from darb.golden.memory_map import FORMAT_VERSION, LAYER_WORD_BITS

IDENTITY = int.from_bytes(b"darb", "big")
ADDRESS_BITS = 8

REGISTERS = {
    "identity": 0x00,
    "format_version": 0x04,
    "digest_0": 0x08,
    "digest_1": 0x0C,
    "digest_2": 0x10,
    "shape": 0x14,
    "status": 0x18,
    "errors": 0x1C,
    "vectors": 0x20,
    "cycles": 0x24,
    "stalls": 0x28,
}
"""Byte address of each 32-bit register."""

STATUS = {"booted": 0, "busy": 1, "version_differs": 2}
"""Bits of register `status`."""
ERRORS = {"too_short": 0, "too_long": 1}
"""Bits of register `errors`; they stay until a write of 1 clears them."""

_OKAY, _SLVERR, _DECERR = 0b00, 0b10, 0b11


def axi_lite_ports(prefix: str) -> dict[str, In | Out]:
    """Return the ports of a 32-bit AXI4-Lite subordinate, named as AXI's users expect."""
    ports = {
        "awaddr": In(ADDRESS_BITS),
        "awprot": In(3),
        "awvalid": In(1),
        "awready": Out(1),
        "wdata": In(32),
        "wstrb": In(4),
        "wvalid": In(1),
        "wready": Out(1),
        "bresp": Out(2),
        "bvalid": Out(1),
        "bready": In(1),
        "araddr": In(ADDRESS_BITS),
        "arprot": In(3),
        "arvalid": In(1),
        "arready": Out(1),
        "rdata": Out(32),
        "rresp": Out(2),
        "rvalid": Out(1),
        "rready": In(1),
    }
    return {f"{prefix}_{name}": port for name, port in ports.items()}


class AxiLiteRegisters(wiring.Component):
    """The registers of `REGISTERS` behind AXI4-Lite.

    One read, and one write, every other clock; no ready depends on a valid of the same clock. An
    address that holds no register answers DECERR, a write to a register that only reads SLVERR.
    The counters wrap at 2**32; a write of anything to `vectors`, `cycles` or `stalls` zeroes that
    one. A write without strobes writes nothing.

    Parameters
    ----------
    config : EngineConfig

    Attributes
    ----------
    s_axil_* : In, Out
        See `axi_lite_ports`.
    booted, busy, stalled, vector_done, too_short, too_long : In(1)
    digest : In(96)
    version : In(8)
        Format version of the image at hand.
    """

    def __init__(self, *, config: EngineConfig) -> None:
        self._config = config
        super().__init__(
            {
                **axi_lite_ports("s_axil"),
                "booted": In(1),
                "busy": In(1),
                "stalled": In(1),
                "vector_done": In(1),
                "too_short": In(1),
                "too_long": In(1),
                "digest": In(LAYER_WORD_BITS),
                "version": In(8),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the registers."""
        m = Module()
        errors = Signal(len(ERRORS))
        counters = {name: Signal(32, name=name) for name in ("vectors", "cycles", "stalls")}
        values = self._values(errors, counters)
        write_to, write_data = self._write_channel(m)
        self._read_channel(m, values)

        clear = Signal(len(ERRORS))
        with m.If(write_to["errors"]):
            m.d.comb += clear.eq(write_data)
        m.d.sync += errors.eq((errors & ~clear) | Cat(self.too_short, self.too_long))
        events = {"vectors": self.vector_done, "cycles": self.busy, "stalls": self.stalled}
        for name, counter in counters.items():
            with m.If(write_to[name]):
                m.d.sync += counter.eq(0)
            with m.Else():
                m.d.sync += counter.eq(counter + events[name])
        return m

    def _values(self, errors: Signal, counters: dict[str, Signal]) -> dict[str, object]:
        config = self._config
        shape = config.lanes | config.rows << 16 | config.weight_bits << 24
        shape |= config.activation_bits << 28
        return {
            "identity": Const(IDENTITY, 32),
            "format_version": Const(FORMAT_VERSION, 32),
            "digest_0": self.digest[:32],
            "digest_1": self.digest[32:64],
            "digest_2": self.digest[64:],
            "shape": Const(shape, 32),
            "status": Cat(self.booted, self.busy, self.booted & (self.version != FORMAT_VERSION)),
            "errors": errors,
            **counters,
        }

    def _read_channel(self, m: Module, values: dict[str, object]) -> None:
        m.d.comb += self.s_axil_arready.eq(~self.s_axil_rvalid)
        with m.If(self.s_axil_rready):
            m.d.sync += self.s_axil_rvalid.eq(0)
        with m.If(self.s_axil_arvalid & self.s_axil_arready):
            m.d.sync += [
                self.s_axil_rvalid.eq(1),
                self.s_axil_rdata.eq(0),
                self.s_axil_rresp.eq(_DECERR),
            ]
            with m.Switch(self.s_axil_araddr[2:]):
                for name, address in REGISTERS.items():
                    with m.Case(address >> 2):
                        m.d.sync += [
                            self.s_axil_rdata.eq(values[name]),
                            self.s_axil_rresp.eq(_OKAY),
                        ]

    def _write_channel(self, m: Module) -> tuple[dict[str, Signal], Signal]:
        """Return a pulse for each writable register, and the bytes that the strobes let through."""
        writable = ("errors", "vectors", "cycles", "stalls")
        pulses = {name: Signal(name=f"write_{name}") for name in writable}
        address, data = Signal(ADDRESS_BITS), Signal(32)
        have_address, have_data, written, write = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            self.s_axil_awready.eq(~have_address),
            self.s_axil_wready.eq(~have_data),
            write.eq(have_address & have_data & ~self.s_axil_bvalid),
        ]
        with m.If(self.s_axil_bready):
            m.d.sync += self.s_axil_bvalid.eq(0)
        with m.If(self.s_axil_awvalid & self.s_axil_awready):
            m.d.sync += [have_address.eq(1), address.eq(self.s_axil_awaddr)]
        with m.If(self.s_axil_wvalid & self.s_axil_wready):
            m.d.sync += [have_data.eq(1), written.eq(self.s_axil_wstrb.any())]
            for byte in range(4):
                lane = slice(8 * byte, 8 * byte + 8)
                byte_data = Mux(self.s_axil_wstrb[byte], self.s_axil_wdata[lane], 0)
                m.d.sync += data[lane].eq(byte_data)
        with m.If(write):
            m.d.sync += [
                have_address.eq(0),
                have_data.eq(0),
                self.s_axil_bvalid.eq(1),
                self.s_axil_bresp.eq(_DECERR),
            ]
            with m.Switch(address[2:]):
                for name, place in REGISTERS.items():
                    with m.Case(place >> 2):
                        m.d.sync += self.s_axil_bresp.eq(_OKAY if name in writable else _SLVERR)
                        if name in writable:
                            m.d.comb += pulses[name].eq(written)
        return pulses, data
