"""``darb run``: vectors through a board, over its serial port."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from darb.sw.board_run import BoardRun

_BAUD = 1_000_000


def run(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Image directory.")],
    port: Annotated[
        str, typer.Option(metavar="PORT", help="Serial port, such as /dev/ttyUSB1 or COM3.")
    ],
    vectors: Annotated[
        Path | None,
        typer.Option(
            metavar="X.npy",
            help="Inputs, (B, ...): integers as the engine takes them, in an array of an integer "
            "type; of a float type real values, which are scaled and rounded. By default the "
            "image's own.",
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="Y.npy", help="Write the results here.")
    ] = None,
    baud: Annotated[int, typer.Option(help="Of the serial port, as the board was built.")] = _BAUD,
    memory_check: Annotated[
        bool,
        typer.Option(
            "--memory-check",
            help="First let the engine compute the CRC of its memories; it must have been built "
            "with this option too.",
        ),
    ] = False,
    timeout: Annotated[
        float, typer.Option(metavar="SECONDS", help="Longest wait for a reply.")
    ] = 5.0,
) -> None:
    """Run vectors on a board and compare every result with the golden model.

    A board built with --storage ram is loaded with the image first where it holds another one.
    Ends with status 1 if anything differs, or a bit of the image has flipped.
    """
    import numpy as np
    import serial  # noqa: F401  missing, it is told before anything else

    from darb.golden import read_image, read_vectors
    from darb.sw.array_files import read_array
    from darb.sw.board_client import BoardClient
    from darb.sw.board_run import FlippedBitsError, run_on_board
    from darb.sw.cli.failures import tell
    from darb.sw.cli.screen import stages
    from darb.sw.input_scaling import image_inputs

    if output is not None and not output.resolve().parent.is_dir():
        raise ValueError(f"output must be in a directory that exists, not {str(output)!r}")
    image = read_image(directory)
    if vectors is None:
        inputs = read_vectors(directory)["inputs"]
    else:
        inputs = image_inputs(image, read_array(vectors))
    with stages() as show, BoardClient(port, baud=baud, timeout=timeout) as board:
        try:
            result = run_on_board(board, image, inputs, memory_check=memory_check, progress=show)
        except FlippedBitsError as error:
            tell(str(error))
            raise typer.Exit(1) from None
    if output is not None:
        with output.open("wb") as file:
            np.save(file, result.outputs)
    _show(result, port, output)
    if not result.exact:
        raise typer.Exit(1)


def _show(result: BoardRun, port: str, output: Path | None) -> None:
    from darb.sw.cli.screen import clocks, show_next, show_table

    count = len(result.outputs)
    rows = [
        ("port", port),
        ("storage", result.storage.value),
        ("image", result.image.digest),
        ("vectors", f"{count:,}"),
        ("mismatches", f"{result.mismatches:,}"),
        ("seconds", f"{result.seconds:.2f}"),
        ("vectors a second", f"{count / result.seconds:,.1f}"),
        ("cycles a vector, counted", clocks(result.cycles / count)),
        ("... predicted", clocks(result.predicted_cycles / count)),
    ]
    if result.repeats:
        rows.append(("requests sent again", f"{result.repeats:,}"))
    if result.memories_checked:
        rows.append(("memories", "as the image's"))
    show_table(rows, title="Board")
    if output is not None:
        show_next(f"Results: {output}")
    if result.exact and result.right_cycles:
        show_next("Every output and every cycle equals the golden model's.")
    elif result.exact:
        show_next("Every output equals the golden model's; cycles include requests sent again.")
    else:
        show_next("The board differs from the golden model.")
