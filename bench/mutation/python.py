"""Change golden/ in one place at a time and count which changes its tests notice.

Run it with ``python bench/mutation/python.py``: it takes the tree of a commit, draws
mutants, runs each against the tests that run what was changed, and writes the section 'Mutants of
the Python' of docs/results/trust.md. Every mutant leaves a JSON file in build/mutation/python and
is not run again while its file and the tests that decided on it are the same. What was found of
survivors stands in python_survivors.json.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from python_campaign import campaign, check_out, plan
from python_page import PAGE, ROOT, kinds, score, section, write
from python_sample import strata
from python_tests import record
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

RUNS = ROOT / "build" / "mutation" / "python"
FOLDER, TESTS = "golden", "tests/golden"


def main(
    count: Annotated[int, typer.Option(min=1, help="Mutants to draw, at least.")] = 280,
    seed: Annotated[int, typer.Option(help="Of the draw.")] = 2026,
    jobs: Annotated[int, typer.Option(min=1, help="Mutants run at once.")] = 1,
    commit: Annotated[str, typer.Option(help="Whose tree is changed.")] = "HEAD",
    page: Annotated[bool, typer.Option(help="Write docs/results/trust.md afterwards.")] = True,
) -> None:
    """Run every drawn mutant that is not known yet; then write the section."""
    console = Console()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with tempfile.TemporaryDirectory(prefix="darb-mutation-") as directory:
        trees = [Path(directory).resolve() / f"tree-{job}" for job in range(jobs)]
        for tree in trees:
            check_out(ROOT, commit, tree)
        with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
            task = progress.add_task("the tests as they are", total=None)
            tests = record(trees[0], FOLDER, TESTS, RUNS)
            found = strata(trees[0], FOLDER)
            planned = plan(found, count, seed)
            progress.update(task, description="mutants", total=len(planned))
            results = []
            for result in campaign(trees, tests, planned, RUNS):
                results.append(result)
                if result["outcome"] == "survived":
                    place = f"{result['file']}:{result['line_number']}"
                    console.print(
                        f"{place} survived: {result['line']}  ->  {result['becomes']}",
                        highlight=False,
                        markup=False,
                        soft_wrap=True,
                    )
                progress.advance(task)
    counts = Counter(kinds(results))
    told = ", ".join(f"{number} {kind}" for kind, number in sorted(counts.items()))
    console.print(f"{told}: {score(counts) or 0:.1f} %", highlight=False)
    if page:
        sizes = {stratum.file: len(stratum.candidates) for stratum in found}
        write(section(results, sizes, seed=seed, seconds=tests.seconds))
        console.print(f"Written: {PAGE}", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    typer.run(main)
