"""Compiles generated Verilog for cocotb and runs the bench on it."""

from __future__ import annotations

import json
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from darb.golden.image import Image
from darb.golden.register_map import Storage
from darb.hw.bench_job import JOB_VARIABLE, Disturbance, image_job, read_observations
from darb.hw.simulators import COMPILE_ARGUMENTS, Simulator
from darb.hw.verilog import TOP, VERILOG

BENCH = "darb.hw.cocotb_bench"
_POLL_SECONDS = 0.2
_WITH_ALARM = """
import os, signal, sys
signal.signal(signal.SIGALRM, signal.SIG_DFL)
signal.setitimer(signal.ITIMER_REAL, float(sys.argv[1]))
os.execvp(sys.argv[2], sys.argv[2:])
"""


class SimulationError(RuntimeError):
    """The simulator failed; names its log.

    Parameters
    ----------
    reason : str
        What went wrong.
    log : Path, optional
        Where the simulator says more.
    """

    def __init__(self, reason: str, log: Path | None = None) -> None:
        super().__init__(reason if log is None else f"{reason}; see {log}")
        self.reason = reason


def _runner(simulator: Simulator):
    from cocotb_tools.runner import get_runner

    return get_runner(simulator.name)


def _complaint(log: Path) -> str:
    """Return the line of a log that most likely says what went wrong."""
    lines = log.read_text(errors="replace").split("\n") if log.is_file() else []
    telling = [line for line in lines if re.search(r"\berror\b|AssertionError", line, re.I)]
    said = [line for line in lines if line.strip()]
    return (telling or said or ["it said nothing"])[-1 if not telling else 0].strip()


def _place(name: str, directory: Path) -> Path:
    """Copy a file of this package to where the simulator reads it."""
    placed = directory / name
    placed.write_text(resources.files("darb.hw").joinpath(name).read_text())
    return placed


def build(
    directory: Path,
    simulator: Simulator,
    *,
    waves: bool = False,
    verilog: Sequence[str] = (VERILOG,),
) -> None:
    """Compile the Verilog in `directory` for cocotb.

    Parameters
    ----------
    directory : Path
    simulator : Simulator
    waves : bool
        Let the simulation record every signal.
    verilog : sequence of str
        Names of the files that define the top, `darb_engine`: as generated, or as a netlist.

    Raises
    ------
    SimulationError
        If the compiler refuses it.
    """
    sources, arguments = [directory / name for name in verilog], COMPILE_ARGUMENTS[simulator.name]
    if simulator.name == "verilator":
        # Seen from sim_build: the C++ names its sources, and shall be the same in every directory.
        placed = _place("verilator.vlt", directory)
        arguments = [*arguments, *(f"../{path.name}" for path in (placed, *sources))]
        sources = []
    elif waves:
        # cocotb's own recorder for Icarus is SystemVerilog.
        sources.append(_place("icarus_waves.v", directory))
        arguments = [*arguments, "-s", "icarus_waves"]
    log = directory / "build.log"
    with simulator.active():
        try:
            _runner(simulator).build(
                sources=sources,
                hdl_toplevel=TOP,
                build_dir=directory / "sim_build",
                build_args=arguments,
                waves=waves and simulator.name == "verilator",
                always=True,
                timescale=("1ns", "1ps"),
                log_file=log,
            )
        except (SystemExit, RuntimeError, OSError) as error:
            reason = f"{simulator.name} cannot compile: {_complaint(log)}"
            raise SimulationError(reason, log) from error


def _limited(runner: object, seconds: float) -> None:
    """Let what `runner` starts be killed after so many seconds; Windows has no such clock."""
    if hasattr(signal, "SIGALRM"):
        # An alarm outlives exec, and kills a simulator that never comes back to Python.
        limit = [sys.executable, "-I", "-S", "-c", _WITH_ALARM, str(seconds)]
        commands = runner._test_command
        runner._test_command = lambda: [[*limit, *command] for command in commands()]


def run_cocotb(
    directory: Path,
    simulator: Simulator,
    *,
    module: str,
    environment: dict[str, str],
    waves: bool = False,
    seconds: float | None = None,
) -> None:
    """Run a cocotb test module on what `build` compiled, in `directory`, with its .mem files.

    Parameters
    ----------
    directory : Path
    simulator : Simulator
    module : str
        Importable name of the test module.
    environment : dict of str to str
        Variables that it finds.
    waves : bool
        Record every signal; `build` must have been told so too.
    seconds : float, optional
        After which the simulator is killed.

    Raises
    ------
    SimulationError
        If a test fails or the simulator stops, or does not in the seconds that it has.
    """
    from cocotb_tools.check_results import get_results

    results, log = directory / "results.xml", directory / "run.log"
    results.unlink(missing_ok=True)
    runner = _runner(simulator)
    if seconds is not None:
        _limited(runner, seconds)
    began = time.monotonic()
    try:
        runner.test(
            test_module=module,
            hdl_toplevel=TOP,
            hdl_toplevel_lang="verilog",
            build_dir=directory / "sim_build",
            test_dir=directory,
            results_xml=str(results),
            # pytest, which cocotb would rewrite assertions with, takes longer than a short run.
            extra_env={"COCOTB_REWRITE_ASSERTION_FILES": "", **environment},
            waves=waves,
            log_file=log,
        )
        tests, failures = get_results(results)
    except (SystemExit, RuntimeError, OSError) as error:
        reason = f"{simulator.name} stopped before the end: {_complaint(log)}"
        if seconds is not None and time.monotonic() - began >= seconds and not results.is_file():
            reason = f"{simulator.name} did not end in {seconds:g} s"
        raise SimulationError(reason, log) from error
    if failures or not tests:
        raise SimulationError(f"the bench failed: {_complaint(log)}", log)


def run_bench(
    directory: Path,
    simulator: Simulator,
    image: Image,
    vectors: NDArray[np.int64],
    *,
    disturbance: Disturbance,
    storage: Storage = Storage.ROM,
    waves: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, NDArray]:
    """Run the bench on what `build` compiled; returns what it saw.

    Raises
    ------
    SimulationError
        If the simulator stops before the bench ends.
    """
    (seen,) = run_images(
        directory,
        simulator,
        [(image, vectors, disturbance)],
        storage=storage,
        waves=waves,
        progress=progress,
    )
    return seen


def run_images(
    directory: Path,
    simulator: Simulator,
    runs: Sequence[tuple[Image, NDArray[np.int64], Disturbance]],
    *,
    storage: Storage,
    memory_check: bool = False,
    waves: bool = False,
    progress: Callable[[int, int], None] | None = None,
    seconds: float | None = None,
) -> list[dict[str, NDArray]]:
    """Run the bench on one image after another, in one simulation; returns what it saw of each.

    Parameters
    ----------
    directory : Path
        Of `build`.
    simulator : Simulator
    runs : sequence of (Image, ndarray of int64, Disturbance)
        With storage `ram` each image is loaded before its vectors, all have the engine's config;
        with `rom` all are the image whose memories stand in `directory`.
    storage : Storage
    memory_check : bool
        See `image_job`.
    waves, progress
        See `darb.hw.simulation.simulate`.
    seconds : float, optional
        See `run_cocotb`.

    Raises
    ------
    SimulationError
        If the simulator stops before the bench ends.
    """
    jobs = [
        image_job(
            directory, number, image, vectors, storage, disturbance, memory_check=memory_check
        )
        for number, (image, vectors, disturbance) in enumerate(runs)
    ]
    return run_jobs(directory, simulator, jobs, waves=waves, progress=progress, seconds=seconds)


def run_jobs(
    directory: Path,
    simulator: Simulator,
    jobs: Sequence[dict],
    *,
    waves: bool = False,
    progress: Callable[[int, int], None] | None = None,
    seconds: float | None = None,
) -> list[dict[str, NDArray]]:
    """Run the bench on one job after another, in one simulation; returns what it saw of each.

    Parameters
    ----------
    directory : Path
        Of `build`.
    simulator : Simulator
    jobs : sequence of dict
        Of `darb.hw.bench_job.stream_job`.
    waves, progress
        See `darb.hw.simulation.simulate`.
    seconds : float, optional
        See `run_cocotb`.

    Raises
    ------
    SimulationError
        If the simulator stops before the bench ends.
    """
    total = 0
    for job in jobs:
        job["done"] = total
        total += job["vectors"]
    (directory / "progress").write_text("0")
    (directory / "job.json").write_text(json.dumps(jobs))
    failure: list[SimulationError] = []

    def body() -> None:
        environment = {JOB_VARIABLE: str(directory / "job.json")}
        try:
            run_cocotb(
                directory,
                simulator,
                module=BENCH,
                environment=environment,
                waves=waves,
                seconds=seconds,
            )
        except SimulationError as error:
            failure.append(error)

    with simulator.active():
        thread = threading.Thread(target=body)
        thread.start()
        while thread.is_alive():
            thread.join(_POLL_SECONDS)
            if progress is not None:
                progress(int((directory / "progress").read_text() or 0), total)
    if failure:
        raise failure[0]
    return [read_observations(job) for job in jobs]
