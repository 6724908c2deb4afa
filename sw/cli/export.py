"""``darb export``: a network saved with torch.export to a packed image."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from darb.sw.cli.output import check_output


class OutputChoice(StrEnum):
    """What the engine's last layer sends."""

    ACTIVATIONS = "activations"
    ACCUMULATORS = "accumulators"
    ARGMAX = "argmax"


def export(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL.pt2", help="Saved with torch.export.save.")
    ],
    calibration: Annotated[
        Path,
        typer.Option(
            metavar="X.npy",
            help="Some hundred inputs like those to come, (B, ...): real values, "
            "whatever their type.",
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Image directory to write.")
    ],
    ratio: Annotated[
        float,
        typer.Option(
            help="Prune to this ratio at once, without retraining; 1 keeps every weight. For "
            "retraining use darb.sw.prune in your training loop."
        ),
    ] = 1.0,
    lanes: Annotated[
        int | None, typer.Option(metavar="S", help="Multipliers that share a row; a power of two.")
    ] = None,
    rows: Annotated[
        int | None, typer.Option(metavar="R", help="Rows worked on at once; a power of two.")
    ] = None,
    multipliers: Annotated[
        int | None,
        typer.Option(
            metavar="P", help="Most multipliers, where lanes or rows are left open; 32 by default."
        ),
    ] = None,
    weight_bits: Annotated[int, typer.Option(help="Width of a weight, 2..8.")] = 8,
    activation_bits: Annotated[int, typer.Option(help="Width of an activation, 2..8.")] = 8,
    formats: Annotated[
        str, typer.Option(metavar="LIST", help="Memory files as well as .mem: coe,mif,bin.")
    ] = "",
    output_mode: Annotated[
        OutputChoice | None,
        typer.Option(help="What the last layer sends; accumulators by default."),
    ] = None,
    room: Annotated[
        float,
        typer.Option(
            help="Make the engine's memories this many times larger than this network needs, so "
            "that later ones fit with --like."
        ),
    ] = 1.0,
    like: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Image whose engine must serve this one too: its config is taken."
        ),
    ] = None,
) -> None:
    """Quantise a network saved with torch.export and pack it into an image directory."""
    from darb.sw.cli.screen import stages
    from darb.sw.model_file import export_model_file

    check_output(output)
    with stages() as show:
        written = export_model_file(
            model,
            calibration,
            output,
            ratio=ratio,
            lanes=lanes,
            rows=rows,
            multipliers=multipliers,
            weight_bits=weight_bits,
            activation_bits=activation_bits,
            formats=tuple(name.strip() for name in formats.split(",") if name.strip()),
            output_mode=None if output_mode is None else output_mode.value,
            room=room,
            like=like,
            progress=show,
        )
    _show(written)


def _show(directory: Path) -> None:
    from darb.sw.cli.screen import clocks, percent, show_next
    from darb.sw.inspection import inspect_image

    report = inspect_image(directory)
    config = report.config
    show_next(
        f"Wrote {directory}: {report.stored:,} of {report.weights:,} weights, "
        f"{report.image_bits:,} bits, lanes x rows {config['lanes']} x {config['rows']}, "
        f"{clocks(report.interval)} cycles a vector, "
        f"utilisation {percent(report.utilisation_steady)}",
        "Next:",
        f"  darb inspect {directory}",
        f"  darb generate {directory} -o build/",
        f"  darb simulate {directory}",
    )
