"""Which tests run which lines of a tree, and how long each takes."""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

from python_mutants import Mutant
from python_worker import arguments, context, enter

SLOW = 2.0
"""Seconds from which a test is not asked: a survivor would wait for minutes of faults tried."""
ENOUGH = 8.0
"""Seconds of tests, beyond a file's own and the quickest first, that are asked of one mutant."""
BRIEF = 0.1
"""Seconds up to which a test is asked though it does not run the file."""


class _Recorder:
    """A pytest plugin: the processor seconds of each test, and coverage's context."""

    def __init__(self, coverage) -> None:
        self.coverage = coverage
        self.seconds: dict[str, float] = {}
        self.since = 0.0

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.coverage.switch_context(nodeid)
        self.since = time.process_time()

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self.seconds[nodeid] = time.process_time() - self.since
        self.coverage.switch_context("")


def _record(tree: Path, folder: str, tests: list[str], slow: list[str], answer: Path) -> None:
    import coverage
    import pytest

    enter(tree, answer.with_suffix(".log"))
    measured = coverage.Coverage(
        data_file=None, config_file=False, include=[str(tree / folder / "*")]
    )
    measured.start()
    recorder = _Recorder(measured)
    left_out = [f"--deselect={name}" for name in slow]
    status = pytest.main([*arguments(tree, tests), *left_out], plugins=[recorder])
    measured.stop()
    data = measured.get_data()
    lines = {
        Path(file).relative_to(tree).as_posix(): {
            line: sorted(context for context in contexts if context)
            for line, contexts in data.contexts_by_lineno(file).items()
        }
        for file in data.measured_files()
    }
    found = {"status": int(status), "seconds": recorder.seconds, "lines": lines}
    answer.write_text(json.dumps(found))


@dataclass(frozen=True)
class Tests:
    """What a run of the unchanged tree showed.

    Parameters
    ----------
    seconds : dict of str to float
        Processor seconds of each test, by its id.
    lines : dict of str to dict of int to tuple of str
        The tests that run each line of each file.
    """

    seconds: dict[str, float]
    lines: dict[str, dict[int, set[str]]]

    def touching(self, file: str) -> set[str]:
        """Return the tests that run any line of a function of `file`."""
        return {name for names in self.lines.get(file, {}).values() for name in names}

    def of(self, mutant: Mutant) -> set[str]:
        """Return the tests that run a statement; empty if only imports do, or nothing."""
        lines = self.lines.get(mutant.file, {})
        statement = range(mutant.first_line, mutant.last_line + 1)
        return {name for line in statement for name in lines.get(line, ())}

    def stages(self, mutant: Mutant) -> list[list[str]]:
        """Return the tests that can notice a mutant, in groups, the likeliest and quickest first.

        The file's own tests come first, then the others, the quickest first, `ENOUGH` seconds of
        them. What only imports run may be felt anywhere, so brief tests that do not go into the
        file are asked too. Slow ones are never asked. What is not asked can make a mutant survive,
        never noticed.
        """
        chosen = self.of(mutant)
        others: set[str] = set()
        if not chosen:
            chosen = self.touching(mutant.file)
            others = {name for name, seconds in self.seconds.items() if seconds <= BRIEF} - chosen
        own = mirror(mutant.file)
        groups: dict[int, list[str]] = defaultdict(list)
        spent: Counter[int] = Counter()
        for name in sorted(chosen | others, key=lambda name: self.seconds[name]):
            is_own = name.startswith(f"{own}::")
            group = 0 if is_own else 2 if name in others else 1
            spent[group] += self.seconds[name]
            if self.seconds[name] <= SLOW and (is_own or spent[group] <= ENOUGH):
                groups[group].append(name)
        return [groups[number] for number in sorted(groups)]


def mirror(file: str) -> str:
    """Return the path of the tests that are named like `file`."""
    top, *folders = Path(file).with_suffix("").parts
    return f"tests/{top}/test_{'_'.join(folders)}.py"


def digest(*parts: str) -> str:
    """Return a short name of these texts."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _observe(tree: Path, folder: str, tests: list[str], slow: list[str]) -> dict:
    """Run these files of tests but the slow ones in the unchanged `tree`; return what was seen."""
    answer = tree / ".record.json"
    process = context().Process(target=_record, args=(tree, folder, tests, slow, answer))
    process.start()
    process.join()
    found = json.loads(answer.read_text()) if answer.exists() else {"status": process.exitcode}
    if found["status"]:
        said = answer.with_suffix(".log").read_text()[-2000:]
        raise RuntimeError(f"the tests of the unchanged tree must pass, not {said!r}")
    return found


def _known(path: Path, tree: Path) -> dict | None:
    if not path.is_file():
        return None
    found = json.loads(path.read_text())
    for file, wanted in found["files"].items():
        if not (tree / file).is_file() or digest((tree / file).read_text()) != wanted:
            return None
    return found


def _slow(runs: Path, name: str) -> dict[str, float]:
    """Return the tests of a file that were slow in whatever earlier state of it."""
    earlier = [json.loads(path.read_text()) for path in runs.glob(f"{Path(name).stem}-*.json")]
    seconds = {test: each for found in earlier for test, each in found["seconds"].items()}
    return {test: each for test, each in seconds.items() if each > SLOW}


def record(tree: Path, folder: str, tests: str, runs: Path) -> Tests:
    """Run the tests of the unchanged `tree` once, `folder` under coverage.

    Each file of tests leaves a file in `runs` and is not run again while it is the same and so are
    the files that its tests go into; nor are tests that were slow before. What those files import
    may change which lines they run; a test that is then not asked can make a mutant survive, never
    noticed.

    Raises
    ------
    RuntimeError
        If they do not pass; with the end of what pytest said.
    """
    runs.mkdir(parents=True, exist_ok=True)
    names = sorted(path.relative_to(tree).as_posix() for path in (tree / tests).rglob("test_*.py"))
    places = {
        name: runs / f"{Path(name).stem}-{digest((tree / name).read_text())}.json" for name in names
    }
    records = {name: _known(path, tree) for name, path in places.items()}
    missing = [name for name, found in records.items() if found is None]
    slow = {name: _slow(runs, name) for name in missing}
    left_out = [test for each in slow.values() for test in each]
    seen = _observe(tree, folder, missing, left_out) if missing else {}
    for name in missing:
        mine = f"{name}::"
        lines: dict[str, dict[int, list[str]]] = defaultdict(dict)
        for file, at in seen["lines"].items():
            for line, tests_there in at.items():
                chosen = [test for test in tests_there if test.startswith(mine)]
                if chosen:
                    lines[file][line] = chosen
        records[name] = {
            "files": {file: digest((tree / file).read_text()) for file in lines},
            "seconds": slow[name]
            | {test: each for test, each in seen["seconds"].items() if test.startswith(mine)},
            "lines": lines,
        }
        places[name].write_text(json.dumps(records[name]))
    return _joined(list(records.values()))


def _joined(records: list[dict]) -> Tests:
    lines: dict[str, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
    seconds: dict[str, float] = {}
    for found in records:
        seconds |= found["seconds"]
        for file, at in found["lines"].items():
            for line, tests in at.items():
                lines[file][int(line)].update(tests)
    return Tests(seconds, lines)
