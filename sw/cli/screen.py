"""What a person sees: progress on stderr while a command works, tables on stdout at the end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table


class Stages:
    """One progress bar a stage; call it with the stage, what is done, the total and a note.

    Where stderr is no terminal it writes a line whenever a stage ends instead.
    """

    def __init__(self, progress: Progress, console: Console) -> None:
        self._progress = progress
        self._console = console
        self._tasks: dict[str, TaskID] = {}
        self._told: set[str] = set()

    def __call__(self, stage: str, done: int, total: int, note: str = "") -> None:
        """Show that `done` of `total` parts of `stage` are finished."""
        if stage not in self._tasks:
            self._tasks[stage] = self._progress.add_task(stage, total=total, note="")
        task = self._tasks[stage]
        self._progress.update(task, completed=done, total=total, note=escape(note))
        if done >= total and stage not in self._told and not self._console.is_terminal:
            self._told.add(stage)
            elapsed = self._progress.tasks[self._progress.task_ids.index(task)].elapsed or 0.0
            self._console.print(f"{stage:<10} {elapsed:6.1f} s  {note}", markup=False)


@contextmanager
def stages() -> Iterator[Stages]:
    """Show progress while the body runs."""
    console = Console(stderr=True)
    progress = Progress(
        SpinnerColumn(finished_text="[green]✓[/]"),
        TextColumn("{task.description:<10}"),
        BarColumn(bar_width=28),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}", style="dim"),
        console=console,
        disable=not console.is_terminal,
    )
    with progress:
        yield Stages(progress, console)


def show_table(
    rows: Sequence[Sequence[str]],
    *,
    title: str,
    headings: Sequence[str] | None = None,
    numbers: Sequence[int] = (),
) -> None:
    """Print a table on stdout.

    Parameters
    ----------
    rows : sequence of sequence of str
    title : str
    headings : sequence of str, optional
        Without them the first column names the second.
    numbers : sequence of int
        Columns that align to the right.
    """
    console = Console()
    table = Table(title=title, title_justify="left", show_header=headings is not None)
    for index in range(len(rows[0])):
        table.add_column(
            headings[index] if headings else "",
            justify="right" if index in numbers else "left",
            no_wrap=headings is not None or index == 0,
        )
    for row in rows:
        table.add_row(*map(escape, row))
    console.print(table)


def show_next(*lines: str) -> None:
    """Print where things are and what to run next, in lines that can be copied whole."""
    console = Console()
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def clocks(count: float) -> str:
    """Return a number of clocks, which may be a mean that ends in a half."""
    return f"{count:,.1f}".removesuffix(".0")


def percent(share: float) -> str:
    """Return a share as a percentage with one decimal."""
    return f"{100 * share:.1f} %"
