"""Everything of a board but its clock, its reset and its pins: engine, host link, LEDs."""

from __future__ import annotations

from amaranth.hdl import ClockSignal, Module, ResetSignal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from darb.golden.bitfields import Words
from darb.golden.config import EngineConfig
from darb.golden.frame import SILENCE_SECONDS
from darb.golden.register_map import Storage
from darb.hw.activity_leds import ActivityLeds
from darb.hw.axi_engine import AxiEngine
from darb.hw.command_executor import engine_signature
from darb.hw.host_link import HostLink
from darb.hw.uart import uart_divisor

_MIN_BAUD = round(25 / SILENCE_SECONDS)
"""Two bytes, and half of one to spare, must fit into the silence that ends a frame."""


class BoardCore(wiring.Component):
    """An engine behind a serial port, in the domain ``sync``.

    Parameters
    ----------
    config : EngineConfig
    storage : Storage
    memory_check : bool
        See `AxiEngine`.
    clock_hz : int
        Of ``sync``.
    baud : int
        Of the serial port, at most 1 % from a division of `clock_hz`; at least 500 unless `timeout`
        is given.
    capacity : int, optional
        See `HostLink`.
    timeout : int, optional
        Clocks of silence after which an unfinished frame is given up; by default what the protocol
        says, `SILENCE_SECONDS`.
    memories : dict of str to ndarray of uint8, optional
        See `AxiEngine`.

    Attributes
    ----------
    uart_rx : In(1)
        From the host; any clock.
    uart_tx : Out(1)
        To the host.
    led_alive, led_busy, led_error : Out(1)
        See `ActivityLeds`.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If one is out of its range, or the engine's vectors are too long for a frame.
    """

    def __init__(
        self,
        *,
        config: EngineConfig,
        storage: Storage = Storage.ROM,
        memory_check: bool = False,
        clock_hz: int,
        baud: int = 1_000_000,
        capacity: int | None = None,
        timeout: int | None = None,
        memories: dict[str, Words] | None = None,
    ) -> None:
        self._engine = AxiEngine(
            config=config, memories=memories, storage=storage, memory_check=memory_check
        )
        divisor = uart_divisor(clock_hz, baud)
        if timeout is None and baud < _MIN_BAUD:
            raise ValueError(
                f"baud must be at least {_MIN_BAUD}, for a silence of {SILENCE_SECONDS:g} s to end "
                f"a frame, not {baud!r}"
            )
        self._signature = engine_signature(config)
        self._link = HostLink(
            config=config,
            storage=storage,
            divisor=divisor,
            timeout=round(clock_hz * SILENCE_SECONDS) if timeout is None else timeout,
            capacity=capacity,
            memory_check=memory_check,
        )
        self._leds = ActivityLeds(clock_hz=clock_hz)
        super().__init__(
            {
                "uart_rx": In(1, init=1),
                "uart_tx": Out(1, init=1),
                "led_alive": Out(1),
                "led_busy": Out(1),
                "led_error": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Connect the parts."""
        m = Module()
        m.submodules.engine = engine = self._engine
        m.submodules.link = link = self._link
        m.submodules.leds = leds = self._leds
        m.d.comb += [
            engine.aclk.eq(ClockSignal()),
            engine.aresetn.eq(~ResetSignal()),
            link.rx.eq(self.uart_rx),
            self.uart_tx.eq(link.tx),
            link.second.eq(leds.second),
        ]
        for name, member in self._signature.members.items():
            inner, outer = getattr(engine, name), getattr(link.engine, name)
            m.d.comb += inner.eq(outer) if member.flow is In else outer.eq(inner)
        for name in ("busy", "answers", "failed"):
            m.d.comb += getattr(leds, name).eq(getattr(link, name))
        for name in ("led_alive", "led_busy", "led_error"):
            m.d.comb += getattr(self, name).eq(getattr(leds, name))
        return m
