"""``darb build``: from an image to a board's bitstream."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from darb.sw.cli.clock import clock_in_hz
from darb.sw.cli.generate import StorageChoice
from darb.sw.cli.output import check_output

if TYPE_CHECKING:
    from darb.hw.boards import Board
    from darb.hw.flow import BuildReport


def build(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Image directory.")],
    board: Annotated[str, typer.Option(metavar="NAME", help="One of 'darb boards'.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Directory to write; new, empty or replaced.")
    ],
    clock: Annotated[
        float | None,
        typer.Option(metavar="MHZ", help="Of the engine; by default what the board should reach."),
    ] = None,
    baud: Annotated[
        int | None, typer.Option(help="Of the serial port; 1,000,000 by default.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of placement.")] = 1,
    storage: Annotated[
        StorageChoice,
        typer.Option(
            help="rom: the image comes with the bitstream; ram: 'darb run' loads it, or any other "
            "that fits."
        ),
    ] = StorageChoice.ROM,
    memory_check: Annotated[
        bool,
        typer.Option(
            "--memory-check",
            help="The engine can be asked for the CRC of its memories with "
            "'darb run --memory-check'.",
        ),
    ] = False,
    weights_only: Annotated[
        bool,
        typer.Option(
            "--weights-only",
            help="Take the placed design of an earlier build of this config and change the "
            "weights; refuse what needs a new place and route.",
        ),
    ] = False,
) -> None:
    """Synthesise, place and route with open tools; write bitstream, report and placement."""
    from darb.golden import Storage
    from darb.hw.boards import find_board
    from darb.hw.flow import build as run
    from darb.sw.cli.screen import stages
    from darb.sw.placement_picture import draw_placement

    check_output(output)
    target = find_board(board)
    with stages() as show:
        report = run(
            directory,
            target,
            output,
            storage=Storage(storage),
            memory_check=memory_check,
            clock_hz=clock_in_hz(clock),
            baud=baud,
            seed=seed,
            weights_only=weights_only,
            progress=show,
        )
        show("draw", 0, 1)
        draw_placement(output)
        show("draw", 1, 1)
    options = "" if baud is None else f" --baud {baud}"
    options += " --memory-check" if memory_check else ""
    _show(report, directory, output, target, options)


def _show(report: BuildReport, directory: Path, output: Path, board: Board, options: str) -> None:
    from darb.sw.cli.screen import show_next, show_table

    show_table(report.to_rows(), title=f"Build for {report.title}")
    show_next(
        f"Bitstream: {output / report.bitstream}   Report: {output / 'report.md'}   "
        f"Picture: {output / 'placement.png'}",
        "Next:",
        f"  {board.program} {output / report.bitstream}",
        f"  darb run {directory} --port PORT{options}",
    )
