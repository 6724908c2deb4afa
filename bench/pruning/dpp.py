"""Accuracy, confidence and diversity of DPP at several k of n, with real and quantised weights.

Run it with ``python bench/pruning/dpp.py [SUBJECT ...]``: digits, digits-conv and, where
DARB_MNIST_DIR names the folder of its idx files, mnist. Each run leaves a JSON file in
build/pruning/dpp and is not run again while that is there; the page docs/results/dpp.md, its
pictures and dpp.json are written from all that are. Every choice is made on the validation part;
the test part is read once a run.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time

from dpp_grid import FORMAT, RUNS, SUBJECTS, Run, finished, grid
from dpp_page import write_page

from darb.golden import EngineModel, OutputMode, fit_config, pack
from darb.sw.datasets import Dataset
from darb.sw.dpp import Dpp, DppModel, train_dpp
from darb.sw.quantization import quantize, quantize_input
from darb.sw.training import accuracy, calibration_of

LANES = 4


def integer_accuracy(pruned: DppModel, dataset: Dataset, bits: int | None) -> float:
    """Return the test accuracy of the packed network, as the engine computes it."""
    # Two bits hold minus one, zero and plus one.
    network = quantize(pruned, calibration_of(dataset), weight_bits=2 if bits == 1 else 8)
    config = fit_config(network, lanes=LANES, rows=1, output_mode=OutputMode.ARGMAX)
    classes = EngineModel(pack(network, config)).run(quantize_input(network, dataset.test_x))
    return float((classes[:, 0] == dataset.test_y).mean())


def perform(run: Run, dataset: Dataset) -> dict[str, object]:
    """Train, finish and measure."""
    subject, start = SUBJECTS[run.subject], time.perf_counter()
    model = subject.network(run.seed)
    dpp, validation = Dpp(run.config), []
    dpp.prepare(model)
    best = train_dpp(
        model,
        dpp,
        dataset,
        lr=subject.lr,
        logits_lr=subject.logits_lr,
        seed=run.seed,
        batch=subject.batch,
        on_epoch=lambda epoch: validation.append(epoch.validation),
    )
    pruned = dpp.finalize()
    last = pruned.history[-1].layers.values()
    result = {
        "format": FORMAT,
        "name": run.name,
        "subject": run.subject,
        "granularity": run.granularity,
        "n_over_k": run.ratio,
        "bits": run.bits,
        "seed": run.seed,
        "epochs": subject.epochs,
        "validation": best,
        "test": accuracy(pruned.model, dataset.test_x, dataset.test_y),
        "integer_test": None,
        "weights": pruned.report.weights,
        "stored": pruned.report.stored,
        "confidence": statistics.fmean(state.confidence for state in last) if last else None,
        "agreement": statistics.fmean(state.agreement for state in last) if last else None,
        "diversity": statistics.fmean(state.diversity for state in last) if last else None,
        "validation_by_epoch": validation,
        "history": [state.as_dict() for state in pruned.history],
    }
    if run.granularity == "tiles":
        result["integer_test"] = integer_accuracy(pruned, dataset, run.bits)
    result["seconds"] = round(time.perf_counter() - start, 1)
    return result


def perform_all(names: list[str]) -> None:
    """Perform the runs that are not done yet, telling of each; the first seeds of all first."""
    RUNS.mkdir(parents=True, exist_ok=True)
    datasets: dict[str, Dataset] = {}
    runs = sorted((run for name in names for run in grid(name)), key=lambda run: run.seed)
    for number, run in enumerate(runs, 1):
        result = finished(run)
        if result is None:
            if run.subject not in datasets:
                datasets[run.subject] = SUBJECTS[run.subject].dataset()
            result = perform(run, datasets[run.subject])
            path = RUNS / f"{run.name}.json"
            part = path.with_suffix(".part")
            part.write_text(json.dumps(result))
            part.replace(path)
        print(
            f"{number:3}/{len(runs)}  {run.name:36} validation "
            f"{100 * result['validation']:6.2f} %  {result['seconds']:6.1f} s",
            flush=True,
        )


def main() -> None:
    """Run what is asked for and not done, then write."""
    names = sys.argv[1:] or [
        name for name in SUBJECTS if name != "mnist" or "DARB_MNIST_DIR" in os.environ
    ]
    for name in names:
        if name not in SUBJECTS:
            sys.exit(f"SUBJECT must be one of {', '.join(SUBJECTS)}, not {name!r}")
    perform_all(names)
    write_page()


if __name__ == "__main__":
    main()
