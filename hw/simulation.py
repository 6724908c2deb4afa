"""Simulation of a generated engine, held against the golden model beat by beat."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from darb.golden.baselines.model import Transfers
from darb.golden.engine_model import EngineModel
from darb.golden.fixed_point import check_vectors
from darb.golden.image import Image
from darb.golden.image_file import read_image, read_vectors
from darb.golden.register_map import Storage, constant_registers
from darb.golden.timeline import Timeline, schedule, timeline
from darb.hw.bench_job import Disturbance
from darb.hw.cocotb_runner import SimulationError, build, run_bench
from darb.hw.flow.netlist_simulation import NETLISTS, synthesise_engine
from darb.hw.flow.tools import find_tool
from darb.hw.simulators import Simulator, find_simulator
from darb.hw.stimulus import from_words
from darb.hw.verilog import VERILOG, generate


@dataclass(frozen=True, eq=False)
class SimulationResult:
    """What the simulated engine did, and what it should have done.

    Parameters
    ----------
    outputs, expected : ndarray of int64, shape (B, words)
        Of the engine and of the golden model.
    mismatches : int
        Vectors with any wrong word, any misplaced `last`, and words that came although none was
        due.
    cycles : ndarray of int64, shape (B,)
        Clocks from each vector's first input beat to its last output word, both counted.
    cycle_mismatches : int
        Vectors with a beat on either stream in another clock than predicted, and registers of the
        engine that differ from the prediction.
    latency : int
        Clocks from the first vector's first beat to its last word.
    interval : int
        Clocks between the last words of the last two vectors; `latency` if there is one.
    registers : dict of str to int
        The engine's registers at the end.
    seconds : dict of str to float
        ``build`` and ``run``.
    simulator : str
        Name and version.
    waves : Path, optional
        The recorded waveform.
    """

    outputs: NDArray[np.int64]
    expected: NDArray[np.int64]
    mismatches: int
    cycles: NDArray[np.int64]
    cycle_mismatches: int
    latency: int
    interval: int
    registers: dict[str, int]
    seconds: dict[str, float] = field(default_factory=dict)
    simulator: str = ""
    waves: Path | None = None

    @property
    def exact(self) -> bool:
        """Whether every word and every clock is as predicted."""
        return not self.mismatches and not self.cycle_mismatches


def compare(
    image: Image,
    seen: dict[str, NDArray],
    vectors: NDArray[np.int64],
    storage: Storage = Storage.ROM,
) -> SimulationResult:
    """Hold what the bench saw against the golden model.

    Parameters
    ----------
    image : Image
    seen : dict of str to ndarray
        From `cocotb_runner.run_bench`.
    vectors : ndarray of int64, shape (B, N)
        What it was given.
    storage : Storage
        Of the engine.
    """
    model = EngineModel(image)
    plan = schedule(image, model.layers)
    count = len(vectors)
    predicted = timeline(plan, image, count, valid=seen["valid"], ready=seen["ready"])
    result = compare_streams(
        seen, from_words(image, seen["output_words"]), model.run(vectors), predicted
    )
    wrong = _wrong_registers(result.registers, predicted, image, storage)
    return replace(result, cycle_mismatches=result.cycle_mismatches + wrong)


def compare_streams(
    seen: dict[str, NDArray],
    outputs: NDArray[np.int64],
    expected: NDArray[np.int64],
    predicted: Timeline | Transfers,
) -> SimulationResult:
    """Hold words and clocks of both streams against a golden model's.

    Parameters
    ----------
    seen : dict of str to ndarray
        From `cocotb_runner.run_jobs`.
    outputs : ndarray of int64, shape (B * words,)
        The integers that its output words stand for.
    expected : ndarray of int64, shape (B, words)
    predicted : Timeline or Transfers
    """
    count = len(expected)
    outputs = outputs.reshape(expected.shape)
    last = seen["output_last"].reshape(expected.shape).astype(bool)
    good_last = last[:, -1] & ~last[:, :-1].any(axis=1)
    inputs = seen["input_clocks"].reshape(predicted.inputs.shape)
    output_clocks = seen["output_clocks"].reshape(expected.shape)
    wrong_clock = (inputs != predicted.inputs).any(axis=1)
    wrong_clock |= (output_clocks != predicted.outputs).any(axis=1)
    wrong_word = (outputs != expected).any(axis=1) | ~good_last
    ends = output_clocks[:, -1]
    cycles = ends - inputs[:, 0] + 1
    return SimulationResult(
        outputs=outputs,
        expected=expected,
        mismatches=int(wrong_word.sum()) + int(seen["extra"]),
        cycles=cycles,
        cycle_mismatches=int(wrong_clock.sum()),
        latency=int(cycles[0]),
        interval=int(ends[-1] - ends[-2]) if count > 1 else int(cycles[0]),
        registers=json.loads(str(seen["registers"])),
    )


def _wrong_registers(
    registers: dict[str, int], predicted: Timeline, image: Image, storage: Storage
) -> int:
    """Return how many registers differ from what the engine, image and run make them."""
    digest = int(image.digest, 16)
    should = {
        **constant_registers(image.config, storage),
        "input_beats": predicted.inputs.shape[1],
        "outputs": image.layers[-1].rows,
        "vectors": len(predicted.starts),
        "cycles": int(predicted.busy.sum()),
        "stalls": int(predicted.stalls.sum()),
        "errors": 0,
        **{f"digest_{n}": digest >> 32 * n & 0xFFFFFFFF for n in range(3)},
    }
    return sum(registers[name] != value & 0xFFFFFFFF for name, value in should.items())


def simulate(
    image_directory: str | Path,
    *,
    simulator: str = "verilator",
    vectors: NDArray[np.integer] | None = None,
    storage: Storage = Storage.ROM,
    netlist: str | None = None,
    build_dir: str | Path | None = None,
    waves: bool = False,
    disturbance: Disturbance | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> SimulationResult:
    """Generate, compile and run an image's engine; compare every word and every clock.

    Parameters
    ----------
    image_directory : path
        Of `darb.golden.write_image`.
    simulator : str
        ``verilator`` or ``icarus``.
    vectors : ndarray of int, shape (B, N), optional
        Inputs in the network's own column order; by default the image's own.
    storage : Storage
        With `ram` the image is loaded over AXI4-Lite before the vectors are sent.
    netlist : str, optional
        Of `NETLISTS`: synthesise for this family and simulate the netlist of its cells, on Icarus;
        by default the generated Verilog is simulated.
    build_dir : path, optional
        Kept with Verilog, logs and waves; by default a temporary one, removed at the end unless the
        simulator fails.
    waves : bool
        Record every signal (large and slow); needs `build_dir`.
    disturbance : Disturbance, optional
        By default none: vectors back to back, the sink always ready.
    progress : callable, optional
        Called with vectors done and vectors in all.

    Raises
    ------
    ImageError
        If the image is damaged.
    ToolMissingError
        If the simulator is not here, or yosys for a netlist.
    SimulationError
        If it fails.
    BuildError
        If synthesis fails.
    TypeError, ValueError
        If the vectors do not fit the network, `storage` is no `Storage`, or there is no such
        netlist or none for the simulator.
    """
    _check_netlist(netlist, simulator)
    tool = find_simulator(simulator)
    if waves and build_dir is None:
        raise ValueError("waves need a build_dir to stay in, not None")
    image = read_image(image_directory)
    if vectors is None:
        vectors = read_vectors(image_directory)["inputs"]
    vectors = check_vectors(vectors, image.layers[0].columns, image.config.activation_bits)
    if not len(vectors):
        raise ValueError("vectors must hold at least one vector, not 0")
    temporary = tempfile.mkdtemp(prefix="darb-") if build_dir is None else None
    directory = Path(os.path.abspath(build_dir or Path(temporary) / "build"))
    try:
        generate(image_directory, directory, storage=storage)
        began = time.perf_counter()
        verilog = (VERILOG,) if netlist is None else synthesise_engine(directory, storage)
        build(directory, tool, waves=waves, verilog=verilog)
        built = time.perf_counter()
        seen = run_bench(
            directory,
            tool,
            image,
            vectors,
            disturbance=disturbance or Disturbance(),
            storage=storage,
            waves=waves,
            progress=progress,
        )
        seconds = {"build": built - began, "run": time.perf_counter() - built}
        recorded = _waves_file(directory, tool) if waves else None
        result = compare(image, seen, vectors, storage)
        version = tool.version if netlist is None else f"{tool.version}, {netlist} netlist"
        return replace(result, seconds=seconds, simulator=version, waves=recorded)
    except SimulationError:
        temporary = None
        raise
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def _check_netlist(netlist: str | None, simulator: str) -> None:
    if netlist is None:
        return
    if netlist not in NETLISTS:
        raise ValueError(f"netlist must be one of {', '.join(NETLISTS)}, not {netlist!r}")
    # The cells' models say X where a value is not defined, which Verilator does not know.
    if simulator != "icarus":
        raise ValueError(f"a netlist must be simulated on icarus, not {simulator!r}")
    find_tool("yosys")


def _waves_file(directory: Path, tool: Simulator) -> Path:
    return directory / ("dump.vcd" if tool.name == "verilator" else "dump.fst")
