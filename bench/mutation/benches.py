"""The cocotb benches of the suite, and what each notices of a mutant."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from cocotb_tools.check_results import get_results
from mutant_build import BOUND_REACHED
from numpy.typing import NDArray

from darb.golden import Image, OutputMode, Storage, loading_writes, schedule
from darb.golden.bitfields import to_hex
from darb.golden.memory_map import MEMORIES, depth_field, memory_shapes
from darb.hw import Disturbance
from darb.hw.bench_job import JOB_VARIABLE, image_job
from darb.hw.cocotb_runner import BENCH
from darb.hw.simulation import compare
from darb.hw.stimulus import to_beats

ROOT = Path(__file__).resolve().parents[2]
TESTS = ROOT / "tests"
if str(TESTS) not in sys.path:
    # cocotb's simulators find their benches where this Python does.
    sys.path.append(str(TESTS))


_NO_MOVE = "no beat moved"


@dataclass(frozen=True)
class Notice:
    """That a bench noticed something.

    Parameters
    ----------
    kind : str
        ``hang`` where a bound of clocks was reached, ``difference`` otherwise.
    message : str
    """

    kind: str
    message: str


@dataclass(frozen=True)
class Bench:
    """A bench and what it is given.

    Parameters
    ----------
    module : str
        The cocotb bench.
    variable : str
        Names the file with its job.
    prepare : callable
        Writes the job's files to a directory and returns the job.
    judge : callable
        Returns what is wrong with what the bench left in a directory, None if nothing is.
    digest : str
        Of the bench's sources and of everything that it is given.
    files : dict of str to bytes
        What the Verilog reads at run time.
    """

    module: str
    variable: str
    prepare: Callable[[Path], object]
    judge: Callable[[Path], str | None]
    digest: str
    files: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What docs/results/trust.md calls it."""
        return self.module.rpartition(".")[2]

    def ready(self, directory: Path) -> dict[str, str]:
        """Write the job to `directory`; returns the variables that the bench needs."""
        (directory / "results.xml").unlink(missing_ok=True)
        for name, content in self.files.items():
            (directory / name).write_bytes(content)
        path = directory / "job.json"
        path.write_text(json.dumps(self.prepare(directory)))
        return {self.variable: str(path)}

    def notices(self, directory: Path) -> Notice | None:
        """Return what the bench noticed in its run in `directory`."""
        log = directory / "run.log"
        said = log.read_text(errors="replace") if log.is_file() else ""
        if BOUND_REACHED in said:
            return Notice("hang", BOUND_REACHED)
        complaint = re.search(r"^.*\b(\w*Error: .*)$", said, re.M)
        told = complaint[1].strip() if complaint else "the simulator stopped"
        results = directory / "results.xml"
        # A simulation that is cut short leaves none, or an unfinished one.
        if not results.is_file() or not results.stat().st_size:
            return Notice("hang", told)
        if any(get_results(results)[1:]) or not get_results(results)[0]:
            return Notice("hang" if _NO_MOVE in told else "difference", told)
        wrong = self.judge(directory)
        return None if wrong is None else Notice("difference", wrong)


def simulated_clocks(directory: Path, period: float = 10.0) -> int:
    """Return how many clocks the last simulation in a directory took."""
    told = ElementTree.parse(directory / "results.xml").iter("property")
    ends = [float(item.get("value")) for item in told if item.get("name") == "sim_time_stop"]
    return round(max(ends) / period)


def _digest(sources: Sequence[str], *given: object) -> str:
    told = hashlib.sha256()
    for path in sources:
        told.update((ROOT / path).read_bytes())
    for item in given:
        told.update(item.tobytes() if isinstance(item, np.ndarray) else repr(item).encode())
    return told.hexdigest()


def image_files(image: Image) -> dict[str, bytes]:
    """Return the files of an image's memories, as generated Verilog reads them."""
    shapes = memory_shapes(image.config)
    return {f"{name}.mem": to_hex(words, shapes[name][1]) for name, words in image.memories.items()}


def stream_bench(
    runs: Sequence[tuple[Image, NDArray[np.int64], Disturbance]], storage: Storage
) -> Bench:
    """Return the bench of `darb.hw.simulate`: every word, every clock and every register."""

    def prepare(directory: Path) -> list[dict]:
        jobs, done = [], 0
        for number, (image, vectors, disturbance) in enumerate(runs):
            job = image_job(directory, number, image, vectors, storage, disturbance)
            jobs.append({**job, "done": done})
            done += job["vectors"]
        return jobs

    def judge(directory: Path) -> str | None:
        for number, (image, vectors, _) in enumerate(runs):
            with np.load(directory / f"observations_{number}.npz") as archive:
                saw = dict(archive)
            try:
                result = compare(image, saw, vectors, storage)
            except (ValueError, IndexError) as error:
                # The clocks are none that the cycle model can be held against.
                return f"run {number}: {error}"
            if not result.exact:
                return (
                    f"run {number}: {result.mismatches} vectors and "
                    f"{result.cycle_mismatches} clocks or registers differ"
                )
        return None

    given = [(image.digest, vectors.tobytes(), disturbance) for image, vectors, disturbance in runs]
    sources = [
        f"hw/{name}.py"
        for name in ("cocotb_bench", "stream_bench", "register_access", "simulation")
    ]
    files = image_files(runs[0][0]) if storage is Storage.ROM else {}
    return Bench(BENCH, JOB_VARIABLE, prepare, judge, _digest(sources, storage, given), files)


def _job_bench(
    name: str,
    variable: str,
    sources: Sequence[str],
    job: dict,
    files: Mapping[str, bytes] | None = None,
    **arrays,
) -> Bench:
    """Return a bench that reads a job, and arrays from the files that it names."""

    def prepare(directory: Path) -> dict:
        placed = dict(job)
        for key, archives in arrays.items():
            paths = [directory / f"{key}_{number}.npz" for number in range(len(archives))]
            for path, archive in zip(paths, archives, strict=True):
                np.savez(path, **archive)
            names = [str(path) for path in paths]
            placed[key] = names if isinstance(job[key], list) else names[0]
        return placed

    given = [
        (key, name, array.tobytes())
        for key, archives in arrays.items()
        for archive in archives
        for name, array in archive.items()
    ]
    digest = _digest([f"tests/{name}.py", *sources], job, given)
    return Bench(name, variable, prepare, lambda directory: None, digest, files or {})


def _words(image: Image, outputs: NDArray[np.int64]) -> NDArray[np.integer]:
    """Return outputs of the type in which the engine's stream carries them."""
    mode = image.config.output_mode
    return outputs.astype("<u2" if mode is OutputMode.ARGMAX else f"<i{image.config.output_bytes}")


def cocotbext_bench(
    image: Image, vectors: NDArray[np.int64], expected: NDArray[np.int64], seed: int
) -> Bench:
    """Return the bench of drivers that are not ours, broken packets among whole ones."""
    packets = to_beats(image, vectors).reshape(len(vectors), -1, image.config.lanes)
    job = {
        "vectors": "",
        "digest": image.digest,
        "seed": seed,
        "tail": 3 * schedule(image).cycles,
    }
    archive = {"packets": packets, "expected": _words(image, expected)}
    files = image_files(image)
    return _job_bench("cocotbext_bench", "COCOTBEXT_JOB", (), job, files, vectors=[archive])


def loading_bench(
    images: Sequence[tuple[Image, NDArray[np.int64], NDArray[np.int64]]],
    halts: Sequence[tuple[int, bool]],
) -> Bench:
    """Return the bench that loads images in turn, each in the middle of the other's vectors."""
    archives = [
        {
            "writes": loading_writes(image),
            "packets": to_beats(image, vectors).reshape(len(vectors), -1, image.config.lanes),
            "expected": _words(image, expected),
        }
        for image, vectors, expected in images
    ]
    first = images[0][0]
    job = {
        "images": [],
        "depths": [getattr(first.config, depth_field(memory)) for memory in MEMORIES],
        "halts": list(halts),
        "tail": 3 * schedule(first).cycles,
    }
    name = "cocotbext_loading_bench"
    return _job_bench(name, "LOADING_JOB", ["tests/cocotbext_bench.py"], job, images=archives)


def registers_bench(job: dict, image: Image | None = None) -> Bench:
    """Return the bench of every register's address; storage `ram` is without an image."""
    files = {} if image is None else image_files(image)
    sources = ["tests/cocotbext_bench.py"]
    return _job_bench("cocotbext_registers_bench", "REGISTERS_JOB", sources, job, files)


def frames_bench(job: dict) -> Bench:
    """Return the bench of a board's serial line and LEDs."""
    return _job_bench("board_frames_bench", "FRAMES_JOB", (), job)
