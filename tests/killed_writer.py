"""A process that writes an output over an earlier one again and again, each time killed elsewhere.

Run as a script with a directory, what to write, and whether directories can be exchanged; prints
how many moments there were and what stood at the output's path after each.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
from forging import write_packed
from random_networks import random_network

from darb.golden import output_directory

# Where a moment is every line, beside every call of the file system wherever it comes from.
_LINES = ("output_directory.py", "scratch_directory.py")
_CALLS = ("open", "os.", "shutil.", "tempfile.")
_WRITES = ("write_bytes", "write_text")
# These only look, at every file and every pattern.
_LOOKS = ("_is_known", "_first_foreign", "_check_replaceable")


def _kill_at(moment: int) -> None:
    """Let this process kill itself at a line or call, the `moment`-th from its first change on."""
    left = moment

    def pass_by() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def audit(event: str, arguments: tuple) -> None:
        if event.startswith(_CALLS):
            pass_by()

    def trace(frame: object, event: str, argument: object) -> object:
        code = frame.f_code
        if code.co_name in _LOOKS:
            return None
        if not code.co_filename.endswith(_LINES) and code.co_name not in _WRITES:
            return None
        if event == "line":
            pass_by()
        return trace

    take_up = output_directory.take_up

    def begin(target: Path) -> None:
        output_directory.take_up = take_up
        sys.addaudithook(audit)
        sys.settrace(trace)
        sys._getframe(1).f_trace = trace
        take_up(target)

    output_directory.take_up = begin


def _in_a_child(action: Callable[[], object], moment: int = 0) -> bool:
    """Run `action` in a child; return whether it came to its end."""
    child = os.fork()
    if child == 0:
        if moment:
            _kill_at(moment)
        try:
            action()
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
        # Nothing of what follows is the action's.
        os.kill(os.getpid(), signal.SIGTERM)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), "the writer failed"
    return os.WTERMSIG(status) == signal.SIGTERM


def _contents(directory: Path) -> dict[str, bytes] | None:
    """Return every file of a directory, None if there is none."""
    if not directory.is_dir():
        return None
    paths = [path for path in directory.rglob("*") if path.is_file()]
    return {str(path.relative_to(directory)): path.read_bytes() for path in paths}


def _write_image(directory: Path, seed: int) -> None:
    network = random_network(np.random.default_rng(seed), [3, 2], ks=(1,), weight_bits=2)
    vectors = {"inputs": np.full((1, 3), seed)}
    write_packed(network, directory, lanes=1, rows=1, vectors=vectors, formats=("coe",))


def _write_engine(directory: Path, seed: int) -> None:
    """`darb generate`, but for the seconds of making the Verilog."""
    from darb.hw import verilog

    verilog.generate_verilog = lambda config, storage, **options: f"// engine {seed}\n"
    verilog.generate(directory.parent / f"image{seed}", directory)


class _Report:
    """Stands in for a build's report."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def to_dict(self) -> dict:
        return {"seed": self.seed}

    def to_markdown(self) -> str:
        return f"seed {self.seed}\n"


def _write_build(directory: Path, seed: int) -> None:
    """`darb build` with tools that write their results at once."""
    # Not the function of that name, which the package offers.
    from importlib import import_module

    build = import_module("darb.hw.flow.build")
    from darb.hw.boards import find_board
    from darb.hw.flow.toolchain import TOOLCHAINS

    board = find_board("icebreaker")

    def project(fresh: Path, *arguments: object, **options: object) -> None:
        for name in (build.BOARD_VERILOG, board.constraints):
            (fresh / name).write_text(f"{name} {seed}\n")

    def build_in(workshop: object, *arguments: object) -> _Report:
        for name in (TOOLCHAINS[board.family].bitstream, build.TIMING, "synthesis.log"):
            (workshop.directory / name).write_text(f"{name} {seed}\n")
        return _Report(seed)

    build.find_tool = lambda tool: None
    build.write_project, build._build_in = project, build_in
    build.Workshop.read_json = lambda self, name: {}
    build._hierarchy = lambda workshop: None
    build.read_placement = lambda placed, hierarchy: {"seed": seed}
    build.build(directory.parent / f"image{seed}", board, directory, clock_hz=12_000_000)


WRITERS = {"export": _write_image, "generate": _write_engine, "build": _write_build}


class _Trial:
    """An output, what it may hold, and a place to kill its writer in."""

    def __init__(self, work: Path, write: Callable[[Path, int], None]) -> None:
        self.target, self._write = work / "out" / "output", write
        # Made beside the images, where the writers look for them.
        self.target.parent.mkdir(parents=True)
        for seed in (0, 1):
            _write_image(self.target.parent / f"image{seed}", seed)
        self._beside = {path.name for path in self.target.parent.iterdir()}
        self.wanted = []
        for seed in (0, 1):
            self._write(self.target, seed)
            self.wanted.append(_contents(self.target))
            shutil.copytree(self.target, work / f"kept{seed}")
        assert self.wanted[0].keys() == self.wanted[1].keys()
        assert self.wanted[0] != self.wanted[1]
        self._kept = work / "kept0"
        self._recoveries = 0

    def renew(self, standing: Path | None) -> None:
        """Put back what stood before: a directory, or nothing."""
        for path in self.target.parent.iterdir():
            if path.name not in self._beside:
                shutil.rmtree(path)
        if standing is not None:
            shutil.copytree(standing, self.target)

    def state(self) -> str:
        """Return what stands there; anything but the old, the new or nothing ends the trial."""
        found = _contents(self.target)
        if found is None:
            return "nothing"
        assert found in self.wanted, sorted(found)
        return ("old", "new")[self.wanted.index(found)]

    def both_beside(self) -> bool:
        """Return whether the old and the new one lie whole in one hidden directory."""
        hidden = [path for path in self.target.parent.iterdir() if path.name.startswith(".")]
        return any(
            [_contents(path / "old"), _contents(path / "new")] == self.wanted for path in hidden
        )

    def next_call_is_whole(self) -> None:
        """A write that is not killed: the new output and nothing left over."""
        assert _in_a_child(lambda: self._write(self.target, 1))
        assert self.state() == "new"
        left = {path.name for path in self.target.parent.iterdir()} - self._beside
        assert left == {self.target.name}, left

    def sweep(self, standing: Path | None) -> Counter[str]:
        """Kill the writer at every moment in turn; count what stood there after each."""
        states: Counter[str] = Counter()
        moment = 1
        while True:
            self.renew(standing)
            ended = _in_a_child(lambda: self._write(self.target, 1), moment)
            state = self.state()
            if ended:
                assert state == "new"
                return states
            if state == "nothing" and standing is not None:
                assert self.both_beside()
                state = "both beside"
                self._recovery()
            states[state] += 1
            # What is left differs little from one moment to the next.
            if moment % 7 == 0 or state == "both beside":
                self.next_call_is_whole()
            moment += 1

    def _recovery(self) -> None:
        """Kill the next call too, at every moment: it must not lose what the first one left."""
        parent = self.target.parent
        saved = parent.with_name("saved")
        shutil.copytree(parent, saved)
        moment = 1
        while True:
            shutil.rmtree(parent)
            shutil.copytree(saved, parent)
            ended = _in_a_child(lambda: self._write(self.target, 1), moment)
            if self.state() == "nothing":
                assert self.both_beside()
            if ended:
                break
            self._recoveries += 1
            moment += 1
        shutil.rmtree(parent)
        saved.rename(parent)

    def run(self) -> dict[str, dict[str, int]]:
        """Sweep over an earlier output and over none."""
        states = {"over the old": self.sweep(self._kept), "over none": self.sweep(None)}
        return {**states, "recoveries": {"old or new": self._recoveries}}


def main() -> None:
    """Do what the command line says."""
    work, kind, exchange = sys.argv[1:]
    if exchange == "no":
        output_directory._exchange = lambda first, second: False
    print(json.dumps(_Trial(Path(work), WRITERS[kind]).run()))


if __name__ == "__main__":
    main()
