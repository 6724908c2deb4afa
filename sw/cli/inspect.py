"""``darb inspect``: what is inside an image, after verifying all of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from darb.sw.inspection import ImageReport


def inspect(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Image directory.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Verify every checksum of an image and show its layers, sizes and predicted speed."""
    from darb.sw.inspection import inspect_image

    report = inspect_image(directory)
    if as_json:
        import json

        typer.echo(json.dumps(report.to_dict(), indent=1))
        return
    _show_layers(report)
    _show_memories(report)
    _show_summary(report, directory)


def _show_layers(report: ImageReport) -> None:
    from darb.sw.cli.screen import show_table

    rows = []
    for layer in report.layers:
        name, shape = layer.name, f"{layer.rows}x{layer.columns}"
        stored_shape = f"{layer.stored_rows}x{layer.stored_columns}"
        for section in layer.sections:
            pattern = f"{section.keep} of {1 << section.k}"
            counts = (section.rows, section.groups, section.steps, section.stored, section.slots)
            rows.append((name, shape, stored_shape, pattern, *(f"{count:,}" for count in counts)))
            name = shape = stored_shape = ""
    headings = ("layer", "shape", "stored", "keeps", "rows", "groups", "steps")
    headings += ("weights", "slots")
    show_table(rows, title="Sections", headings=headings, numbers=range(4, 9))


def _show_memories(report: ImageReport) -> None:
    from darb.sw.cli.screen import show_table

    rows = [
        (name, f"{memory.depth:,}", f"{memory.used:,}", str(memory.width), f"{memory.bits:,}")
        for name, memory in report.memories.items()
    ]
    rows.append(("all", "", "", "", f"{report.image_bits:,}"))
    headings = ("memory", "words", "used", "bits a word", "bits")
    show_table(rows, title="Memories", headings=headings, numbers=range(1, 5))


def _show_summary(report: ImageReport, directory: Path) -> None:
    from darb.sw.cli.screen import clocks, percent, show_next, show_table

    config = report.config
    checked = "every checksum"
    if report.vectors:
        checked += f", the outputs of {report.vectors} stored vectors"
    rows = [
        ("verified", checked),
        ("digest", report.digest),
        ("lanes x rows", f"{config['lanes']} x {config['rows']} multipliers"),
        (
            "numbers",
            f"{config['weight_bits']}-bit weights, {config['activation_bits']}-bit activations",
        ),
        ("output", str(config["output_mode"])),
        ("pruning ratio", f"{report.pruning_ratio:.2f} ({report.stored:,} weights stored)"),
        ("effective ratio", f"{report.effective_ratio:.2f} ({report.slots:,} slots)"),
        ("bits a stored weight", f"{report.bits_per_stored_weight:.2f}"),
        ("... without padding", f"{int(config['weight_bits']) + report.mean_index_bits:.2f}"),
        ("cycles a vector", f"{report.cycles:,}"),
        ("... utilisation", percent(report.utilisation_single)),
        ("cycles, back to back", clocks(report.interval)),
        ("... utilisation", percent(report.utilisation_steady)),
        ("latency", f"{report.latency:,} cycles, first input beat to last output beat"),
    ]
    show_table(rows, title=f"Image {directory}")
    show_next("", f"Next: darb generate {directory} -o build/")
