"""Run chosen tests of a tree in a forked process that never saw darb before.

The fork server has NumPy, SciPy, hypothesis and pytest loaded, so a run costs its tests and the
import of a few files.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import shutil
import signal
import sys
import time
import tomllib
from pathlib import Path

PRELOADED = (
    "coverage",
    "hypothesis.extra.numpy",
    "hypothesis.strategies",
    "numpy.testing",
    "pytest",
    "scipy.sparse",
)
PACKAGES = ".packages"
"""Folder of a tree that holds its packages as pyproject.toml maps them."""
_MEMORY = 6 << 30
"""Bytes of address space: a wrong size must not take the machine's memory."""
_START_CPU = 30.0
"""Processor seconds that the collection may take."""
_LATE = (-signal.SIGPROF, -signal.SIGALRM)
_PATIENCE, _LEAST_WAIT = 20.0, 60.0
"""Wall clock over processor time, and seconds at least, before a test counts as stuck: the machine
may be at work on something else."""


def link_packages(tree: Path) -> None:
    """Lay out the packages of a tree, so that its ``darb`` can be imported."""
    project = tomllib.loads((tree / "pyproject.toml").read_text())
    for package, folder in project["tool"]["setuptools"]["package-dir"].items():
        link = tree.joinpath(PACKAGES, *package.split("."))
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(tree.resolve() / folder)


class Session:
    """A pytest plugin: these tests in this order, each with its time, until the first that fails.

    Parameters
    ----------
    limits : dict of str to float
        Processor seconds that each test may take, by its id.
    answer : Path
        Where it says what it is about to do; all that is left of a test that is ended.
    """

    def __init__(self, limits: dict[str, float], answer: Path) -> None:
        self.limits = limits
        self.answer = answer
        self.failed: str | None = None
        self.ran = 0

    def pytest_configure(self) -> None:
        """Have hypothesis stop at the first failure, which nobody will read."""
        from hypothesis import Phase, settings

        settings.register_profile(
            "mutation",
            phases=(Phase.explicit, Phase.generate),
            report_multiple_bugs=False,
            deadline=None,
            database=None,
            derandomize=True,
        )
        settings.load_profile("mutation")

    def pytest_collection_modifyitems(self, items: list) -> None:
        """Keep what was asked for, in that order."""
        by_id = {item.nodeid: item for item in items}
        items[:] = [by_id[name] for name in self.limits if name in by_id]

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Set the clock of a test; when it runs out the system ends the process."""
        limit = self.limits[nodeid]
        self.ran += 1
        self.tell("timed out", nodeid, time.process_time() + limit)
        _set_clock(limit)

    def tell(self, outcome: str, by: str | None, cpu: float) -> None:
        """Write the answer as it is now."""
        found = {"outcome": outcome, "by": by, "ran": self.ran, "cpu": cpu}
        self.answer.write_text(json.dumps(found))

    def pytest_runtest_logreport(self, report) -> None:
        """Remember what failed."""
        if report.failed and self.failed is None:
            self.failed = report.nodeid

    def pytest_collectreport(self, report) -> None:
        """Remember a file that could not be imported."""
        if report.failed and self.failed is None:
            self.failed = report.nodeid


def _set_clock(seconds: float) -> None:
    signal.setitimer(signal.ITIMER_PROF, seconds)
    wait = max(_PATIENCE * seconds, _LEAST_WAIT) if seconds else 0.0
    signal.setitimer(signal.ITIMER_REAL, wait)


def enter(tree: Path, log: Path) -> None:
    """Make this process one that works in `tree` and writes to `log`."""
    os.chdir(tree)
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    # What a changed program writes or removes stays in here.
    scratch = tree / ".tmp"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    os.environ["TMPDIR"] = str(scratch)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    for name in ("PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER"):
        os.environ.pop(name, None)
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(tree / PACKAGES))
    assert not any(name.split(".")[0] == "darb" for name in sys.modules)


def arguments(tree: Path, paths: list[str]) -> list[str]:
    """Return pytest's arguments for these paths of `tree`."""
    return [
        *("-p", "_hypothesis_pytestplugin", "-p", "no:cacheprovider", "-p", "no:faulthandler"),
        *("-x", "-q", "--tb=line", "--assert=plain", f"--rootdir={tree}"),
        f"--basetemp={tree / '.tmp' / 'pytest'}",
        *paths,
    ]


def _work(tree: Path, limits: dict[str, float], answer: Path) -> None:
    import pytest

    enter(tree, answer.with_suffix(".log"))
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    session = Session(limits, answer)
    session.tell("timed out", None, _START_CPU)
    _set_clock(_START_CPU)
    files = list(dict.fromkeys(name.partition("::")[0] for name in limits))
    status = pytest.main(arguments(tree, files), plugins=[session])
    _set_clock(0)
    good = status in (0, 5) and session.failed is None
    session.tell("survived" if good else "noticed", session.failed, time.process_time())
    # Threads that a changed program left running are not waited for.
    os._exit(0)


def context() -> multiprocessing.context.BaseContext:
    """Return what starts the forked processes."""
    # One thread each: the runs are counted by processor time.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    chosen = multiprocessing.get_context("forkserver")
    chosen.set_forkserver_preload(list(PRELOADED))
    return chosen


def run(tree: Path, limits: dict[str, float]) -> dict[str, object]:
    """Run tests of `tree` in their order until one fails.

    Parameters
    ----------
    tree : Path
        Its packages are linked.
    limits : dict of str to float
        Processor seconds that each test may take, by its id.

    Returns
    -------
    dict
        ``outcome``: survived, noticed or timed out; ``by``: what failed; ``ran``: how many tests
        began; ``cpu``: processor seconds.

    Raises
    ------
    RuntimeError
        If the process ends before pytest begins.
    """
    answer = tree / ".answer.json"
    answer.unlink(missing_ok=True)
    process = context().Process(target=_work, args=(tree, limits, answer))
    process.start()
    process.join()
    if not answer.exists():
        said = answer.with_suffix(".log")
        detail = said.read_text() if said.exists() else ""
        raise RuntimeError(f"a run of the tests must begin, not {detail!r}")
    found = json.loads(answer.read_text())
    if found["outcome"] == "timed out" and process.exitcode not in _LATE:
        # Whatever else ended the process is no doubt about the mutant.
        found["outcome"] = "noticed"
    return found
