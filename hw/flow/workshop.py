"""A directory where the tools of a build work, one step after another."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

from darb.hw.flow.step import BuildError, Step
from darb.hw.flow.tools import find_tool

Progress = Callable[[str, int, int, str], None]


class Workshop:
    """A directory where tools work.

    Parameters
    ----------
    directory : Path
    progress : callable
        Called with the step, what is done of it, the total, and the phase inside it.
    weights_only : bool
        Refuse slow steps that are not in the cache.

    Attributes
    ----------
    tools : dict of str to str
        Versions of those that have worked here.
    seconds : dict of str to float
        How long each step took, zero where it came out of the cache.
    """

    def __init__(self, directory: Path, progress: Progress, weights_only: bool) -> None:
        self.directory = directory
        self.tools: dict[str, str] = {}
        self.seconds: dict[str, float] = {}
        self._progress = progress
        self.weights_only = weights_only

    def run(self, steps: tuple[Step, ...], *, slow: bool = False) -> None:
        """Run steps; `slow` ones are refused where only the weights may change."""
        for step in steps:
            if slow and self.weights_only and not step.is_cached(self.directory):
                raise BuildError(
                    "--weights-only exchanges the weights of a placed design, but none of this "
                    "config, board, clock, seed and tools is at hand: build once without it"
                )
            self._progress(step.name, 0, 1, "")
            start = time.perf_counter()
            cached = step.run(
                self.directory,
                heard=lambda phase, step=step: self._progress(step.name, 0, 1, phase),
            )
            self.seconds[step.name] = 0.0 if cached else time.perf_counter() - start
            self.tools[step.tool] = find_tool(step.tool).version
            self._progress(step.name, 1, 1, "from the cache" if cached else "")

    def read_json(self, name: str) -> dict:
        """Return what a tool wrote."""
        return json.loads((self.directory / name).read_text())
