"""``darb generate``: the Verilog of the engine that runs an image, alone or on a board."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from darb.sw.cli.clock import clock_in_hz
from darb.sw.cli.output import check_output


class StorageChoice(StrEnum):
    """How the engine's image memories get their contents."""

    ROM = "rom"
    RAM = "ram"


def generate(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Image directory.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Directory to write; new, empty or replaced.")
    ],
    board: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="One of 'darb boards': write that board's whole project, with constraints and a "
            "build script.",
        ),
    ] = None,
    storage: Annotated[
        StorageChoice,
        typer.Option(
            help="rom: the image's memories come with the bitstream; ram: they are loaded over "
            "AXI4-Lite at run time."
        ),
    ] = StorageChoice.ROM,
    memory_check: Annotated[
        bool,
        typer.Option(
            "--memory-check",
            help="The engine can be asked for the CRC of its memories at run time.",
        ),
    ] = False,
    clock: Annotated[
        float | None,
        typer.Option(
            metavar="MHZ", help="Of the engine on the board; by default what it should reach."
        ),
    ] = None,
    baud: Annotated[
        int | None, typer.Option(help="Of the board's serial port; 1,000,000 by default.")
    ] = None,
) -> None:
    """Write an engine's Verilog and its memory files, or a board's project.

    Without --board: engine.v, ports.json and, with storage rom, the .mem files. With it: top.v,
    the board's constraint file, the .mem files, and build.sh or, for Vivado, build.tcl.
    """
    from darb.golden import Storage
    from darb.sw.cli.screen import show_next, stages

    check_output(output)
    if board is None and (clock, baud) != (None, None):
        raise ValueError("--clock and --baud are a board's: they need --board")
    with stages() as show:
        show("generate", 0, 1)
        if board is None:
            from darb.hw.verilog import generate as generate_verilog

            generate_verilog(directory, output, storage=Storage(storage), memory_check=memory_check)
        else:
            from darb.hw.boards import find_board
            from darb.hw.flow import generate_project

            target = find_board(board)
            generate_project(
                directory,
                target,
                output,
                storage=Storage(storage),
                memory_check=memory_check,
                clock_hz=clock_in_hz(clock),
                baud=baud,
            )
        show("generate", 1, 1)
    files = ", ".join(sorted(path.name for path in output.iterdir()))
    option = "" if storage is StorageChoice.ROM else f" --storage {storage}"
    further = " --memory-check" if memory_check else ""
    show_next(f"Wrote {output}: {files}", *_next_steps(board, directory, output, option, further))


def _next_steps(
    board: str | None, directory: Path, output: Path, option: str, further: str
) -> list[str]:
    if board is None:
        return [f"Next: darb simulate {directory}{option}"]
    if (output / "build.tcl").exists():
        return [f"Next: cd {output} && vivado -mode batch -source build.tcl"]
    build = f"darb build {directory} --board {board}{further} -o OUT"
    return [f"Next: sh {output / 'build.sh'}, or {build}"]
