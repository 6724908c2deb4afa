"""Runs each mutant against its design's benches until one notices; results are kept on disk."""

from __future__ import annotations

import json
import queue
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from benches import Bench, Notice, simulated_clocks
from designs import Design
from mutant_build import build_mutants, elaborate, run_directory
from mutants import Mutant, draw_mutants

from darb.hw.cocotb_runner import SimulationError, run_cocotb
from darb.hw.simulators import Simulator

_BATCH = 16
_UNBOUNDED = 10_000_000
_SLACK, _SPARE_CLOCKS = 3, 5000
"""A mutant gets so many times the clocks of the sound design, and so many more."""


@dataclass(frozen=True)
class Fate:
    """What became of a mutant.

    Parameters
    ----------
    mutant : Mutant
    bench : str, optional
        That noticed it first; None of one that survives.
    notice : Notice, optional
    """

    mutant: Mutant
    bench: str | None
    notice: Notice | None


class Campaign:
    """The mutants of one design.

    Parameters
    ----------
    design : Design
    directory : Path
        Where everything is kept.
    count, seed : int
        Of the mutants.
    simulator : Simulator

    Raises
    ------
    YosysError, SimulationError
        If the design cannot be elaborated or compiled.
    """

    def __init__(
        self, design: Design, directory: Path, *, count: int, seed: int, simulator: Simulator
    ) -> None:
        self.design, self.directory, self._simulator = design, directory, simulator
        self._netlist = elaborate(design.verilog, directory, design.kept)
        self.mutants = draw_mutants(directory, count, seed, design.modules)
        self._place = build_mutants(directory, self.mutants, simulator)
        self.kept = directory / f"results-{self._netlist[:12]}"
        self.kept.mkdir(exist_ok=True)
        self._clocks: dict[str, int] = {}

    def _simulate(self, bench: Bench, numbers: Sequence[int], worker: int) -> list[Notice | None]:
        """Run a bench on mutants, and behind them on the sound design; return what it noticed.

        Raises
        ------
        SimulationError
            If the sound design does not pass.
        """
        clocks = self._clocks.get(bench.digest)
        bound = _UNBOUNDED if clocks is None else _SLACK * clocks + _SPARE_CLOCKS
        runs = []
        for number in (*numbers, 0):
            directory = self._place / f"run-{worker}-{number}"
            run_directory(self._place, directory, number, bound)
            runs.append({"directory": str(directory), "environment": bench.ready(directory)})
        *mutated, sound = runs
        directory = Path(sound["directory"])
        orders = directory / "orders.json"
        orders.write_text(json.dumps({"module": bench.module, "runs": mutated}))
        run_cocotb(
            directory,
            self._simulator,
            module="forked_bench",
            environment={**sound["environment"], "MUTATION_ORDERS": str(orders)},
        )
        wrong = bench.judge(directory)
        if wrong is not None:
            raise SimulationError(f"{self.design.name}, {bench.name}, no mutant: {wrong}")
        self._clocks[bench.digest] = simulated_clocks(directory)
        noticed = [bench.notices(Path(run["directory"])) for run in mutated]
        for run in mutated:
            shutil.rmtree(run["directory"])
        return noticed

    def check_sound(self) -> None:
        """Run the design without a mutant: every bench must pass; sets the bounds of clocks.

        Raises
        ------
        SimulationError
            If one does not.
        """
        for bench in self.design.benches:
            kept = self.kept / f"sound-{bench.digest[:12]}.json"
            if kept.exists():
                self._clocks[bench.digest] = json.loads(kept.read_text())
                continue
            self._simulate(bench, (), 0)
            kept.write_text(json.dumps(self._clocks[bench.digest]))

    def _known(self, number: int) -> dict:
        path = self.kept / f"{self.mutants[number - 1].name}.json"
        return json.loads(path.read_text()) if path.exists() else {}

    def _keep(self, number: int, bench: Bench, notice: Notice | None) -> None:
        mutant = self.mutants[number - 1]
        known = {"mutant": mutant.options, **self._known(number)}
        known[bench.digest] = notice and asdict(notice)
        path = self.kept / f"{mutant.name}.json"
        part = path.with_suffix(".part")
        part.write_text(json.dumps(known, indent=1))
        part.replace(path)

    def fate(self, number: int) -> Fate | None:
        """Return what is known to have become of mutant `number`; None if benches are due."""
        known = self._known(number)
        for bench in self.design.benches:
            if bench.digest not in known:
                return None
            if known[bench.digest] is not None:
                notice = Notice(**known[bench.digest])
                return Fate(self.mutants[number - 1], bench.name, notice)
        return Fate(self.mutants[number - 1], None, None)

    def run(self, jobs: int, tell: Callable[[Fate], None]) -> list[Fate]:
        """Return every mutant's fate; `tell` is called with each as it is known."""
        numbers = range(1, 1 + len(self.mutants))
        workers: queue.SimpleQueue[int] = queue.SimpleQueue()
        for worker in range(jobs):
            workers.put(worker)

        def batch(bench: Bench, some: Sequence[int]) -> None:
            worker = workers.get()
            try:
                noticed = self._simulate(bench, some, worker)
            finally:
                workers.put(worker)
            for number, notice in zip(some, noticed, strict=True):
                self._keep(number, bench, notice)
                fate = self.fate(number)
                if fate is not None:
                    tell(fate)

        with self._simulator.active(), ThreadPoolExecutor(jobs) as pool:
            self.check_sound()
            for bench in self.design.benches:
                due = [
                    number
                    for number in numbers
                    if self.fate(number) is None and bench.digest not in self._known(number)
                ]
                batches = [due[at : at + _BATCH] for at in range(0, len(due), _BATCH)]
                list(pool.map(batch, [bench] * len(batches), batches))
        return [self.fate(number) for number in numbers]
