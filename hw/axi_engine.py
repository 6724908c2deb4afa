"""The engine with AXI ends: the top of the generated Verilog."""

from __future__ import annotations

from amaranth.hdl import ClockDomain, Const, DomainRenamer, Module, Signal, ValueLike
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect

from darb.golden.bitfields import Words
from darb.golden.config import EngineConfig
from darb.golden.register_map import Storage
from darb.hw.axi_lite_registers import AxiLiteRegisters, axi_lite_ports
from darb.hw.engine import Engine
from darb.hw.image_loader import ImageLoader
from darb.hw.memory_checker import MemoryChecker


def axi_stream_ports(config: EngineConfig) -> dict[str, In | Out]:
    """Return the ports of a top with two AXI4-Stream ends: clock, reset, the streams."""
    return {
        "aclk": In(1),
        "aresetn": In(1),
        "s_axis_tdata": In(8 * config.lanes),
        "s_axis_tvalid": In(1),
        "s_axis_tready": Out(1),
        "s_axis_tlast": In(1),
        "m_axis_tdata": Out(8 * config.output_bytes),
        "m_axis_tvalid": Out(1),
        "m_axis_tready": In(1),
        "m_axis_tlast": Out(1),
    }


def axi_engine_ports(config: EngineConfig) -> dict[str, In | Out]:
    """Return the ports of `AxiEngine`; none depends on the weights."""
    return {**axi_stream_ports(config), **axi_lite_ports("s_axil")}


def connect_streams(
    m: Module,
    top: wiring.Component,
    engine: wiring.Component,
    config: EngineConfig,
    runs: ValueLike = 1,
) -> None:
    """Connect `axi_stream_ports` of `top` to an engine; no beat moves unless `runs`."""
    for s in range(config.lanes):
        lane = top.s_axis_tdata.word_select(s, 8)[: config.activation_bits]
        m.d.comb += engine.i.payload.data[s].eq(lane)
    m.d.comb += [
        engine.i.valid.eq(top.s_axis_tvalid & runs),
        engine.i.payload.last.eq(top.s_axis_tlast),
        top.s_axis_tready.eq(engine.i.ready & runs),
        top.m_axis_tdata.eq(engine.o.payload.data),
        top.m_axis_tvalid.eq(engine.o.valid & runs),
        top.m_axis_tlast.eq(engine.o.payload.last),
        engine.o.ready.eq(top.m_axis_tready),
    ]


class AxiEngine(wiring.Component):
    """`Engine` between AXI4-Stream ends, with AXI4-Lite registers.

    With storage `ram` or the memory check, register `control` can halt the engine: it is in reset
    then, takes and sends nothing, and its image memories can be written, or read for their CRC.
    When it goes on it is as out of reset.

    Parameters
    ----------
    config : EngineConfig
    memories : dict of str to ndarray of uint8, optional
    storage : Storage
    memory_check : bool
        See `Engine`.

    Attributes
    ----------
    aclk, aresetn : In(1)
        One clock for everything; a synchronous reset, active low.
    s_axis_tdata : In(8 * lanes)
        One byte a lane, lane s at bits 8 * s, a signed activation in its low bits. Beat b carries
        stored column s * L + b of every lane s.
    s_axis_tvalid, s_axis_tready, s_axis_tlast : In, Out, In
    m_axis_tdata : Out(8 * config.output_bytes)
        One row a beat, in row order, sign-extended.
    m_axis_tvalid, m_axis_tready, m_axis_tlast : Out, In, Out
    s_axil_* : In, Out
        See `AxiLiteRegisters`.

    Raises
    ------
    TypeError, ValueError
        See `Engine`.
    """

    def __init__(
        self,
        *,
        config: EngineConfig,
        memories: dict[str, Words] | None = None,
        storage: Storage = Storage.ROM,
        memory_check: bool = False,
    ) -> None:
        self._config, self._storage, self._memory_check = config, storage, memory_check
        self._engine = Engine(
            config=config, memories=memories, storage=storage, memory_check=memory_check
        )
        super().__init__(axi_engine_ports(config))

    def elaborate(self, platform: object) -> Module:
        """Connect the engine and the registers."""
        m = Module()
        config, engine = self._config, self._engine
        # Not called sync: the design around may have a domain of that name.
        m.domains.axi = domain = ClockDomain(local=True)
        registers = AxiLiteRegisters(
            config=config, storage=self._storage, memory_check=self._memory_check
        )
        m.submodules.registers = DomainRenamer("axi")(registers)
        m.d.comb += [domain.clk.eq(self.aclk), domain.rst.eq(~self.aresetn)]
        if self._storage is Storage.RAM:
            loader = ImageLoader(config=config)
            m.submodules.image_loader = DomainRenamer("axi")(loader)
            connect(m, registers.loading, loader.i)
            connect(m, loader.o, engine.load)
        if self._memory_check:
            checker = MemoryChecker(config=config)
            m.submodules.memory_checker = DomainRenamer("axi")(checker)
            connect(m, registers.checking, checker.i)
            connect(m, checker.o, engine.check)
        runs = Const(1)
        if self._memory_check or self._storage is Storage.RAM:
            runs = ~registers.halt
            self._add_halted(m, registers.halt, domain)
        else:
            m.submodules.engine = DomainRenamer("axi")(engine)
        # The engine's reset takes hold a clock after halt; no beat may move in between.
        connect_streams(m, self, engine, config, runs)
        m.d.comb += [
            registers.version.eq(engine.header.version),
            registers.input_beats.eq(engine.header.input_beats),
            registers.outputs.eq(engine.header.outputs),
        ]
        for name in ("booted", "busy", "stalled", "vector_done", "too_short", "too_long", "digest"):
            m.d.comb += getattr(registers, name).eq(getattr(engine, name))
        for name in axi_lite_ports("s_axil"):
            inner, outer = getattr(registers, name), getattr(self, name)
            inward = self.signature.members[name].flow is In
            m.d.comb += inner.eq(outer) if inward else outer.eq(inner)
        return m

    def _add_halted(self, m: Module, halt: Signal, domain: ClockDomain) -> None:
        """Add the engine under a reset that is high while `halt` is as well."""
        m.domains.compute = compute = ClockDomain(local=True)
        # The same net, so that no simulator sees the two domains' edges one after the other.
        compute.clk = domain.clk
        m.d.comb += compute.rst.eq(domain.rst | halt)
        m.submodules.engine = DomainRenamer("compute")(self._engine)
