"""Orders to the bench: what one run sends, and what both ends of the streams do meanwhile."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from darb.golden.image import Image
from darb.golden.loading import loading_writes
from darb.golden.memory_check import check_clocks, check_requests
from darb.golden.register_map import Storage
from darb.golden.timeline import schedule
from darb.hw.stimulus import to_beats

JOB_VARIABLE = "DARB_BENCH_JOB"
"""Names the file of orders to the bench in cocotb."""
_TAIL_CLOCKS = 64
_PATIENCE = 20
"""Vectors' worth of clocks without a transfer after which the bench gives the engine up."""


@dataclass(frozen=True)
class Disturbance:
    """What the two ends of the streams do to the engine.

    Parameters
    ----------
    idle : float
        Chance, each clock, that the source has no beat to offer; an offered beat stays.
    blocked : float
        Chance, each clock, that the sink takes nothing.
    reset_clock : int, optional
        Reset the engine in this clock and start again from the first vector; one of storage `ram`
        is halted and loaded again instead.
    seed : int
        Of the draws.
    burst : int
        Clocks that each draw holds for.

    Raises
    ------
    ValueError
        If a chance is not in 0..0.99, the clock is negative, or the burst is not in 1..1000.
    """

    idle: float = 0.0
    blocked: float = 0.0
    reset_clock: int | None = None
    seed: int = 0
    burst: int = 1

    def __post_init__(self) -> None:
        for name in ("idle", "blocked"):
            if not 0 <= getattr(self, name) <= 0.99:
                raise ValueError(f"{name} must be in 0..0.99, not {getattr(self, name)!r}")
        if self.reset_clock is not None and self.reset_clock < 0:
            raise ValueError(f"reset_clock must not be negative, not {self.reset_clock!r}")
        if not 1 <= self.burst <= 1000:
            raise ValueError(f"burst must be in 1..1000 clocks, not {self.burst!r}")

    @property
    def longest_rest(self) -> int:
        """Clocks that an end rests on end less often than once in 2**40 times."""
        rest = max(self.idle, self.blocked)
        return self.burst * math.ceil(-40 / math.log2(rest)) if rest else 0


def stream_job(
    directory: Path,
    number: int,
    stimulus: NDArray[np.uint8],
    *,
    beats: int,
    words: int,
    cycles: int,
    disturbance: Disturbance,
    registers: bool = True,
) -> dict:
    """Return a run's orders to the bench, what it reads written to `directory`.

    Parameters
    ----------
    directory : Path
    number : int
        Of the run in its simulation.
    stimulus : ndarray of uint8, shape (B * beats, bytes)
        What the input stream carries.
    beats, words : int
        Of one vector on the input and the output stream.
    cycles : int
        About what one vector takes in between.
    disturbance : Disturbance
    registers : bool
        Whether the top has AXI4-Lite registers.
    """
    job = {
        "stimulus": str(directory / f"stimulus_{number}.npy"),
        "load": None,
        "checks": {},
        "check_clocks": {},
        "observations": str(directory / f"observations_{number}.npz"),
        "progress": str(directory / "progress"),
        "beats": beats,
        "words": words,
        "idle": disturbance.idle,
        "blocked": disturbance.blocked,
        "reset_clock": disturbance.reset_clock,
        "seed": disturbance.seed,
        "burst": disturbance.burst,
        "patience": _PATIENCE * (cycles + beats + words) + 1000 + disturbance.longest_rest,
        "tail": cycles + words + _TAIL_CLOCKS,
        "registers": registers,
        "vectors": len(stimulus) // beats,
    }
    np.save(job["stimulus"], stimulus)
    Path(job["observations"]).unlink(missing_ok=True)
    return job


def image_job(
    directory: Path,
    number: int,
    image: Image,
    vectors: NDArray[np.int64],
    storage: Storage,
    disturbance: Disturbance,
    *,
    memory_check: bool = False,
) -> dict:
    """Return the orders of an image's run, what it reads written to `directory`.

    Parameters
    ----------
    directory : Path
    number : int
        Of the run in its simulation.
    image : Image
    vectors : ndarray of int64, shape (B, N)
    storage : Storage
        With `ram` the image is loaded first.
    disturbance : Disturbance
    memory_check : bool
        The engine can check its memories, and does so in the end.
    """
    plan = schedule(image)
    job = stream_job(
        directory,
        number,
        to_beats(image, vectors),
        beats=plan.input_beats,
        words=plan.output_beats,
        cycles=plan.cycles,
        disturbance=disturbance,
    )
    if storage is Storage.RAM:
        job["load"] = str(directory / f"load_{number}.npy")
        np.save(job["load"], loading_writes(image))
    if memory_check:
        job["checks"] = check_requests(image)
        job["check_clocks"] = check_clocks(image)
    return job


def read_observations(job: dict) -> dict[str, NDArray]:
    """Return what the bench saw in a run."""
    with np.load(job["observations"]) as archive:
        return dict(archive)
