"""A campaign: case after case of one seed, on every core, until time is over or one fails."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import platform
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path

from darb.hw.fuzzing.case import FuzzCase
from darb.hw.fuzzing.case_file import Reproduction
from darb.hw.fuzzing.comparison import FuzzingError, Mismatch, Tools, check_case
from darb.hw.fuzzing.random_case import random_case
from darb.hw.fuzzing.shrinking import shrink

SHRINK_SECONDS = 120.0
_POLL_SECONDS = 0.5


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

    Raises
    ------
    FuzzingError
        If the case cannot be drawn, or the machine fails.
    """
    try:
        case = random_case(seed, index)
    except Exception as error:
        raise FuzzingError(
            f"case {index} of seed {seed} cannot be drawn: {type(error).__name__}: {error}"
        ) from error
    verdict = check_case(case, tools, scratch)
    counts = Counter(networks=len(case.networks), runs=len(case.runs), vectors=verdict.vectors)
    clocks, failure = Counter(verdict.clocks), None
    if verdict.mismatches:
        found = tuple(verdict.mismatches)
        smaller, found = _shrunk(case, found, tools, scratch, shrink_seconds)
        failure = Reproduction(smaller, seed, index, found, tool_versions(tools))
    return CaseResult(index, counts, clocks, failure)


def _shrunk(
    case: FuzzCase, found: tuple[Mismatch, ...], tools: Tools, scratch: Path, seconds: float
) -> tuple[FuzzCase, tuple[Mismatch, ...]]:
    """Return the smaller case with its mismatches; those of a case that fails but once say so."""
    try:
        smaller = shrink(case, found, tools, seconds=seconds, scratch=scratch)
        for each in dict.fromkeys((smaller, case)):
            # Once more by every party: which of them agree says where to look.
            if again := check_case(each, tools, scratch).mismatches:
                return each, tuple(again)
    except FuzzingError:
        return case, found
    return case, tuple(replace(each, detail=f"{each.detail}; not seen again") for each in found)


def fuzz(
    seed: int,
    tools: Tools,
    *,
    seconds: float,
    most_cases: int | None = None,
    jobs: int = 1,
    progress: Callable[[float, Campaign], None] | None = None,
    found: Callable[[Reproduction], None] | None = None,
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
    found : callable, optional
        Called with each failure as soon as it is shrunk.

    Raises
    ------
    FuzzingError
        If a case cannot be drawn, the machine fails, or a process ends by itself.
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
            if found is not None and result.failure is not None:
                found(result.failure)
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
            # What was found comes before what ends the campaign.
            for future in sorted(done, key=lambda each: each.exception() is not None):
                try:
                    yield future.result()
                except BrokenProcessPool:
                    raise FuzzingError(
                        "a process of the fuzzer ended by itself, perhaps for want of memory"
                    ) from None


@contextmanager
def _pool(jobs: int) -> Iterator[ProcessPoolExecutor]:
    """Give fresh processes; whatever ends the body early ends them and all that they started."""
    others = multiprocessing.active_children()
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(jobs, context, _stand_alone)
    try:
        yield pool
    except BaseException:
        for process in multiprocessing.active_children():
            if process not in others:
                _end(process)
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _stand_alone() -> None:
    """Leave interrupts to the first process, which ends this one's group."""
    # Not SIG_IGN, which exec would hand down to compilers and simulators.
    signal.signal(signal.SIGINT, lambda number, frame: None)
    if hasattr(os, "setpgid"):
        os.setpgid(0, 0)


def _end(process: multiprocessing.Process) -> None:
    """End a process of the pool and whatever it runs, so that nothing goes on writing."""
    if hasattr(os, "killpg"):
        # A process that is only starting has no group yet, and runs nothing.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()


@contextmanager
def _scratch() -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(prefix="darb-fuzz-"))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
