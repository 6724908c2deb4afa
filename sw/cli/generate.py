"""``darb generate``: the Verilog of the engine that runs an image."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

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
    storage: Annotated[
        StorageChoice,
        typer.Option(
            help="rom: the image's memories come with the bitstream; ram: they are loaded over "
            "AXI4-Lite at run time."
        ),
    ] = StorageChoice.ROM,
) -> None:
    """Write engine.v, its port manifest and, with storage rom, the memory files that it reads."""
    from darb.golden import Storage
    from darb.hw.verilog import generate as generate_verilog
    from darb.sw.cli.screen import show_next, stages

    check_output(output)
    with stages() as show:
        show("generate", 0, 1)
        written = generate_verilog(directory, output, storage=Storage(storage))
        show("generate", 1, 1)
    option = "" if storage is StorageChoice.ROM else f" --storage {storage}"
    files = ", ".join(sorted(path.name for path in written.iterdir()))
    show_next(f"Wrote {written}: {files}", f"Next: darb simulate {directory}{option}")
