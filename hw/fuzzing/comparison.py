"""A case in every simulator, held against the golden model, and that against plain arithmetic."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from darb.golden.bitfields import to_hex
from darb.golden.config import OutputMode
from darb.golden.engine_model import EngineModel
from darb.golden.memory_check import memory_crcs
from darb.golden.memory_map import memory_shapes
from darb.golden.network import IntegerNetwork
from darb.golden.reference import reference
from darb.golden.register_map import Storage
from darb.hw.amaranth_simulation import run_in_amaranth
from darb.hw.cocotb_runner import SimulationError, build, run_images
from darb.hw.fuzzing.case import FuzzCase
from darb.hw.simulation import compare
from darb.hw.simulators import SIMULATORS, Simulator, find_simulator
from darb.hw.verilog import VERILOG, generate_verilog

AMARANTH = "amaranth"
GOLDEN = "golden"
ARITHMETIC = "arithmetic"
"""The party that is no simulator: dense matrix products, requantised in Python integers."""
PARTIES = (AMARANTH, *SIMULATORS)
"""Simulators that a case can be run in."""

Tools = Mapping[str, Simulator | None]
"""Simulators by name; Amaranth's needs nothing."""
SIMULATOR_SECONDS = 600.0
"""After which a simulator is killed; a case takes seconds."""
_DIFFERENCES = ("outputs", "clocks", "memories")
_VARYING = re.compile(r"0x[0-9a-f]+|\b[01xzXZ]+\b|-?\d+")


class FuzzingError(RuntimeError):
    """The fuzzer could not go on; says why."""


@dataclass(frozen=True)
class Mismatch:
    """Where a party differs from the golden model.

    Parameters
    ----------
    party : str
        One of `PARTIES`, `ARITHMETIC`, or `GOLDEN` itself where it fails.
    kind : str
        ``outputs``, ``clocks`` (or registers), ``memories``, or the kind of exception that it
        fails with.
    detail : str
        For a person: in which run, how many vectors, what the simulator said. No path of a
        directory that is gone later.
    """

    party: str
    kind: str
    detail: str

    def is_like(self, other: Mismatch) -> bool:
        """Return whether the same party differs in the same way, or says the same but numbers."""
        return self._likeness() == other._likeness()

    def _likeness(self) -> tuple[str, str, str]:
        said = "" if self.kind in _DIFFERENCES else _VARYING.sub("N", self.detail)
        return self.party, self.kind, said

    def __str__(self) -> str:
        if self.kind in _DIFFERENCES:
            return f"{self.party} and {GOLDEN} differ in {self.kind}: {self.detail}"
        return f"{self.party} fails: {self.kind}: {self.detail}"


@dataclass
class Verdict:
    """What became of a case.

    Parameters
    ----------
    mismatches : list of Mismatch
    vectors : int
        Compared in each simulator.
    clocks : dict of str to int
        From each run's first clock to its last result, by simulator.
    """

    mismatches: list[Mismatch] = field(default_factory=list)
    vectors: int = 0
    clocks: dict[str, int] = field(default_factory=dict)


def find_tools(parties: tuple[str, ...]) -> dict[str, Simulator | None]:
    """Return the simulators of these names.

    Raises
    ------
    ValueError
        If there is no party, or no such one.
    ToolMissingError
        If one is not here; says what to install.
    """
    for party in parties or ("",):
        if party not in PARTIES:
            raise ValueError(f"simulators must be of {', '.join(PARTIES)}, not {party!r}")
    return {party: None if party == AMARANTH else find_simulator(party) for party in parties}


def plain_outputs(
    network: IntegerNetwork, vectors: NDArray[np.int64], mode: OutputMode
) -> NDArray[np.int64]:
    """Return what an engine must send, by dense matrix products."""
    outputs = reference(network, vectors, raw=mode is not OutputMode.ACTIVATIONS)
    if mode is OutputMode.ARGMAX:
        return np.array([[row.index(max(row))] for row in outputs.tolist()], dtype=np.int64)
    return outputs


def check_case(case: FuzzCase, tools: Tools, scratch: Path | None = None) -> Verdict:
    """Run a case and compare everything, bit for bit and clock for clock.

    Parameters
    ----------
    case : FuzzCase
    tools : dict of str to Simulator or None
        Of `find_tools`; without any the golden model is held against plain arithmetic alone.
    scratch : Path, optional
        A directory to work in; by default the system's for temporary files.

    Raises
    ------
    FuzzingError
        If memory or a file fails, which says nothing of the case.
    """
    verdict = Verdict(vectors=sum(len(run.vectors) for run in case.runs))
    with _failures(verdict, GOLDEN):
        _check_arithmetic(case, verdict)
    if any(mismatch.party == GOLDEN for mismatch in verdict.mismatches):
        return verdict
    directory = Path(tempfile.mkdtemp(prefix="darb-fuzz-", dir=scratch))
    try:
        verilog = None
        for party, tool in tools.items():
            verdict.clocks[party] = 0
            with _failures(verdict, party, directory / party):
                if tool is None:
                    simulate = _in_amaranth(case, directory / party)
                else:
                    verilog = verilog or generate_verilog(
                        case.config, case.storage, memory_check=case.memory_check
                    )
                    simulate = _in_verilog(case, directory / party, tool, verilog)
                _check_simulator(case, verdict, party, simulate)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    return verdict


@contextmanager
def _failures(verdict: Verdict, party: str, directory: Path | None = None) -> Iterator[None]:
    """Note an exception: whatever is drawn is valid, so any is a finding but those of the machine.

    `directory` is the party's own; its path is left out.
    """
    try:
        yield
    except Exception as error:
        for cause in (error, error.__cause__):
            if isinstance(cause, OSError | MemoryError):
                reason = f"{type(cause).__name__}: {cause}"
                raise FuzzingError(f"the fuzzer could not go on: {party}: {reason}") from error
        detail = " ".join(
            (error.reason if isinstance(error, SimulationError) else str(error)).split()
        )
        if directory is not None:
            detail = detail.replace(f"{directory}/", "")
        verdict.mismatches.append(Mismatch(party, type(error).__name__, detail))


def _check_arithmetic(case: FuzzCase, verdict: Verdict) -> None:
    for number, run in enumerate(case.runs):
        got = EngineModel(case.images[run.network]).run(run.vectors)
        mode = case.config.output_mode
        expected = plain_outputs(case.networks[run.network], run.vectors, mode)
        wrong = int((got != expected).any(axis=1).sum())
        if wrong:
            detail = f"run {number}, {wrong} of {len(got)} vectors"
            verdict.mismatches.append(Mismatch(ARITHMETIC, "outputs", detail))


Simulate = Callable[[list[int]], list[dict[str, NDArray]]]
"""Runs a session, the runs of these numbers; returns what the bench saw of each."""


def _in_amaranth(case: FuzzCase, directory: Path) -> Simulate:
    directory.mkdir()
    return lambda numbers: run_in_amaranth(
        directory, case.session_runs(numbers), storage=case.storage, memory_check=case.memory_check
    )


def _in_verilog(case: FuzzCase, directory: Path, tool: Simulator, verilog: str) -> Simulate:
    directory.mkdir()
    (directory / VERILOG).write_text(verilog)
    built = False

    def simulate(numbers: list[int]) -> list[dict[str, NDArray]]:
        nonlocal built
        if case.storage is Storage.ROM:
            image = case.images[case.runs[numbers[0]].network]
            for name, (_, width) in memory_shapes(case.config).items():
                (directory / f"{name}.mem").write_bytes(to_hex(image.memories[name], width))
        if not built:
            build(directory, tool)
            built = True
        return run_images(
            directory,
            tool,
            case.session_runs(numbers),
            storage=case.storage,
            memory_check=case.memory_check,
            seconds=SIMULATOR_SECONDS,
        )

    return simulate


def _check_simulator(case: FuzzCase, verdict: Verdict, party: str, simulate: Simulate) -> None:
    for numbers in case.sessions():
        seen = simulate(numbers)
        for number, saw in zip(numbers, seen, strict=True):
            run = case.runs[number]
            result = compare(case.images[run.network], saw, run.vectors, case.storage)
            verdict.clocks[party] += int(saw["output_clocks"].max()) + 1
            counts = {"outputs": result.mismatches, "clocks": result.cycle_mismatches}
            for kind, count in counts.items():
                if count:
                    detail = f"run {number}, {count} in {len(run.vectors)} vectors"
                    verdict.mismatches.append(Mismatch(party, kind, detail))
            found, crcs = json.loads(str(saw["crcs"])), memory_crcs(case.images[run.network])
            if case.memory_check and found != crcs:
                wrong = [name for name in crcs if found[name] != crcs[name]]
                detail = f"run {number}, CRC of {', '.join(wrong)}"
                verdict.mismatches.append(Mismatch(party, "memories", detail))
