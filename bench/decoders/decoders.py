"""darb's engine beside the engines of rival formats: storage, clocks, area, decoding efficiency.

Run it with ``python bench/decoders/decoders.py``: it packs layers of random weights, and
LeNet-300-100 pruned by each method where DARB_MNIST_DIR names the folder of
MNIST's idx files, for every engine; counts bits and clocks by the golden models; and places and
routes engines of all kinds for layers of each shape. Every case leaves a JSON file in
build/decoders and is not run again while that, or its line in docs/results/decoders.json, is there.
docs/results/decoders.md and its plots are written from all that are done.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections import Counter
from typing import Annotated

import typer
from decoder_build import build
from decoder_engines import CONTENDERS, Candidate
from decoder_grid import RUNS, Case, cases, finished
from decoder_layers import Work, synthetic
from decoder_page import PAGE, write_page
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from darb.hw.flow.step import BuildError
from darb.hw.flow.workshop import Progress as BuildProgress

SPARSE = 0.5
"""Share of activations that are not zero where an engine is timed with zeros among them."""


def _works(case: Case, *, density: float) -> tuple[tuple[Work, ...], float | None]:
    """Return the layers of a case, and the accuracy of its network."""
    if case.shape is not None:
        method = CONTENDERS[case.engine].method
        work = synthetic(
            case.shape, method, case.ratio, multipliers=case.multipliers, density=density
        )
        return (work,), None
    # Only the network needs torch's training and MNIST.
    from decoder_networks import lenet

    network = lenet(case.row, case.ratio, multipliers=case.multipliers)
    return network.works, network.accuracy


def _area(
    candidate: Candidate, decoder: str, router: str, progress: BuildProgress
) -> dict[str, object]:
    """Return what the engine takes, and its decoder's components each built alone."""
    try:
        engine = build(
            candidate.top(), candidate.files, decoder=decoder, router=router, progress=progress
        )
    except BuildError as error:
        if "no BELs remaining" not in str(error):
            raise
        return {"refused": "more than the chip holds"}
    alone: Counter = Counter()
    for component, count in candidate.decoder():
        used = build(component, {}, decoder=decoder, router=router, progress=progress).used
        alone.update({kind: count * used[kind] for kind in engine.decoder})
    return {**engine.to_json(), "decoder_alone": dict(alone)}


def measure(case: Case, *, places: bool, progress: BuildProgress) -> dict[str, object]:
    """Return all figures of a case; those of place and route only where it `places`."""
    contender = CONTENDERS[case.engine]
    works, accuracy = _works(case, density=SPARSE)
    candidates = [contender.candidate(work, case.multipliers) for work in works]
    layers = [
        {
            "shape": list(work.layer.shape),
            "fold": candidate.fold,
            "zeros_interval": candidate.zeros_interval,
            "storage": dataclasses.asdict(candidate.storage),
            **dataclasses.asdict(candidate.outcome),
        }
        for work, candidate in zip(works, candidates, strict=True)
    ]
    area = None
    if case.built and places:
        area = _area(candidates[0], contender.decoder, case.router, progress)
    return {
        "name": case.name,
        "subject": case.subject,
        "engine": case.engine,
        "multipliers": case.multipliers,
        "row": case.row,
        "ratio": case.ratio,
        "recipe": case.recipe,
        "accuracy": accuracy,
        "layers": layers,
        "area": area,
    }


def main(
    engines: Annotated[list[str] | None, typer.Argument(metavar="[ENGINE]...")] = None,
    places: Annotated[
        bool, typer.Option("--place/--no-place", help="Place and route; some minutes an engine.")
    ] = True,
    page: Annotated[bool, typer.Option(help="Write docs/results/decoders.md afterwards.")] = True,
) -> None:
    """Measure what is not measured yet of these engines, or of all; then write the page."""
    for name in engines or ():
        if name not in CONTENDERS:
            raise typer.BadParameter(f"must be of {', '.join(CONTENDERS)}, not {name!r}")
    console = Console()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    readable = "DARB_MNIST_DIR" in os.environ
    due = [
        case
        for case in cases()
        if (not engines or case.engine in engines) and (case.shape is not None or readable)
    ]
    RUNS.mkdir(parents=True, exist_ok=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("cases", total=len(due))
        for case in due:
            known = finished(case)
            if known is None or (places and case.built and known["area"] is None):

                def tell(step: str, done: int, total: int, phase: str, name: str = case.name):
                    progress.update(task, description=f"{name}: {phase or step}")

                progress.update(task, description=case.name)
                result = measure(case, places=places, progress=tell)
                part = RUNS / f".{case.name}.part"
                part.write_text(json.dumps(result))
                part.replace(RUNS / f"{case.name}.json")
                clocks = sum(layer["interval"] for layer in result["layers"])
                progress.console.print(f"{case.name:<44} {clocks:.0f} clocks", highlight=False)
            progress.advance(task)
    if page:
        write_page()
        console.print(f"Written: {PAGE}", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    typer.run(main)
