"""Every drawn mutant against the tests that can notice it; what is known is not run again."""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
from collections.abc import Iterator
from compileall import compile_dir
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from py_compile import PycInvalidationMode
from queue import SimpleQueue

from python_mutants import Mutant, change
from python_sample import Stratum, draw, quotas
from python_tests import Tests, digest
from python_worker import link_packages, run

SPARE, FACTOR = 3.0, 5.0
"""A test may take so many seconds, and so many times what it takes on the unchanged tree."""


def check_out(root: Path, commit: str, tree: Path) -> None:
    """Write the tree of a commit of `root` to `tree`, ready to be run."""
    command = ["git", "-C", str(root), "archive", commit]
    archive = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    tree.mkdir(parents=True)
    with tarfile.open(fileobj=BytesIO(archive)) as files:
        files.extractall(tree, filter="data")
    prepare(tree)


def prepare(tree: Path) -> None:
    """Link the packages of `tree` and compile it.

    A compiled file is told from its source's digest whether it fits: a mutant is often as long as
    the original and written in the same second.
    """
    link_packages(tree)
    for folder in ("golden", "tests"):
        mode = PycInvalidationMode.CHECKED_HASH
        compile_dir(tree / folder, quiet=2, invalidation_mode=mode)


def plan(strata: list[Stratum], count: int, seed: int) -> list[tuple[Mutant, str, str]]:
    """Return the drawn mutants with their original and their changed source."""
    share = quotas({stratum.file: len(stratum.candidates) for stratum in strata}, count)
    return [
        (mutant, stratum.source, changed)
        for stratum in strata
        for mutant, changed in draw(stratum, share[stratum.file], seed)
    ]


def test_digests(tree: Path, names: list[str]) -> dict[str, str]:
    """Return the digest of each file that holds one of these tests."""
    files = sorted({name.partition("::")[0] for name in names})
    return {file: digest((tree / file).read_text()) for file in files}


def known(path: Path, files: dict[str, str]) -> dict | None:
    """Return a result, if the tests that it rests on are what they were; `files` are all today."""
    if not path.is_file():
        return None
    result = json.loads(path.read_text())
    rests_on = result["tests"]
    # A survivor can fall to a test that was written since, in any file.
    same = rests_on == files if result["by"] is None else rests_on.items() <= files.items()
    return result if same else None


def attempt(tree: Path, tests: Tests, mutant: Mutant, source: str, changed: str) -> dict:
    """Run one mutant in `tree` and put the original back.

    Returns
    -------
    dict
        ``outcome``, ``by``, ``ran``, ``cpu`` as of `python_worker.run`; ``line`` and ``becomes``:
        what was changed; ``is_run``: whether anything runs it; ``tests``: the digests of the files
        of the tests that the outcome rests on.
    """
    path = tree / mutant.file
    stages = tests.stages(mutant)
    seconds, ran, outcome = 0.0, 0, {"outcome": "survived", "by": None}
    path.write_text(changed)
    try:
        for stage in stages:
            limits = {name: SPARE + FACTOR * tests.seconds[name] for name in stage}
            outcome = run(tree, limits)
            seconds += outcome["cpu"] or 0.0
            ran += outcome["ran"] or 0
            if outcome["outcome"] != "survived":
                break
    finally:
        path.write_text(source)
    decisive = [outcome["by"]] if outcome["by"] else list(tests.seconds)
    line, becomes = change(source, changed)
    return {
        "file": mutant.file,
        "line_number": mutant.place[0],
        "operator": mutant.operator,
        "line": line,
        "becomes": becomes,
        "outcome": outcome["outcome"],
        "by": outcome["by"],
        "ran": ran,
        "cpu": round(seconds, 2),
        "tests": test_digests(tree, decisive),
    }


def campaign(
    trees: list[Path], tests: Tests, planned: list[tuple[Mutant, str, str]], runs: Path
) -> Iterator[dict]:
    """Yield the result of each mutant, a run in each tree at a time; each leaves a file in `runs`.

    Parameters
    ----------
    trees : list of Path
        Equal trees, one a job.
    tests : Tests
    planned : list of (Mutant, str, str)
        From `plan`.
    runs : Path
    """
    runs.mkdir(parents=True, exist_ok=True)
    files = test_digests(trees[0], list(tests.seconds))
    free: SimpleQueue[Path] = SimpleQueue()
    for tree in trees:
        free.put(tree)

    def result(case: tuple[Mutant, str, str]) -> dict:
        mutant, source, changed = case
        path = runs / f"{Path(mutant.file).stem}-{digest(mutant.file, source, changed)}.json"
        found = known(path, files)
        if found is not None:
            return found
        tree = free.get()
        try:
            found = attempt(tree, tests, mutant, source, changed)
        finally:
            free.put(tree)
        part = path.with_suffix(f".{os.getpid()}.part")
        part.write_text(json.dumps(found, indent=1))
        part.replace(path)
        return found

    with ThreadPoolExecutor(len(trees)) as pool:
        yield from pool.map(result, planned)
