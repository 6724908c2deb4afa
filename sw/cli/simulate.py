"""``darb simulate``: the generated Verilog against the golden model, vector by vector."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from darb.golden import Image
    from darb.hw.simulation import SimulationResult


class Simulator(StrEnum):
    """Simulators that the bench runs on."""

    VERILATOR = "verilator"
    ICARUS = "icarus"


def simulate(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Image directory.")],
    simulator: Annotated[Simulator, typer.Option(help="What runs the Verilog.")] = (
        Simulator.VERILATOR
    ),
    vectors: Annotated[
        Path | None,
        typer.Option(
            metavar="X.npy",
            help="Inputs: integers as the engine takes them, or real numbers, which are scaled "
            "and rounded. By default the image's own.",
        ),
    ] = None,
    waves: Annotated[bool, typer.Option("--waves", help="Record every signal.")] = False,
    build_dir: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where to build; kept, and used again.")
    ] = None,
) -> None:
    """Simulate an image's engine and compare outputs and cycles with the golden model.

    Ends with status 1 if anything differs.
    """
    from darb.golden import read_image
    from darb.hw.simulation import simulate as run
    from darb.sw.array_files import read_array
    from darb.sw.cli.screen import stages
    from darb.sw.input_scaling import image_inputs

    image = read_image(directory)
    inputs = None if vectors is None else image_inputs(image, read_array(vectors))
    with stages() as show:
        show("build", 0, 1)

        def progress(done: int, total: int) -> None:
            show("build", 1, 1)
            show("simulate", done, total)

        result = run(
            directory,
            simulator=simulator.value,
            vectors=inputs,
            build_dir=build_dir,
            waves=waves,
            progress=progress,
        )
    _show(result, image)
    if result.mismatches or result.cycle_mismatches:
        raise typer.Exit(1)


def _show(result: SimulationResult, image: Image) -> None:
    from darb.golden import EngineModel
    from darb.golden.timeline import utilisation
    from darb.sw.cli.screen import percent, show_next, show_table

    rows = [
        ("simulator", result.simulator),
        ("vectors", f"{len(result.outputs):,}"),
        ("mismatches", f"{result.mismatches:,}"),
        ("cycle mismatches", f"{result.cycle_mismatches:,}"),
        ("cycles a vector", f"{result.cycles.min():,}..{result.cycles.max():,}"),
        ("latency", f"{result.latency:,} cycles"),
    ]
    if result.interval:
        busy = utilisation(image, EngineModel(image).layers, result.interval)
        rows += [
            ("cycles, back to back", f"{result.interval:,}"),
            ("utilisation", f"{percent(busy)} of {image.config.multipliers} multipliers"),
        ]
    rows.append(("seconds", ", ".join(f"{k} {v:.1f}" for k, v in result.seconds.items())))
    show_table(rows, title="Simulation")
    if result.waves:
        show_next(f"Waves: {result.waves}")
    if result.mismatches or result.cycle_mismatches:
        show_next("The engine differs from the golden model.")
    else:
        show_next("Every output and every cycle count equals the golden model's.")
