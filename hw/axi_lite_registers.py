"""AXI4-Lite registers: what engine this is, what it is doing, what went wrong."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, ValueLike
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from darb.golden.config import EngineConfig
from darb.golden.memory_map import FORMAT_VERSION, HEADER, LAYER_WORD_BITS
from darb.golden.register_map import (
    ADDRESS_BITS,
    CHECK_REGISTERS,
    CONTROL,
    ERRORS,
    REGISTERS,
    Storage,
    constant_registers,
)
from darb.hw.delay_line import delay
from darb.hw.image_loader import loading_signature
from darb.hw.memory_checker import checking_signature

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
    """The registers of `darb.golden.register_map` behind AXI4-Lite.

    One read, and one write, every other clock; no ready depends on a valid of the same clock. An
    address that holds no register answers DECERR, a write to a register that only reads SLVERR.
    The counters wrap at 2**32; a write of anything to `vectors`, `cycles` or `stalls` zeroes that
    one. A write without strobes writes nothing.

    The counters count a clock late: an event in the clock of a write that clears them is counted
    after it.

    With storage `ram`, `control` is written by its lowest byte. `load_place` and `load_data` are
    written whole: without all strobes, or where the image loader does not accept it, a write
    answers SLVERR and does nothing. With storage `rom` these three read 0 and are not writable.

    With the memory check `control` is written so with either storage, and there are the registers
    of `CHECK_REGISTERS`. `check` is written whole, and accepted or not as `load_place` is.

    Parameters
    ----------
    config : EngineConfig
    storage : Storage
    memory_check : bool

    Attributes
    ----------
    s_axil_* : In, Out
        See `axi_lite_ports`.
    booted, busy, stalled, vector_done, too_short, too_long : In(1)
    digest : In(96)
    version : In(8)
        Format version of the image at hand.
    input_beats, outputs : In
        Of the image at hand, as its header holds them.
    halt : Out(1)
        With storage `ram` or the memory check alone: the engine is to be in reset.
    loading : Out(loading_signature())
        With storage `ram` alone; see `ImageLoader`.
    checking : Out(checking_signature())
        With the memory check alone; see `MemoryChecker`.
    """

    def __init__(
        self, *, config: EngineConfig, storage: Storage = Storage.ROM, memory_check: bool = False
    ) -> None:
        self._config, self._storage, self._memory_check = config, storage, memory_check
        self._registers = {**REGISTERS, **(CHECK_REGISTERS if memory_check else {})}
        self._haltable = memory_check or storage is Storage.RAM
        halt = {"halt": Out(1)} if self._haltable else {}
        checking = {"checking": Out(checking_signature())} if memory_check else {}
        loading = {"loading": Out(loading_signature())} if storage is Storage.RAM else {}
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
                "input_beats": In(HEADER["input_beats"]),
                "outputs": In(HEADER["outputs"]),
                **halt,
                **loading,
                **checking,
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the registers."""
        m = Module()
        errors = Signal(len(ERRORS))
        counters = {name: Signal(32, name=name) for name in ("vectors", "cycles", "stalls")}
        data, strobe = Signal(32), Signal(4)
        accepts = dict.fromkeys(("errors", *counters), Const(1))
        values = self._values(errors, counters)
        if self._storage is Storage.RAM:
            values["load_place"] = self.loading.place
            accepts |= {
                "load_place": strobe.all() & self.loading.place_okay,
                "load_data": strobe.all() & self.loading.data_okay,
            }
        if self._memory_check:
            values |= {"check": self.checking.left, "check_crc": self.checking.crc}
            accepts["check"] = strobe.all() & self.checking.okay
        if self._haltable:
            values["control"] = self.halt
            accepts["control"] = Const(1)
        write_to = self._write_channel(m, data, strobe, accepts)
        self._read_channel(m, values)

        clear = Signal(len(ERRORS))
        with m.If(write_to["errors"]):
            m.d.comb += clear.eq(data)
        m.d.sync += errors.eq((errors & ~clear) | Cat(self.too_short, self.too_long))
        events = {"vectors": self.vector_done, "cycles": self.busy, "stalls": self.stalled}
        for name, counter in counters.items():
            # A carry chain of 32 bits has no time for what decides the event, too.
            event = delay(m, events[name], 1, name=f"counts_{name}")
            with m.If(write_to[name]):
                m.d.sync += counter.eq(0)
            with m.Else():
                m.d.sync += counter.eq(counter + event)
        if self._storage is Storage.RAM:
            m.d.comb += [
                self.loading.word.eq(data),
                self.loading.place_en.eq(write_to["load_place"]),
                self.loading.data_en.eq(write_to["load_data"]),
                self.loading.halt.eq(self.halt),
            ]
        if self._memory_check:
            m.d.comb += [
                self.checking.word.eq(data),
                self.checking.start.eq(write_to["check"]),
                self.checking.halt.eq(self.halt),
            ]
        if self._haltable:
            with m.If(write_to["control"] & strobe[0]):
                m.d.sync += self.halt.eq(data[CONTROL["halt"]])
        return m

    def _values(self, errors: Signal, counters: dict[str, Signal]) -> dict[str, ValueLike]:
        constant = constant_registers(self._config, self._storage)
        return {
            **dict.fromkeys(self._registers, Const(0, 32)),
            **{name: Const(value, 32) for name, value in constant.items()},
            "digest_0": self.digest[:32],
            "digest_1": self.digest[32:64],
            "digest_2": self.digest[64:],
            "status": Cat(self.booted, self.busy, self.booted & (self.version != FORMAT_VERSION)),
            "errors": errors,
            **counters,
            "input_beats": self.input_beats,
            "outputs": self.outputs,
        }

    def _read_channel(self, m: Module, values: dict[str, ValueLike]) -> None:
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
                for name, address in self._registers.items():
                    with m.Case(address >> 2):
                        m.d.sync += [
                            self.s_axil_rdata.eq(values[name]),
                            self.s_axil_rresp.eq(_OKAY),
                        ]

    def _write_channel(
        self, m: Module, data: Signal, strobe: Signal, accepts: dict[str, ValueLike]
    ) -> dict[str, Signal]:
        """Return a pulse for each register of `accepts`, at which it is written.

        The bytes that the strobes let through stand in `data` then, the others are zero. Where
        the register's value in `accepts` is low, the write is refused.
        """
        pulses = {name: Signal(name=f"write_{name}") for name in accepts}
        address = Signal(ADDRESS_BITS)
        have_address, have_data, write = Signal(), Signal(), Signal()
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
            m.d.sync += [have_data.eq(1), strobe.eq(self.s_axil_wstrb)]
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
                for name, place in self._registers.items():
                    with m.Case(place >> 2):
                        accepted = accepts.get(name, Const(0))
                        m.d.sync += self.s_axil_bresp.eq(Mux(accepted, _OKAY, _SLVERR))
                        if name in accepts:
                            m.d.comb += pulses[name].eq(accepted & strobe.any())
        return pulses
