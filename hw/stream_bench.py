"""The bench: drives both streams of a generated engine and notes every transfer.

It runs in any simulator that gives it `BenchPins`, and judges nothing: what it saw goes to a file,
and the caller compares that with the golden model.
"""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np

from darb.golden.register_map import CHECK_REGISTERS, CONTROL, ERRORS, REGISTERS
from darb.hw.bench_pins import BenchPins
from darb.hw.register_access import RegisterAccess

_RESET_CLOCKS = 4
_PROGRESS_VECTORS = 50
_CHECK_START = 16
"""Clocks for a memory check to begin and to be seen to end."""


class _Chance:
    """Draws whether an end of a stream moves, one draw for `burst` clocks."""

    def __init__(self, source: random.Random, rest: float, burst: int) -> None:
        self._source, self._rest, self._burst = source, rest, burst
        self._left, self._moves = 0, True

    def draw(self) -> bool:
        """Return whether the end moves in the clock at hand."""
        if not self._left:
            self._left, self._moves = self._burst, self._source.random() >= self._rest
        self._left -= 1
        return self._moves


class StreamBench:
    """Sends beats and takes words, clock by clock.

    The ends depend on registers alone, so both sides know between two edges whether the next one
    transfers a beat, in every simulator. Clock 0 is the first in which the engine is out of reset.

    Parameters
    ----------
    pins : BenchPins
        Of the top, see `AxiEngine`.
    job : dict
        One run, see `darb.hw.bench_job`.
    beats : ndarray of uint8, shape (count, lanes)
    words : int
        Output words to wait for.
    """

    def __init__(self, pins: BenchPins, job: dict, beats: np.ndarray, words: int) -> None:
        self.pins, self.job, self.words = pins, job, words
        self.registers = RegisterAccess(pins) if job["registers"] else None
        self.data = [int.from_bytes(beat.tobytes(), "little") for beat in beats]
        self.last = [(number + 1) % job["beats"] == 0 for number in range(len(beats))]
        source = random.Random(job["seed"])
        self.source = _Chance(source, job["idle"], job["burst"])
        self.sink = _Chance(source, job["blocked"], job["burst"])
        self.restart()

    def restart(self) -> None:
        """Forget what was seen; the next beat is the first and this clock has number 0."""
        self.sent, self.offering = 0, False
        self.blocked: tuple[int, int] | None = None
        self.input_clocks: list[int] = []
        self.output_clocks: list[int] = []
        self.output_words: list[int] = []
        self.output_last: list[int] = []
        self.valid: list[bool] = []
        self.ready: list[bool] = []
        self.pins.restart()

    async def reset(self) -> None:
        """Hold reset for some clocks; returns at clock 0."""
        self.pins.set("aresetn", 0)
        self._rest()
        if self.registers is not None:
            self.registers.rest()
        for _ in range(_RESET_CLOCKS):
            await self.pins.tick()
        self.pins.set("aresetn", 1)
        self.restart()

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

    async def memory_crcs(self) -> dict[str, int]:
        """Halt the engine, let it check its memories, let it go; returns the CRC of each.

        Raises
        ------
        AssertionError
            If a check does not end; names the memory.
        """
        if not self.job["checks"]:
            return {}
        self._rest()
        found, control = {}, REGISTERS["control"]
        await self.registers.write([(control, 1 << CONTROL["halt"])])
        for name, request in self.job["checks"].items():
            await self.registers.write([(CHECK_REGISTERS["check"], request)])
            # A read passes a clock or more.
            reads = self.job["check_clocks"][name] + _CHECK_START
            for _ in range(reads):
                if not await self.registers.read(CHECK_REGISTERS["check"]):
                    break
            else:
                raise AssertionError(f"the check of {name} is at work after {reads} reads")
            found[name] = await self.registers.read(CHECK_REGISTERS["check_crc"])
        await self.registers.write([(control, 0)])
        return found

    def _rest(self) -> None:
        for name in ("s_axis_tvalid", "s_axis_tdata", "s_axis_tlast", "m_axis_tready"):
            self.pins.set(name, 0)

    async def run(self, *, stop_clock: int | None = None) -> None:
        """Transfer until all words are in, or until `stop_clock`."""
        pins, job = self.pins, self.job
        always = job["idle"] == 0 and job["blocked"] == 0
        last_move = 0
        # A broken engine may answer before it was asked: the beats must all go in as well.
        while len(self.output_words) < self.words or self.sent < len(self.data):
            clock = pins.clock()
            if stop_clock is not None and clock >= stop_clock:
                return
            moved = self._one_clock(clock, always)
            last_move = clock if moved else last_move
            assert clock - last_move < job["patience"], f"no beat moved since clock {last_move}"
            if always and not moved and not pins.get("m_axis_tvalid"):
                if self.sent == len(self.data) or not pins.get("s_axis_tready"):
                    await self._sleep(clock, stop_clock)
            await pins.tick()
        pins.set("s_axis_tvalid", 0)

    async def _sleep(self, clock: int, stop_clock: int | None) -> None:
        """Pass the clocks in which nothing can happen: until an end of the engine moves."""
        most = self.job["patience"]
        if stop_clock is not None:
            # One less, for the edge that the caller waits for.
            most = min(most, stop_clock - clock - 1)
        if most > 0:
            await self.pins.sleep(most)

    def _one_clock(self, clock: int, always: bool) -> bool:
        """Drive and sample one clock; returns whether a beat moves at its end."""
        pins = self.pins
        if not self.offering and self.sent < len(self.data):
            self.offering = always or self.source.draw()
            if self.offering:
                pins.set("s_axis_tdata", self.data[self.sent])
                pins.set("s_axis_tlast", int(self.last[self.sent]))
        pins.set("s_axis_tvalid", int(self.offering))
        ready = always or self.sink.draw()
        pins.set("m_axis_tready", int(ready))
        if not always:
            self.valid.append(self.offering)
            self.ready.append(ready)
        moved = False
        if self.offering and pins.get("s_axis_tready"):
            self.input_clocks.append(clock)
            self.sent, self.offering, moved = self.sent + 1, False, True
        if not pins.get("m_axis_tvalid"):
            assert self.blocked is None, f"the output was withdrawn in clock {clock}"
            return moved
        word = pins.get("m_axis_tdata"), pins.get("m_axis_tlast")
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
        self.pins.set("m_axis_tready", 1)
        extra = 0
        for _ in range(clocks):
            extra += self.pins.get("m_axis_tvalid")
            await self.pins.tick()
        return extra


async def carry_out(pins: BenchPins, jobs: list[dict]) -> None:
    """Carry out one run after the other, without a reset between images that are loaded.

    Parameters
    ----------
    pins : BenchPins
    jobs : list of dict
        Of `darb.hw.bench_job.stream_job`.
    """
    for number, job in enumerate(jobs):
        await _carry_out(pins, job, powered=number > 0)


async def _carry_out(pins: BenchPins, job: dict, *, powered: bool) -> None:
    """Carry out one run: reset or load, perhaps run and do so again, run, watch for extra words."""
    beats = np.load(job["stimulus"])
    vectors = len(beats) // job["beats"]
    bench = StreamBench(pins, job, beats, vectors * job["words"])
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
    crcs = await bench.memory_crcs()
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
        crcs=json.dumps(crcs),
    )
