"""``darb generate``: the Verilog of the engine that runs an image."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from darb.sw.cli.output import check_output


def generate(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Image directory.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Directory to write; new, empty or replaced.")
    ],
) -> None:
    """Write engine.v, its port manifest and the memory files that it reads."""
    from darb.hw.verilog import generate as generate_verilog
    from darb.sw.cli.screen import show_next, stages

    check_output(output)
    with stages() as show:
        show("generate", 0, 1)
        written = generate_verilog(directory, output)
        show("generate", 1, 1)
    files = ", ".join(sorted(path.name for path in written.iterdir()))
    show_next(f"Wrote {written}: {files}", f"Next: darb simulate {directory}")
