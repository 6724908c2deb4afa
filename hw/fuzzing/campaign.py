"""A campaign: case after case of one seed, on every core, until time is over or one fails."""

from __future__ import annotations

import itertools
import multiprocessing
import platform
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from darb.hw.fuzzing.case_file import Reproduction
from darb.hw.fuzzing.comparison import Tools, check_case
from darb.hw.fuzzing.random_case import random_case
from darb.hw.fuzzing.shrinking import shrink

SHRINK_SECONDS = 120.0
_POLL_SECONDS = 0.5


class FuzzingError(RuntimeError):
    """The campaign could not go on; says why."""


@dataclass(frozen=True)
class CaseResult:
    """What became of one case.

    Parameters
    ----------
    index : int
    counts : Counter
        ``networks``, ``runs``, ``vectors``.
    clocks : Counter
        By simulator.
    failure : Reproduction, optional
        Shrunk.
    """

    index: int
    counts: Counter
    clocks: Counter
    failure: Reproduction | None = None


@dataclass
class Campaign:
    """What was tried, and what failed.

    Parameters
    ----------
    seed : int
    tools : dict of str to str
        Versions.
    counts : Counter
        ``cases``, ``networks``, ``runs``, ``vectors``.
    clocks : Counter
        Simulated and compared, by simulator.
    failures : list of Reproduction
    seconds : float
    """

    seed: int
    tools: dict[str, str]
    counts: Counter = field(default_factory=Counter)
    clocks: Counter = field(default_factory=Counter)
    failures: list[Reproduction] = field(default_factory=list)
    seconds: float = 0.0

    def add(self, result: CaseResult) -> None:
        """Count a case."""
        self.counts += result.counts + Counter(cases=1)
        self.clocks += result.clocks
        if result.failure is not None:
            self.failures.append(result.failure)


def tool_versions(tools: Tools) -> dict[str, str]:
    """Return the versions of all that a case's result may depend on."""
    packages = {name: metadata.version(name) for name in ("darb", "amaranth", "numpy")}
    simulators = {name: tool.version for name, tool in tools.items() if tool is not None}
    return {"python": platform.python_version(), **packages, **simulators}


def try_case(
    seed: int, index: int, tools: Tools, scratch: Path, shrink_seconds: float = SHRINK_SECONDS
) -> CaseResult:
    """Draw a case, check it and, if it fails, shrink it.

    Parameters
    ----------
    seed, index : int
        See `random_case`.
    tools : dict of str to Simulator or None
        Of `find_tools`.
    scratch : Path
        A directory to work in.
    shrink_seconds : float
    """
    case = random_case(seed, index)
    verdict = check_case(case, tools, scratch)
    counts = Counter(networks=len(case.networks), runs=len(case.runs), vectors=verdict.vectors)
    clocks, failure = Counter(verdict.clocks), None
    if verdict.mismatches:
        smaller = shrink(case, verdict.mismatches, tools, seconds=shrink_seconds, scratch=scratch)
        # Once more by every party: which of them agree says where to look.
        found = tuple(check_case(smaller, tools, scratch).mismatches)
        if not found:
            smaller, found = case, tuple(verdict.mismatches)
        failure = Reproduction(smaller, seed, index, found, tool_versions(tools))
    return CaseResult(index, counts, clocks, failure)


def fuzz(
    seed: int,
    tools: Tools,
    *,
    seconds: float,
    most_cases: int | None = None,
    jobs: int = 1,
    progress: Callable[[float, Campaign], None] | None = None,
) -> Campaign:
    """Try case 0, 1, 2 ... of a seed until time is over, or one fails.

    What is under way then is brought to its end.

    Parameters
    ----------
    seed : int
    tools : dict of str to Simulator or None
        Of `find_tools`.
    seconds : float
    most_cases : int, optional
        Cases after which it ends, too.
    jobs : int
        Processes; 1 is this one.
    progress : callable, optional
        Called with the seconds that have passed and the campaign.

    Raises
    ------
    FuzzingError
        If a process ends by itself.
    """
    campaign, began = Campaign(seed, tool_versions(tools)), time.monotonic()
    indices = itertools.count() if most_cases is None else iter(range(most_cases))

    def tell() -> None:
        campaign.seconds = time.monotonic() - began
        if progress is not None:
            progress(campaign.seconds, campaign)

    def remaining() -> Iterator[int]:
        while not campaign.failures and time.monotonic() - began < seconds:
            try:
                yield next(indices)
            except StopIteration:
                return

    tell()
    with _scratch() as scratch:
        results = _in_turn if jobs == 1 else _in_processes
        for result in results(remaining(), (seed, tools, scratch), jobs, tell):
            campaign.add(result)
            tell()
    tell()
    return campaign


Arguments = tuple[int, Tools, Path]


def _try(index: int, arguments: Arguments) -> CaseResult:
    seed, tools, scratch = arguments
    return try_case(seed, index, tools, scratch)


def _in_turn(
    indices: Iterator[int], arguments: Arguments, jobs: int, tell: Callable[[], None]
) -> Iterator[CaseResult]:
    for index in indices:
        yield _try(index, arguments)


def _in_processes(
    indices: Iterator[int], arguments: Arguments, jobs: int, tell: Callable[[], None]
) -> Iterator[CaseResult]:
    with _pool(jobs) as pool:
        waiting: set[Future] = set()
        while True:
            waiting |= {
                pool.submit(_try, index, arguments)
                for index in itertools.islice(indices, jobs - len(waiting))
            }
            if not waiting:
                return
            done, waiting = wait(waiting, _POLL_SECONDS, FIRST_COMPLETED)
            tell()
            try:
                yield from [future.result() for future in done]
            except BrokenProcessPool:
                raise FuzzingError(
                    "a process of the fuzzer ended by itself, perhaps for want of memory"
                ) from None


@contextmanager
def _pool(jobs: int) -> Iterator[ProcessPoolExecutor]:
    """Give fresh processes; whatever ends the body early ends them too."""
    others = multiprocessing.active_children()
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(jobs, context, _ignore_interrupts)
    try:
        yield pool
    except BaseException:
        for process in multiprocessing.active_children():
            if process not in others:
                process.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _ignore_interrupts() -> None:
    # A terminal interrupts every process; the first one tells the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def _scratch() -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(prefix="darb-fuzz-"))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
