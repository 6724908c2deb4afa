"""``darb simulate``: the generated Verilog against the golden model, vector by vector."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from darb.sw.cli.generate import StorageChoice

if TYPE_CHECKING:
    from darb.golden import Image
    from darb.hw.simulation import SimulationResult


WAVES_DIRECTORY = "darb-waves"


class Simulator(StrEnum):
    """Simulators that the bench runs on."""

    VERILATOR = "verilator"
    ICARUS = "icarus"


class Netlist(StrEnum):
    """Families whose netlists can be simulated."""

    ECP5 = "ecp5"


def simulate(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Image directory.")],
    simulator: Annotated[
        Simulator | None,
        typer.Option(help="What runs the Verilog; by default verilator, for a netlist icarus."),
    ] = None,
    vectors: Annotated[
        Path | None,
        typer.Option(
            metavar="X.npy",
            help="Inputs, (B, ...): integers as the engine takes them, in an array of an integer "
            "type; of a float type real values, which are scaled and rounded. By default the "
            "image's own.",
        ),
    ] = None,
    storage: Annotated[
        StorageChoice, typer.Option(help="ram: load the image over AXI4-Lite first.")
    ] = StorageChoice.ROM,
    netlist: Annotated[
        Netlist | None,
        typer.Option(help="Synthesise for this family first, and simulate the cells (slow)."),
    ] = None,
    waves: Annotated[
        bool, typer.Option("--waves", help="Record every signal, in --build-dir.")
    ] = False,
    build_dir: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help=f"Keep Verilog, logs and waves here; with --waves {WAVES_DIRECTORY} by default.",
        ),
    ] = None,
) -> None:
    """Simulate an image's engine and compare outputs and cycles with the golden model.

    Ends with status 1 if anything differs.
    """
    from darb.golden import Storage, read_image
    from darb.hw.simulation import simulate as run
    from darb.sw.array_files import read_array
    from darb.sw.cli.screen import stages
    from darb.sw.input_scaling import image_inputs

    if simulator is None:
        simulator = Simulator.VERILATOR if netlist is None else Simulator.ICARUS
    if waves and build_dir is None:
        build_dir = Path(WAVES_DIRECTORY)
    image = read_image(directory)
    inputs = None if vectors is None else image_inputs(image, read_array(vectors))
    with stages() as show:
        show("build", 0, 1)

        def progress(done: int, total: int) -> None:
            # The simulator reports vectors only once it is built.
            show("build", 1, 1)
            show("simulate", done, total)

        result = run(
            directory,
            simulator=simulator.value,
            vectors=inputs,
            storage=Storage(storage),
            netlist=netlist and netlist.value,
            build_dir=build_dir,
            waves=waves,
            progress=progress,
        )
    _show(result, image)
    if not result.exact:
        raise typer.Exit(1)


def _show(result: SimulationResult, image: Image) -> None:
    from darb.golden import EngineModel
    from darb.golden.timeline import utilisation
    from darb.sw.cli.screen import clocks, percent, show_next, show_table

    count = len(result.outputs)
    rows = [
        ("simulator", result.simulator),
        ("vectors", f"{count:,}"),
        ("mismatches", f"{result.mismatches:,}"),
        ("cycle mismatches", f"{result.cycle_mismatches:,}"),
        ("cycles a vector", clocks(result.registers["cycles"] / count)),
        ("latency", f"{result.latency:,} cycles, first input beat to last output beat"),
    ]
    if count > 1:
        busy = utilisation(image, EngineModel(image).layers, result.interval)
        rows += [
            ("cycles, back to back", f"{result.interval:,}"),
            ("... utilisation", f"{percent(busy)} of {image.config.multipliers} multipliers"),
        ]
    seconds = ", ".join(f"{name} {value:.1f}" for name, value in result.seconds.items())
    rows.append(("seconds", seconds))
    show_table(rows, title="Simulation")
    if result.waves:
        show_next(f"Waves: {result.waves}")
    if result.exact:
        show_next("Every output and every cycle equals the golden model's.")
    else:
        show_next("The engine differs from the golden model.")
