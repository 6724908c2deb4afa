"""``darb plan``: which engine a board is best given, before any synthesis."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from darb.sw.cli.clock import clock_in_hz
from darb.sw.cli.generate import StorageChoice

if TYPE_CHECKING:
    from darb.hw.estimate import ResourceEstimate
    from darb.sw.board_plan import Candidate, Plan

_CHOSEN = "->"
_NOTHING_FITS = 1


def plan(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="DIR|MODEL.pt2", help="Image directory, or a network of torch.export.save."
        ),
    ],
    board: Annotated[str, typer.Option(metavar="NAME", help="One of 'darb boards'.")],
    ratio: Annotated[
        float | None,
        typer.Option(help="Of a MODEL: prune to this ratio; by default every weight is kept."),
    ] = None,
    weight_bits: Annotated[
        int | None, typer.Option(help="Of a MODEL: width of a weight, 2..8; 8 by default.")
    ] = None,
    activation_bits: Annotated[
        int | None, typer.Option(help="Of a MODEL: width of an activation, 2..8; 8 by default.")
    ] = None,
    lanes: Annotated[
        int | None, typer.Option(metavar="S", help="Only engines of this many lanes.")
    ] = None,
    rows: Annotated[
        int | None, typer.Option(metavar="R", help="Only engines of this many rows.")
    ] = None,
    clock: Annotated[
        float | None,
        typer.Option(metavar="MHZ", help="Of the engine; by default what it should reach."),
    ] = None,
    storage: Annotated[StorageChoice, typer.Option(help="As of 'darb build'.")] = StorageChoice.ROM,
) -> None:
    """Show what each shape of engine would take and give on a board; exit with 1 if none fits."""
    from darb.golden import Storage, read_image
    from darb.hw.boards import find_board
    from darb.sw.cli.screen import stages
    from darb.sw.planning import plan as make_plan

    target = find_board(board)
    settings = {"ratio": ratio, "weight_bits": weight_bits, "activation_bits": activation_bits}
    settings = {name: value for name, value in settings.items() if value is not None}
    if source.suffix == ".pt2":
        from darb.sw.planned_model import planned_networks

        network = planned_networks(source, **settings)
    else:
        for name, value in settings.items():
            option = "--" + name.replace("_", "-")
            raise ValueError(
                f"{option} must be left out for an image, which has one, not {value!r}"
            )
        network = read_image(source)
    with stages() as show:
        made = make_plan(
            network,
            target,
            lanes=lanes,
            rows=rows,
            storage=Storage(storage),
            clock_hz=clock_in_hz(clock),
            progress=lambda done, total: show("plan", done, total),
        )
    _show_candidates(made)
    if made.chosen is None:
        _show_diagnosis(made)
        raise typer.Exit(_NOTHING_FITS)
    _show_parts(made.chosen)
    own = None if source.suffix == ".pt2" else (network.config.lanes, network.config.rows)
    _show_next(made, source, settings, own, clock)


def _share(used: float, available: int) -> str:
    return f"{100 * used / available:,.0f} %" if available else f"{used:,}"


def _show_candidates(made: Plan) -> None:
    from darb.hw.flow.resources import BLOCK_RAM, FF, LUT, MULTIPLIER
    from darb.sw.cli.screen import clocks, show_next, show_table

    rows = []
    for candidate in made.candidates:
        usage = candidate.estimate.usage
        mark = _CHOSEN if candidate is made.chosen else "  "
        rows.append(
            (
                f"{mark} {candidate.lanes} x {candidate.rows}",
                clocks(candidate.interval),
                f"{candidate.clock_hz / 1e6:g}",
                f"{candidate.inferences_per_second:,.0f}",
                *(
                    _share(usage[kind].used, usage[kind].available)
                    for kind in (LUT, FF, BLOCK_RAM, MULTIPLIER)
                ),
            )
        )
    headings = ("   engine", "cycles", "MHz", "a second", LUT, FF, BLOCK_RAM, "mult.")
    title = f"Engines of lanes x rows on {made.board.title}, and their shares of the chip"
    show_table(rows, title=title, headings=headings, numbers=range(1, 8))
    if made.refused:
        lanes = ", ".join(map(str, made.refused))
        show_next(f"Not for {lanes} lanes, for which the network would have to be pruned anew.")


def _show_parts(candidate: Candidate) -> None:
    from darb.hw.flow.resources import RESOURCES
    from darb.sw.cli.screen import show_table

    estimate = candidate.estimate
    kinds = [kind for kind in RESOURCES if kind in estimate.usage]
    rows = [
        (part.name, *counts)
        for part in estimate.parts
        if any(counts := [_count(_taken(part, kind)) for kind in kinds])
    ]
    usage = [estimate.usage[kind] for kind in kinds]
    rows.append(("all", *(f"{item.used:,}" for item in usage)))
    rows.append(("of", *(f"{item.available:,}" for item in usage)))
    rows.append(("share", *(_share(item.used, item.available) for item in usage)))
    title = f"{candidate.lanes} x {candidate.rows}, latency {candidate.latency:,} cycles"
    headings = ("part", *(kind.replace("multiplier", "mult.") for kind in kinds))
    show_table(rows, title=title, headings=headings, numbers=range(1, len(headings)))


def _taken(part: object, kind: str) -> float:
    from darb.hw.flow.resources import BLOCK_RAM, FF, LUT, LUT_RAM

    names = {LUT: "luts", FF: "ffs", LUT_RAM: "lut_rams", BLOCK_RAM: "block_rams"}
    return getattr(part, names.get(kind, "multipliers"))


def _count(value: float) -> str:
    # Half a RAMB36 is the one count that is no whole number.
    if value == round(value, 1) and value % 1:
        return f"{value:,.1f}"
    return f"{round(value):,}" if value else ""


def _over(estimate: ResourceEstimate) -> str:
    parts = []
    for kind, excess in estimate.over.items():
        usage = estimate.usage[kind]
        parts.append(f"{usage.used:,} {kind} of {usage.available:,} ({excess:,} too many)")
    return ", ".join(parts)


def _show_diagnosis(made: Plan) -> None:
    from darb.sw.cli.screen import show_next

    nearest = made.nearest
    shape = f"{nearest.lanes} x {nearest.rows}"
    lines = [
        f"Nothing fits {made.board.title}. Nearest is {shape}: {_over(nearest.estimate)}.",
        "What would fit:",
    ]
    lines += [
        f"  {remedy.change}: {remedy.candidate.lanes} x {remedy.candidate.rows}, "
        f"{remedy.candidate.inferences_per_second:,.0f} inferences a second"
        for remedy in made.remedies
    ]
    show_next("", *lines, *([] if made.remedies else ["  nothing of what was tried"]))


def _show_next(
    made: Plan,
    source: Path,
    settings: dict[str, float],
    own: tuple[int, int] | None,
    clock: float | None,
) -> None:
    from darb.sw.cli.screen import show_next

    chosen = made.chosen
    shape = (chosen.lanes, chosen.rows)
    options = "" if made.storage.value == "rom" else f" --storage {made.storage.value}"
    lines, image = [], str(source)
    if own != shape:
        image = "image/"
        model = "MODEL.pt2" if own else str(source)
        settings_told = "".join(
            f" --{name.replace('_', '-')} {value:g}" for name, value in settings.items()
        )
        lines.append(
            f"  darb export {model} --calibration X.npy{settings_told} "
            f"--lanes {chosen.lanes} --rows {chosen.rows} -o {image}"
        )
    told = "" if clock is None else f" --clock {clock:g}"
    # Vivado makes the bitstream of these, from the project that darb writes.
    command = "generate" if made.board.family == "xilinx" else "build"
    lines.append(f"  darb {command} {image} --board {made.board.name}{options}{told} -o build/")
    show_next("", "Next:", *lines)
