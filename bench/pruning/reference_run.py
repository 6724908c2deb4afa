"""One reference run: from a dense network to the accuracy of its pruned integer version."""

from __future__ import annotations

import copy
import json
import time
from pathlib import Path

import torch
from reference_grid import RUNS, SUBJECTS, Run, dataset_of
from torch import nn

from darb.sw.integer_accuracy import quantized_accuracy
from darb.sw.pruning import Admm, PrunedModel, prune
from darb.sw.quantization_aware import QuantizationAware
from darb.sw.training import accuracy, calibration_of, train


def device() -> torch.device:
    """Return the GPU where torch sees one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def dense_path(run: Run) -> Path:
    """Return where the trained dense network of a run's subject and seed is kept."""
    return RUNS / f"{run.subject}-dense-{run.seed}.pt"


def _measured(
    run: Run, network: nn.Module | PrunedModel, started: float, validation: float
) -> dict[str, object]:
    dataset = dataset_of(run.subject)
    model = (network.model if isinstance(network, PrunedModel) else network).cpu()
    return {
        "name": run.name,
        "subject": run.subject,
        "row": run.row,
        "ratio": run.ratio,
        "seed": run.seed,
        "recipe": run.recipe,
        "validation": validation,
        "test": accuracy(model, dataset.test_x, dataset.test_y),
        "integer": quantized_accuracy(
            network, dataset.test_x, dataset.test_y, calibration_of(dataset)
        ),
        "stored": None,
        "reached": 1.0,
        "seconds": round(time.perf_counter() - started, 1),
    }


def train_dense(run: Run, *, first: bool) -> dict[str, object]:
    """Train the dense network, keep it beside the results, and measure it."""
    subject, dataset, started = SUBJECTS[run.subject], dataset_of(run.subject), time.perf_counter()
    model = subject.network(run.seed).to(device())
    validation = train(
        model,
        dataset,
        subject.dense_epochs,
        lr=subject.dense_lr,
        seed=run.seed,
        batch=subject.batch,
    )
    model.cpu()
    if first:
        write(dense_path(run), lambda part: torch.save(model.state_dict(), part))
    return _measured(run, model, started, validation)


def load_dense(run: Run) -> nn.Module:
    """Return the trained dense network of a run's subject and seed."""
    model = SUBJECTS[run.subject].network(run.seed)
    model.load_state_dict(torch.load(dense_path(run), weights_only=True))
    return model.eval().to(device())


def retrained(run: Run) -> tuple[PrunedModel, float]:
    """Prune the dense network of a run and train it.

    Returns
    -------
    PrunedModel, float
        And its accuracy on the validation part.

    Raises
    ------
    ValueError
        If the ratio is out of the method's reach.
    """
    subject, dataset = SUBJECTS[run.subject], dataset_of(run.subject)
    dense = load_dense(run)
    sparse = copy.deepcopy(dense)
    for module in sparse.modules():
        # The masks regularise enough.
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        elif isinstance(module, nn.RNNBase):
            module.dropout = 0.0
    steps = subject.pruned_epochs * -(-len(dataset.train_x) // subject.batch)
    how = {"teacher": dense, "seed": run.seed + 1, "lr": subject.pruned_lr, "batch": subject.batch}
    aids = dict(run.training)
    if not aids.get("distilled", True):
        how["teacher"] = None
    towards = round(aids.get("admm", 0.0) * subject.pruned_epochs)
    config = run.config(
        ramp_steps=0 if towards else round(subject.ramp * steps),
        ramp_every=max(1, steps // 60),
        regrow_steps=round(aids.get("regrow", 0.0) * steps),
    )
    calibration = calibration_of(dataset)
    if towards:
        admm = Admm(sparse, config, calibration=calibration).prepare()
        train(sparse, dataset, towards, admm=admm, **how)
        pruner = admm.finalize()
    else:
        pruner = prune(sparse, config, calibration=calibration)
    quantization = None
    if aids.get("quantized"):
        quantization = QuantizationAware(
            sparse, calibration, refresh_every=steps // subject.pruned_epochs
        )
        how["quantization"] = quantization.prepare()
    epochs = subject.pruned_epochs - towards
    validation = train(
        sparse,
        dataset,
        epochs,
        pruner=pruner,
        schedule_epochs=round(aids.get("schedule", 1.0) * epochs),
        **how,
    )
    pruned = pruner.finalize()
    if quantization is not None:
        quantization.finalize()
    return pruned, validation


def perform(run: Run, *, first: bool = True) -> dict[str, object]:
    """Train, prune, retrain and measure; the test part is read once.

    A ratio out of the method's reach is a result too: its accuracies are None. Only the `first`
    of several processes keeps the dense network.
    """
    # Sums then run in one order, whatever the cores.
    torch.set_num_threads(1)
    if run.ratio == 1:
        return train_dense(run, first=first)
    started = time.perf_counter()
    try:
        pruned, validation = retrained(run)
    except ValueError as error:
        if "ratio must be at most" not in str(error):
            raise
        missing = {"test": None, "integer": None, "validation": None, "stored": None}
        return {
            **{"name": run.name, "subject": run.subject, "row": run.row, "ratio": run.ratio},
            **{"seed": run.seed, "recipe": run.recipe, "reached": None, "seconds": 0.0},
            **missing,
            "reason": str(error),
        }
    result = _measured(run, pruned, started, validation)
    result["stored"] = pruned.report.stored
    result["reached"] = round(pruned.report.effective_ratio, 3)
    return result


def write(path: Path, save) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    save(part)
    part.replace(path)


def keep(run: Run, result: dict[str, object]) -> None:
    """Leave a result as a file."""
    write(RUNS / f"{run.name}.json", lambda part: part.write_text(json.dumps(result)))


def perform_and_keep(run: Run) -> dict[str, object]:
    """Perform a run and leave its result as a file."""
    result = perform(run)
    keep(run, result)
    return result
