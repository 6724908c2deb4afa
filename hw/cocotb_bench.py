"""The bench in cocotb: started by `darb.hw.cocotb_runner`, with orders from a file.

``DARB_BENCH_JOB`` names the file. A job is one run or several, each with its image and its vectors.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import cocotb
from cocotb.clock import Clock
from cocotb.simtime import get_sim_time
from cocotb.triggers import FallingEdge, First, Timer, ValueChange

from darb.hw.bench_job import JOB_VARIABLE
from darb.hw.stream_bench import carry_out

_PERIOD = 10


class CocotbPins:
    """`BenchPins` that drive and sample at the falling edge.

    That is half-way between the edges at which the engine acts.

    Parameters
    ----------
    dut : cocotb handle
        The top, see `AxiEngine`.
    """

    def __init__(self, dut: object) -> None:
        self.dut, self.start = dut, 0.0

    def get(self, name: str) -> int:
        """Return an output; refuses X and Z."""
        return int(getattr(self.dut, name).value)

    def set(self, name: str, value: int) -> None:
        """Drive an input."""
        getattr(self.dut, name).value = value

    def clock(self) -> int:
        """Return the number of the clock at hand."""
        return round((get_sim_time("ns") - self.start) / _PERIOD)

    def restart(self) -> None:
        """Call the clock at hand number 0."""
        self.start = get_sim_time("ns")

    async def tick(self) -> None:
        """Wait for the next falling edge."""
        await FallingEdge(self.dut.aclk)

    async def sleep(self, most: int) -> None:
        """Wait until an end of the engine moves, at most so many clocks."""
        await First(
            ValueChange(self.dut.s_axis_tready),
            ValueChange(self.dut.m_axis_tvalid),
            Timer(_PERIOD * most, unit="ns"),
        )


@cocotb.test()
async def stream_vectors(dut: object) -> None:
    """Carry out the job."""
    jobs = json.loads(Path(os.environ[JOB_VARIABLE]).read_text())
    cocotb.start_soon(Clock(dut.aclk, _PERIOD, unit="ns").start())
    await carry_out(CocotbPins(dut), jobs)
