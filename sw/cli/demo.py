"""``darb demo``: the whole path on real handwriting, with a table at the end."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from darb.sw.cli.output import check_output
from darb.sw.cli.simulate import Simulator


class Data(StrEnum):
    """Datasets of the demo."""

    DIGITS = "digits"
    MNIST = "mnist"


class Order(StrEnum):
    """Column orders."""

    NATURAL = "natural"
    SPREAD = "spread"
    SEARCHED = "searched"


class Saliency(StrEnum):
    """What a weight is worth."""

    MAGNITUDE = "magnitude"
    ACTIVATION = "activation"
    FISHER = "fisher"


def demo(
    data: Annotated[
        Data, typer.Option(help="digits comes with scikit-learn; mnist reads --data-dir.")
    ] = Data.DIGITS,
    data_dir: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where MNIST's idx files are, .gz or not.")
    ] = None,
    ratio: Annotated[float, typer.Option(help="Weights a stored weight.")] = 16.0,
    lanes: Annotated[
        int | None, typer.Option(metavar="S", help="Multipliers that share a row; a power of two.")
    ] = None,
    rows: Annotated[
        int | None, typer.Option(metavar="R", help="Rows worked on at once; a power of two.")
    ] = None,
    multipliers: Annotated[
        int | None,
        typer.Option(metavar="P", help="Most multipliers, where lanes or rows are left open."),
    ] = None,
    simulator: Annotated[Simulator, typer.Option(help="What runs the Verilog.")] = (
        Simulator.VERILATOR
    ),
    vectors: Annotated[
        int | None, typer.Option(metavar="N", help="Test vectors to simulate; all by default.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of all that training and pruning draw at random.")] = 0,
    checkpoint: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Trained weights, so that dense training is skipped."),
    ] = None,
    order: Annotated[Order, typer.Option(help="Column order.")] = Order.SPREAD,
    saliency: Annotated[Saliency, typer.Option(help="What a weight is worth.")] = (
        Saliency.ACTIVATION
    ),
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where everything is written.")] = Path(
        "darb-demo"
    ),
) -> None:
    """Train, prune, quantise, pack, generate Verilog, simulate it and compare bit for bit.

    Ends with status 1 if an output or a cycle count differs from the golden model's.
    """
    from darb.sw.cli.screen import stages
    from darb.sw.demo import run_demo
    from darb.sw.demo_settings import DemoSettings

    check_output(out)
    settings = DemoSettings(
        data=data.value,
        data_dir=data_dir,
        ratio=ratio,
        lanes=lanes,
        rows=rows,
        multipliers=multipliers,
        simulator=simulator.value,
        vectors=vectors,
        seed=seed,
        checkpoint=checkpoint,
        order=order.value,
        saliency=saliency.value,
    )
    with stages() as show:
        summary = run_demo(settings, out, progress=show)
    _show(summary, out)
    if summary["mismatches"] or summary["cycle_mismatches"]:
        raise typer.Exit(1)


def _show(summary: dict, out: Path) -> None:
    from darb.sw.cli.screen import clocks, percent, show_next, show_table

    rows = [
        ("accuracy, dense", f"{100 * summary['accuracy_dense']:.2f} %"),
        ("accuracy, pruned", f"{100 * summary['accuracy_pruned']:.2f} %"),
        ("accuracy, integer", f"{100 * summary['accuracy_integer']:.2f} %"),
        ("pruning ratio", f"{summary['pruning_ratio']:.2f}"),
        ("effective ratio", f"{summary['effective_ratio']:.2f}"),
        ("image", f"{summary['image_bits']:,} bits"),
        ("bits a stored weight", f"{summary['bits_per_stored_weight']:.2f}"),
        ("lanes x rows", f"{summary['lanes']} x {summary['rows']} multipliers"),
        ("simulator", summary["simulator"]),
        ("vectors simulated", f"{summary['vectors']:,}"),
        ("mismatches", f"{summary['mismatches']:,}"),
        ("cycle mismatches", f"{summary['cycle_mismatches']:,}"),
        ("cycles a vector", clocks(summary["cycles_per_vector"])),
        ("cycles, back to back", clocks(summary["interval_cycles"])),
        ("utilisation", percent(summary["utilisation"])),
        ("seconds", ", ".join(f"{name} {s:.1f}" for name, s in summary["seconds"].items())),
    ]
    show_table(rows, title=f"darb demo on {summary['data']}, seed {summary['seed']}")
    show_next(
        f"Picture: {out / 'pattern.png'}   Summary: {out / 'summary.json'}   "
        f"Verilog: {out / 'build' / 'engine.v'}",
        "Next:",
        f"  darb inspect {out / 'image'}",
        f"  darb simulate {out / 'image'} --waves",
        f"  darb generate {out / 'image'} -o build/",
        "  darb export MODEL.pt2 --calibration x.npy -o image/    # a network of your own",
    )
