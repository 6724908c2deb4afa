"""The cocotb bench of a board: a pseudo-terminal on one side, the UART's two wires on the other.

Any program can open the terminal and talk to the simulated board, as if it hung on a cable.
"""

from __future__ import annotations

import json
import os
import queue
import threading
import time
import tty
from pathlib import Path

import cocotb
from cocotb.clock import Clock
from cocotb.simtime import get_sim_time
from cocotb.triggers import FallingEdge, Timer

from darb.golden.frame import SILENCE_SECONDS

_PERIOD = 10
_POLL_BITS = 40
_MOST_SECONDS = 900


class Cable:
    """Moves bytes between the terminal and the wires, bit for bit.

    Parameters
    ----------
    dut : cocotb handle
        `BoardCore`.
    divisor, timeout : int
        Clocks a bit, and of silence after which the board gives a frame up.
    """

    def __init__(self, dut: object, *, divisor: int, timeout: int) -> None:
        self.dut, self.bit, self.timeout = dut, _PERIOD * divisor, timeout
        # The bench keeps the terminal's other end open too: so it outlives the programs there.
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        self.written: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()
        self.heard = time.monotonic()
        threading.Thread(target=self._collect, daemon=True).start()
        self.log: list[tuple[int, str, int]] = []

    @property
    def name(self) -> str:
        """Name of the terminal."""
        return os.ttyname(self.slave)

    def _collect(self) -> None:
        while True:
            data = os.read(self.master, 64)
            self.written.put((time.monotonic(), data))

    def note(self, direction: str, byte: int) -> None:
        self.log.append((int(get_sim_time("ns")) // _PERIOD, direction, byte))

    async def to_board(self) -> None:
        """Send what the host has written, or let a while pass."""
        try:
            written, data = self.written.get_nowait()
        except queue.Empty:
            await Timer(_POLL_BITS * self.bit, unit="ns")
            return
        if written - self.heard > SILENCE_SECONDS:
            # The simulation is slower than a board; what was silence to the host must be to both.
            await Timer(_PERIOD * (self.timeout + 10), unit="ns")
        for byte in data:
            self.note("host", byte)
            for level in (0, *(byte >> place & 1 for place in range(8)), 1):
                self.dut.uart_rx.value = level
                await Timer(self.bit, unit="ns")
        self.heard = written

    async def to_host(self) -> None:
        """Pass on what the board sends, for ever."""
        tx = self.dut.uart_tx
        while True:
            await FallingEdge(tx)
            await Timer(self.bit // 2, unit="ns")
            assert not int(tx.value), "a start bit ends early"
            byte = 0
            for place in range(8):
                await Timer(self.bit, unit="ns")
                byte |= int(tx.value) << place
            await Timer(self.bit, unit="ns")
            assert int(tx.value), "a stop bit is 0"
            self.note("board", byte)
            os.write(self.master, bytes([byte]))


@cocotb.test()
async def serve(dut):
    """Be a board until the file `stop` is there."""
    job = json.loads(Path(os.environ["BOARD_JOB"]).read_text())
    cable = Cable(dut, divisor=job["divisor"], timeout=job["timeout"])
    cocotb.start_soon(Clock(dut.clk, _PERIOD, unit="ns").start())
    dut.uart_rx.value = 1
    dut.rst.value = 1
    for _ in range(4):
        await FallingEdge(dut.clk)
    dut.rst.value = 0
    await FallingEdge(dut.clk)
    cocotb.start_soon(cable.to_host())
    Path(job["port"]).with_suffix(".part").write_text(cable.name)
    Path(job["port"]).with_suffix(".part").rename(job["port"])
    end, stop = time.monotonic() + _MOST_SECONDS, Path(job["stop"])
    while not stop.exists() and time.monotonic() < end:
        await cable.to_board()
    Path(job["log"]).write_text(json.dumps(cable.log))
    assert time.monotonic() < end, f"nobody stopped the board in {_MOST_SECONDS} s"
