"""The cocotb bench: drives both streams of a generated engine and notes every transfer.

It runs inside the simulator, started by `darb.hw.simulation`, takes its orders from the file that
``DARB_BENCH_JOB`` names and judges nothing: what it saw goes to a file, and the caller compares
that with the golden model. A job is one run or several, each with its image and its vectors.
"""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.simtime import get_sim_time
from cocotb.triggers import FallingEdge, First, Timer, ValueChange

from darb.golden.register_map import CONTROL, ERRORS, REGISTERS
from darb.hw.cocotb_axi_lite import RegisterAccess
from darb.hw.cocotb_runner import JOB_VARIABLE

_PERIOD = 10
_RESET_CLOCKS = 4
_PROGRESS_VECTORS = 50


class StreamBench:
    """Sends beats and takes words, clock by clock.

    Everything is driven and sampled at the falling edge, half-way between the edges at which the
    engine acts: the ends depend on registers alone, so both sides then know whether the next edge
    transfers a beat, in every simulator. Clock 0 is the first in which the engine is out of reset.

    Parameters
    ----------
    dut : cocotb handle
        The top, see `AxiEngine`.
    job : dict
        One run, see `darb.hw.cocotb_runner`.
    beats : ndarray of uint8, shape (count, lanes)
    words : int
        Output words to wait for.
    """

    def __init__(self, dut: object, job: dict, beats: np.ndarray, words: int) -> None:
        self.dut, self.job, self.words = dut, job, words
        self.registers = RegisterAccess(dut) if job["registers"] else None
        self.data = [int.from_bytes(beat.tobytes(), "little") for beat in beats]
        self.last = [(number + 1) % job["beats"] == 0 for number in range(len(beats))]
        self.random = random.Random(job["seed"])
        self.restart()

    def restart(self) -> None:
        """Forget what was seen; the next beat is the first."""
        self.start, self.sent, self.offering = 0.0, 0, False
        self.blocked: tuple[int, int] | None = None
        self.input_clocks: list[int] = []
        self.output_clocks: list[int] = []
        self.output_words: list[int] = []
        self.output_last: list[int] = []
        self.valid: list[bool] = []
        self.ready: list[bool] = []

    async def reset(self) -> None:
        """Hold reset for some clocks; returns at clock 0."""
        dut = self.dut
        dut.aresetn.value = 0
        self._rest()
        if self.registers is not None:
            self.registers.rest()
        for _ in range(_RESET_CLOCKS):
            await FallingEdge(dut.aclk)
        dut.aresetn.value = 1
        self.restart()
        self.start = get_sim_time("ns")

    async def load(self) -> None:
        """Halt the engine, load its image, clear what it counted, let it go; returns at clock 0."""
        self._rest()
        halt = 1 << CONTROL["halt"]
        cleared = {"errors": sum(1 << bit for bit in ERRORS.values())}
        cleared |= dict.fromkeys(("vectors", "cycles", "stalls"), 0)
        await self.registers.write([(REGISTERS["control"], halt)])
        await self.registers.write(np.load(self.job["load"]))
        await self.registers.write([(REGISTERS[name], value) for name, value in cleared.items()])
        await self.registers.write([(REGISTERS["control"], 0)])
        self.restart()
        self.start = get_sim_time("ns")

    def _rest(self) -> None:
        for name in ("s_axis_tvalid", "s_axis_tdata", "s_axis_tlast", "m_axis_tready"):
            getattr(self.dut, name).value = 0

    def clock(self) -> int:
        """Return the number of the clock at hand."""
        return round((get_sim_time("ns") - self.start) / _PERIOD)

    async def run(self, *, stop_clock: int | None = None) -> None:
        """Transfer until all words are in, or until `stop_clock`."""
        dut, job = self.dut, self.job
        always = job["idle"] == 0 and job["blocked"] == 0
        last_move = 0
        # A broken engine may answer before it was asked: the beats must all go in as well.
        while len(self.output_words) < self.words or self.sent < len(self.data):
            clock = self.clock()
            if stop_clock is not None and clock >= stop_clock:
                return
            moved = self._one_clock(clock, always)
            last_move = clock if moved else last_move
            assert clock - last_move < job["patience"], f"no beat moved since clock {last_move}"
            if always and not moved and not int(dut.m_axis_tvalid.value):
                if self.sent == len(self.data) or not int(dut.s_axis_tready.value):
                    await self._sleep(clock, stop_clock)
            await FallingEdge(dut.aclk)
        dut.s_axis_tvalid.value = 0

    async def _sleep(self, clock: int, stop_clock: int | None) -> None:
        """Pass the clocks in which nothing can happen: until an end of the engine moves."""
        most = self.job["patience"]
        if stop_clock is not None:
            # One less, for the edge that the caller waits for.
            most = min(most, stop_clock - clock - 1)
        if most > 0:
            await First(
                ValueChange(self.dut.s_axis_tready),
                ValueChange(self.dut.m_axis_tvalid),
                Timer(_PERIOD * most, unit="ns"),
            )

    def _one_clock(self, clock: int, always: bool) -> bool:
        """Drive and sample one clock; returns whether a beat moves at its end."""
        dut, job = self.dut, self.job
        if not self.offering and self.sent < len(self.data):
            self.offering = always or self.random.random() >= job["idle"]
            if self.offering:
                dut.s_axis_tdata.value = self.data[self.sent]
                dut.s_axis_tlast.value = int(self.last[self.sent])
        dut.s_axis_tvalid.value = int(self.offering)
        ready = always or self.random.random() >= job["blocked"]
        dut.m_axis_tready.value = int(ready)
        if not always:
            self.valid.append(self.offering)
            self.ready.append(ready)
        moved = False
        if self.offering and int(dut.s_axis_tready.value):
            self.input_clocks.append(clock)
            self.sent, self.offering, moved = self.sent + 1, False, True
        if not int(dut.m_axis_tvalid.value):
            assert self.blocked is None, f"the output was withdrawn in clock {clock}"
            return moved
        word = int(dut.m_axis_tdata.value), int(dut.m_axis_tlast.value)
        assert self.blocked in (None, word), f"the output changed while blocked, in clock {clock}"
        self.blocked = None if ready else word
        if ready:
            self.output_clocks.append(clock)
            self.output_words.append(word[0])
            self.output_last.append(word[1])
            self._progress()
        return moved or ready

    def _progress(self) -> None:
        done, rest = divmod(len(self.output_words), self.job["words"])
        if not rest and (done % _PROGRESS_VECTORS == 0 or len(self.output_words) == self.words):
            Path(self.job["progress"]).write_text(str(self.job["done"] + done))

    async def extra_words(self, clocks: int) -> int:
        """Return how many words come although none is due."""
        self.dut.m_axis_tready.value = 1
        extra = 0
        for _ in range(clocks):
            extra += int(self.dut.m_axis_tvalid.value)
            await FallingEdge(self.dut.aclk)
        return extra


async def _carry_out(dut: object, job: dict, *, powered: bool) -> None:
    """Carry out one run: reset or load, perhaps run and do so again, run, watch for extra words."""
    beats = np.load(job["stimulus"])
    vectors = len(beats) // job["beats"]
    bench = StreamBench(dut, job, beats, vectors * job["words"])
    start = bench.reset if job["load"] is None else bench.load
    if not powered:
        await bench.reset()
    if powered or start == bench.load:
        await start()
    if job["reset_clock"] is not None:
        await bench.run(stop_clock=job["reset_clock"])
        await start()
    await bench.run()
    extra = len(bench.output_words) - bench.words + await bench.extra_words(job["tail"])
    registers = {}
    if bench.registers is not None:
        registers = {name: await bench.registers.read(place) for name, place in REGISTERS.items()}
    np.savez(
        job["observations"],
        input_clocks=np.array(bench.input_clocks, dtype=np.int64),
        output_clocks=np.array(bench.output_clocks[: bench.words], dtype=np.int64),
        output_words=np.array(bench.output_words[: bench.words], dtype=np.int64),
        output_last=np.array(bench.output_last[: bench.words], dtype=np.int64),
        valid=np.array(bench.valid, dtype=bool),
        ready=np.array(bench.ready, dtype=bool),
        extra=extra,
        registers=json.dumps(registers),
    )


@cocotb.test()
async def stream_vectors(dut: object) -> None:
    """Carry out the job, run by run, without a reset between images that are loaded."""
    runs = json.loads(Path(os.environ[JOB_VARIABLE]).read_text())
    cocotb.start_soon(Clock(dut.aclk, _PERIOD, unit="ns").start())
    for number, run in enumerate(runs):
        await _carry_out(dut, run, powered=number > 0)
