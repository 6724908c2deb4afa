"""The engine with AXI ends in Amaranth's own simulator, under the bench that Verilog runs under."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from amaranth.hdl import ClockSignal, Module
from amaranth.sim import Simulator
from numpy.typing import NDArray

from darb.golden.image import Image
from darb.golden.register_map import Storage
from darb.hw.axi_engine import AxiEngine
from darb.hw.bench_job import Disturbance, image_job, read_observations
from darb.hw.stream_bench import carry_out

_PERIOD_SECONDS = 1e-8


class AmaranthPins:
    """`BenchPins` inside Amaranth's simulator.

    Parameters
    ----------
    context : amaranth.sim.SimulatorContext
    engine : AxiEngine
    """

    def __init__(self, context: object, engine: AxiEngine) -> None:
        self._context, self._engine = context, engine
        self._clocks = self._start = 0
        self._driven: dict[str, int] = {}

    def get(self, name: str) -> int:
        """Return an output."""
        return self._context.get(getattr(self._engine, name))

    def set(self, name: str, value: int) -> None:
        """Drive an input."""
        # The simulator settles after each change; most inputs stay as they are.
        if self._driven.get(name) != value:
            self._driven[name] = value
            self._context.set(getattr(self._engine, name), value)

    def clock(self) -> int:
        """Return the number of the clock at hand."""
        return self._clocks - self._start

    def restart(self) -> None:
        """Call the clock at hand number 0."""
        self._start = self._clocks

    async def tick(self) -> None:
        """Wait until the next edge has passed."""
        await self._context.tick()
        self._clocks += 1

    async def sleep(self, most: int) -> None:
        """Pass none."""


def run_in_amaranth(
    directory: Path,
    runs: Sequence[tuple[Image, NDArray[np.int64], Disturbance]],
    *,
    storage: Storage,
    memory_check: bool = False,
) -> list[dict[str, NDArray]]:
    """Run the bench on one image after another; returns what it saw of each.

    Parameters
    ----------
    directory : Path
        For the bench's files.
    runs : sequence of (Image, ndarray of int64, Disturbance)
        See `darb.hw.cocotb_runner.run_images`; with storage `rom` all are the same image.
    storage : Storage
    memory_check : bool
        See `image_job`.

    Raises
    ------
    AssertionError
        If the bench gives the engine up; says why.
    """
    image = runs[0][0]
    jobs = [
        image_job(directory, number, *run[:2], storage, run[2], memory_check=memory_check)
        for number, run in enumerate(runs)
    ]
    for job in jobs:
        job["done"] = 0
    memories = image.memories if storage is Storage.ROM else None
    engine = AxiEngine(
        config=image.config, memories=memories, storage=storage, memory_check=memory_check
    )
    top = Module()
    top.submodules.engine = engine
    top.d.comb += engine.aclk.eq(ClockSignal())
    simulator = Simulator(top)
    simulator.add_clock(_PERIOD_SECONDS)

    async def bench(context: object) -> None:
        await carry_out(AmaranthPins(context, engine), jobs)

    simulator.add_testbench(bench)
    simulator.run()
    return [read_observations(job) for job in jobs]
