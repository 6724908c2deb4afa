"""Accuracy of DARB and its rivals over pruning ratios, and what each part of DARB brings.

Run it with ``python bench/pruning/reference.py [SUBJECT ...]``: digits, and where DARB_MNIST_DIR
names the folder of MNIST's idx files and DARB_FSDD the spoken digits' fsdd.npz, lenet-300-100,
lenet-5 and speech. Every run leaves a JSON file in build/pruning/reference and is not run again
while that, or its line in docs/results/pruning.json, is there. docs/results/pruning.md, its plots
and pruning.json are written from all that are done. Runs go side by side on all cores, one thread
each, or one after the other on a GPU where torch sees one. Every choice is made on the validation
part; the test part is read once a run.
"""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Annotated

import torch
import typer
from ablation_grid import ablations
from reference_grid import SUBJECTS, Run, finished, grid
from reference_page import RESULTS, write_page
from reference_run import dense_path, keep, perform, perform_and_keep
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from torch import distributed

from darb.sw.data_parallel import process_group


def runs_of(names: list[str], *, seeds: int) -> list[Run]:
    """Return every run of these subjects, the first seed of all before the second of any."""
    runs = [run for name in names for run in (*grid(name), *ablations(name))]
    return sorted((run for run in runs if run.seed < seeds), key=lambda run: run.seed)


def due(runs: list[Run]) -> tuple[list[Run], list[Run]]:
    """Return what is still to be done: dense networks, then what starts from them."""
    pruned = [run for run in runs if run.ratio > 1 and finished(run) is None]
    needed = {(run.subject, run.seed) for run in pruned}
    dense = [
        run
        for run in runs
        if run.ratio == 1
        and (
            finished(run) is None
            or ((run.subject, run.seed) in needed and not dense_path(run).is_file())
        )
    ]
    return dense, pruned


def perform_together(runs: list[Run], *, first: bool, console: Console) -> None:
    """Perform the runs that are not done yet, one at a time, on all processes of torchrun."""
    for some in due(runs):
        for run in some:
            result = perform(run, first=first)
            if first:
                keep(run, result)
                tell(result, console)
            # Nobody looks for the dense network before it is whole.
            distributed.barrier()


def tell(result: dict, console: Console) -> None:
    """Say what came of a run."""
    told = result.get("reason") or f"validation {100 * result['validation']:.2f} %"
    console.print(f"{result['name']:<44} {told}  {result['seconds']:.0f} s", highlight=False)


def perform_all(runs: list[Run], *, jobs: int, console: Console) -> None:
    """Perform the runs that are not done yet, some at a time, telling of each."""
    dense, pruned = due(runs)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    spawn = multiprocessing.get_context("spawn")
    with (
        Progress(*columns, console=console, disable=not console.is_terminal) as progress,
        ProcessPoolExecutor(jobs, mp_context=spawn) as pool,
    ):
        for what, some in (("dense networks", dense), ("pruned networks", pruned)):
            task = progress.add_task(what, total=len(some))
            for future in as_completed([pool.submit(perform_and_keep, run) for run in some]):
                tell(future.result(), progress.console)
                progress.advance(task)


def main(
    subjects: Annotated[list[str] | None, typer.Argument(metavar="[SUBJECT]...")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Runs side by side.")] = (
        1 if torch.cuda.is_available() else os.cpu_count() or 1
    ),
    seeds: Annotated[int, typer.Option(min=1, max=3, help="How many of the three.")] = 3,
    page: Annotated[bool, typer.Option(help="Write docs/results/pruning.md afterwards.")] = True,
) -> None:
    """Run what is asked for and not done, then write the page."""
    names = subjects or [
        name
        for name, subject in SUBJECTS.items()
        if not subject.needs or subject.needs in os.environ
    ]
    for name in names:
        if name not in SUBJECTS:
            raise typer.BadParameter(f"must be of {', '.join(SUBJECTS)}, not {name!r}")
        needs = SUBJECTS[name].needs
        if needs and needs not in os.environ:
            raise typer.BadParameter(f"{name} needs {needs} to name its data")
    console = Console()
    with process_group() as first:
        if distributed.is_initialized():
            perform_together(runs_of(names, seeds=seeds), first=first, console=console)
        else:
            perform_all(runs_of(names, seeds=seeds), jobs=jobs, console=console)
    if page and first:
        write_page()
        console.print(f"Written: {RESULTS / 'pruning.md'}", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    typer.run(main)
