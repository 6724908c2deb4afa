"""Verilog of a rival engine, and its simulation held against the golden model beat by beat."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from amaranth.lib import wiring
from numpy.typing import NDArray

from darb.golden.baselines.bsr import BsrConfig
from darb.golden.baselines.config import BaselineConfig
from darb.golden.baselines.csr import CsrConfig
from darb.golden.baselines.image import BaselineImage
from darb.golden.baselines.model import BaselineModel
from darb.golden.baselines.relative_csc import RelativeCscConfig
from darb.golden.fixed_point import check_vectors
from darb.golden.output_directory import replaced_directory
from darb.hw.baselines.block_row_engine import BsrEngine, CsrEngine
from darb.hw.baselines.relative_csc_engine import RelativeCscEngine
from darb.hw.baselines.stimulus import baseline_beats
from darb.hw.baselines.stream_top import StreamTop
from darb.hw.bench_job import Disturbance, stream_job
from darb.hw.cocotb_runner import build, run_jobs
from darb.hw.simulation import SimulationResult, compare_streams
from darb.hw.simulators import find_simulator
from darb.hw.stimulus import from_words
from darb.hw.verilog import ENGINE_FILES, TOP, VERILOG, component_verilog

ENGINES: dict[type[BaselineConfig], Callable[..., wiring.Component]] = {
    CsrConfig: CsrEngine,
    BsrConfig: BsrEngine,
    RelativeCscConfig: RelativeCscEngine,
}
"""The engine of each kind of config."""


def baseline_verilog(config: BaselineConfig) -> str:
    """Return the Verilog-2001 of a rival engine; the same config gives the same text.

    The module `darb_engine` reads a file ``<name>.mem`` for each of ``config.memory_shapes``.

    Raises
    ------
    TypeError
        If there is no engine for the config.
    """
    if type(config) not in ENGINES:
        kinds = ", ".join(kind.__name__ for kind in ENGINES)
        raise TypeError(f"config must be one of {kinds}, not {config!r}")
    engine = ENGINES[type(config)](config=config)
    return component_verilog(StreamTop(config=config.shared, engine=engine), TOP)


def generate_baseline(image: BaselineImage, output: str | Path) -> Path:
    """Write engine.v and the image's .mem files, all or none; returns `output`.

    Parameters
    ----------
    image : BaselineImage
    output : path
        New, empty, or an earlier output, which is replaced.

    Raises
    ------
    TypeError
        If there is no engine for the image's config.
    ValueError
        If `output` holds something else.
    """
    text, files = baseline_verilog(image.config), image.files()
    with replaced_directory(Path(output), VERILOG, (*ENGINE_FILES, "*.mem")) as fresh:
        (fresh / VERILOG).write_text(text)
        for name, content in files.items():
            (fresh / name).write_bytes(content)
    return Path(output)


def simulate_baseline(
    model: BaselineModel,
    vectors: NDArray[np.integer],
    build_dir: str | Path,
    *,
    simulator: str = "verilator",
    disturbances: tuple[Disturbance, ...] = (Disturbance(),),
) -> list[SimulationResult]:
    """Generate, compile and run a rival engine; compare every word and every clock.

    Parameters
    ----------
    model : BaselineModel
        Of the image that the engine is to hold.
    vectors : ndarray of int, shape (B, N)
    build_dir : path
        Kept, with Verilog and logs.
    simulator : str
        ``verilator`` or ``icarus``.
    disturbances : tuple of Disturbance
        One run each, on one build, a reset between them.

    Raises
    ------
    ToolMissingError
        If the simulator is not here.
    SimulationError
        If it fails.
    TypeError, ValueError
        If the vectors do not fit the layer.
    """
    config, tool = model.image.config, find_simulator(simulator)
    vectors = check_vectors(vectors, config.columns, config.activation_bits)
    if not len(vectors):
        raise ValueError("vectors must hold at least one vector, not 0")
    directory = generate_baseline(model.image, Path(build_dir).absolute())
    began = time.perf_counter()
    build(directory, tool)
    built = time.perf_counter()
    cycles = model.outcome().latency
    stimulus = baseline_beats(config, vectors)
    jobs = [
        stream_job(
            directory,
            number,
            stimulus,
            beats=config.input_beats,
            words=config.rows,
            cycles=cycles,
            disturbance=disturbance,
            registers=False,
        )
        for number, disturbance in enumerate(disturbances)
    ]
    runs = run_jobs(directory, tool, jobs)
    seconds = {"build": built - began, "run": time.perf_counter() - built}
    expected = model.run(vectors)
    results = []
    for seen in runs:
        predicted = model.timeline(vectors, valid=seen["valid"], ready=seen["ready"])
        outputs = from_words(model.image, seen["output_words"])
        result = compare_streams(seen, outputs, expected, predicted)
        results.append(replace(result, seconds=seconds, simulator=tool.version))
    return results
