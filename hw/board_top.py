"""The top level of a board: clock, reset, pins, and the engine behind its serial port."""

from __future__ import annotations

from amaranth.hdl import ClockDomain, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.cdc import ResetSynchronizer
from amaranth.lib.wiring import In, Out

from darb.golden.config import EngineConfig
from darb.golden.register_map import Storage
from darb.hw.board_core import BoardCore
from darb.hw.boards import Board
from darb.hw.boards.board import ClockSource
from darb.hw.pll import make_pll, reached_hz
from darb.hw.verilog import component_verilog

TOP = "top"
"""Name of the module in Verilog."""
_RESET_CLOCKS = 256
"""Out of configuration, until every block RAM of an iCE40 answers (some microseconds)."""


class BoardTop(wiring.Component):
    """`BoardCore` on a board's pins and at the clock its PLL makes.

    Parameters
    ----------
    board : Board
    config : EngineConfig
    storage : Storage
    memory_check : bool
        See `AxiEngine`.
    clock_hz : int
        Of the engine.
    baud : int, optional
        Of the serial port; the board's own by default.

    Attributes
    ----------
    clk : In(1)
        Missing where the clock is inside the chip.
    uart_rx : In(1)
    uart_tx, led_alive, led_busy, led_error : Out(1)

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If the PLL does not reach `clock_hz`, or no division of what it does reach comes near
        `baud`; see also `BoardCore`.
    """

    def __init__(
        self,
        *,
        board: Board,
        config: EngineConfig,
        storage: Storage = Storage.ROM,
        memory_check: bool = False,
        clock_hz: int,
        baud: int | None = None,
    ) -> None:
        self._board = board
        self._clock = make_pll(board, clock_hz)
        self._core = BoardCore(
            config=config,
            storage=storage,
            memory_check=memory_check,
            clock_hz=round(reached_hz(board, clock_hz)),
            baud=board.baud if baud is None else baud,
        )
        clock = {"clk": In(1)} if board.clock_source is ClockSource.PIN else {}
        leds = {led.port: Out(1) for led in board.leds}
        super().__init__({**clock, "uart_rx": In(1), "uart_tx": Out(1), **leds})

    def elaborate(self, platform: object) -> Module:
        """Connect the parts."""
        m = Module()
        m.domains.raw = raw = ClockDomain(local=True, reset_less=True)
        m.domains.sync = sync = ClockDomain(local=True)
        m.submodules.clock = clock = self._clock
        m.submodules.core = core = self._core
        if self._board.clock_source is ClockSource.PIN:
            m.d.comb += clock.i.eq(self.clk)
        waited = Signal(range(_RESET_CLOCKS + 1))
        running = Signal()
        m.d.comb += [raw.clk.eq(clock.o), sync.clk.eq(clock.o)]
        with m.If(~running):
            m.d.raw += waited.eq(waited + 1)
        m.d.raw += running.eq(running | (waited == _RESET_CLOCKS - 1))
        m.submodules.reset = ResetSynchronizer(~(running & clock.locked), domain="sync")
        m.d.comb += [core.uart_rx.eq(self.uart_rx), self.uart_tx.eq(core.uart_tx)]
        for led in self._board.leds:
            lit = getattr(core, led.port)
            m.d.comb += getattr(self, led.port).eq(~lit if led.active_low else lit)
        return m


def board_verilog(
    board: Board,
    config: EngineConfig,
    *,
    storage: Storage = Storage.ROM,
    memory_check: bool = False,
    clock_hz: int,
    baud: int | None = None,
) -> str:
    """Return the Verilog of `BoardTop`, module ``top``."""
    top = BoardTop(
        board=board,
        config=config,
        storage=storage,
        memory_check=memory_check,
        clock_hz=clock_hz,
        baud=baud,
    )
    return component_verilog(top, TOP)
