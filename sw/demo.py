"""The whole path on real data: train, prune, quantise, pack, generate, simulate, compare."""

from __future__ import annotations

import copy
import dataclasses
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

from darb.golden import EngineModel, IntegerNetwork, read_image
from darb.golden.image_file import IMAGE_FILES
from darb.golden.output_directory import replaced_directory
from darb.hw.simulation import SimulationResult, simulate
from darb.hw.simulators import find_simulator
from darb.hw.verilog import ENGINE_FILES, generate
from darb.sw.checkpoint import load_dense, save_checkpoint
from darb.sw.datasets import Dataset, digits, mnist
from darb.sw.demo_settings import DemoSettings
from darb.sw.exporting import export
from darb.sw.folding import Folding, choose_folding, pattern_network
from darb.sw.inspection import ImageReport, inspect_image
from darb.sw.networks import mlp
from darb.sw.pattern_picture import draw_pattern
from darb.sw.pruning import PruneConfig, PrunedModel, prune
from darb.sw.quantization import quantize, quantize_input
from darb.sw.recipe import prune_and_retrain, recipe_of, train_dense
from darb.sw.training import Epoch, accuracy, calibration_of

SUMMARY = "summary.json"
_DEMO_FILES = (
    *("checkpoint.pt", "pattern.png"),
    *(f"image/{name}" for name in IMAGE_FILES),
    *(f"{folder}/{name}" for folder in ("build", "simulation") for name in ENGINE_FILES),
)
_STORED_VECTORS = 32

Progress = Callable[[str, int, int, str], None]
"""Called with a stage, how much of it is done, of how much, and a note."""


Tell = Callable[[int, int, str], None]


@dataclass
class _Stages:
    """Tells of the stages and notes how long each takes."""

    progress: Progress | None
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[Tell]:
        """Time a stage; it is told of as ended only when it has, with its last note."""
        begin = time.monotonic()
        last = {"total": 1, "note": ""}

        def tell(done: int, total: int, note: str = "") -> None:
            last.update(total=total, note=note)
            if self.progress is not None:
                self.progress(name, min(done, total - 1), total, note)

        tell(0, 1)
        yield tell
        self.seconds[name] = round(time.monotonic() - begin, 3)
        if self.progress is not None:
            self.progress(name, last["total"], last["total"], last["note"])


def _load(settings: DemoSettings) -> Dataset:
    data = digits() if settings.data == "digits" else mnist(settings.data_dir)
    if settings.vectors is not None and settings.vectors > len(data.test_x):
        raise ValueError(
            f"vectors must be at most the {len(data.test_x)} of the test part, "
            f"not {settings.vectors!r}"
        )
    return data


def _tell_epochs(tell: Tell) -> Callable[[Epoch], None]:
    def on_epoch(epoch: Epoch) -> None:
        tell(epoch.index, epoch.epochs, f"validation {100 * epoch.validation:.2f} %")

    return on_epoch


def _fold(
    settings: DemoSettings,
    dense: nn.Module,
    calibration: NDArray[np.float32],
    tell: Tell,
) -> Folding:
    """Choose the engine's shape on the network pruned at once, without the retraining."""

    def pruned_at_once(lanes: int, rows: int) -> IntegerNetwork:
        config = _prune_config(settings, lanes, rows)
        return pattern_network(prune(copy.deepcopy(dense), config, calibration=calibration).masks)

    return choose_folding(
        pruned_at_once,
        multipliers=settings.most_multipliers,
        lanes=settings.lanes,
        rows=settings.rows,
        progress=lambda done, total: tell(done, total, ""),
    )


def _check_reach(
    settings: DemoSettings, sizes: tuple[int, ...], calibration: NDArray[np.float32]
) -> None:
    """Refuse a ratio that is far out of reach before minutes of training.

    The engine with the fewest lanes and rows reaches the highest ratio. Trained networks leave out
    more columns than untrained ones and so reach more, but not twice as much.
    """
    config = _prune_config(settings, settings.lanes or 1, settings.rows or 1)
    config = dataclasses.replace(config, ratio=max(1.0, settings.ratio / 2))
    try:
        prune(mlp(sizes, seed=settings.seed), config, calibration=calibration)
    except ValueError:
        raise ValueError(
            f"ratio must be in reach of blocks of at most {1 << config.max_k} columns, "
            f"not {settings.ratio!r}"
        ) from None


def _prune_config(settings: DemoSettings, lanes: int, rows: int) -> PruneConfig:
    return PruneConfig(
        ratio=settings.ratio,
        saliency=settings.saliency,
        order=settings.order,
        lanes=lanes,
        rows=rows,
        seed=settings.seed,
    )


def _simulated_accuracy(outputs: NDArray[np.int64], labels: NDArray[np.int64]) -> float:
    return float((outputs.argmax(axis=1) == labels).mean())


def _summarise(
    settings: DemoSettings,
    data: Dataset,
    dense: nn.Module,
    pruned: PrunedModel,
    outputs: NDArray[np.int64],
    report: ImageReport,
    result: SimulationResult,
) -> dict:
    return {
        "data": data.name,
        "seed": settings.seed,
        "ratio": settings.ratio,
        "order": settings.order,
        "saliency": settings.saliency,
        "accuracy_dense": accuracy(dense, data.test_x, data.test_y),
        "accuracy_pruned": accuracy(pruned.model, data.test_x, data.test_y),
        "accuracy_integer": _simulated_accuracy(outputs, data.test_y),
        "accuracy_simulated": _simulated_accuracy(
            result.outputs, data.test_y[: len(result.outputs)]
        ),
        "weights": report.weights,
        "stored_weights": report.stored,
        "pruning_ratio": report.pruning_ratio,
        "effective_ratio": report.effective_ratio,
        "image_bits": report.image_bits,
        "bits_per_stored_weight": report.bits_per_stored_weight,
        "mean_index_bits": report.mean_index_bits,
        "digest": report.digest,
        "lanes": report.config["lanes"],
        "rows": report.config["rows"],
        "multipliers": report.multipliers,
        "vectors": len(result.outputs),
        "mismatches": result.mismatches,
        "cycle_mismatches": result.cycle_mismatches,
        "cycles_per_vector": result.registers["cycles"] / len(result.outputs),
        "latency_cycles": result.latency,
        "interval_cycles": result.interval,
        "predicted_interval_cycles": report.interval,
        "utilisation": report.stored / (report.multipliers * result.interval),
        "utilisation_predicted": report.utilisation_steady,
        "simulator": result.simulator,
    }


def run_demo(
    settings: DemoSettings, out: str | Path, *, progress: Progress | None = None
) -> dict[str, object]:
    """Run every stage and write all that comes of it, whole or not at all.

    Parameters
    ----------
    settings : DemoSettings
    out : path
        New, empty, or an earlier demo's directory, which is replaced. Gets ``image/``,
        ``build/`` (the Verilog), ``simulation/``, ``checkpoint.pt``, ``pattern.png`` and
        ``summary.json``.
    progress : callable, optional
        See `Progress`.

    Returns
    -------
    dict
        What ``summary.json`` holds.

    Raises
    ------
    ValueError, TypeError, OSError
        If a setting, a file or `out` does not fit.
    darb.hw.simulators.ToolMissingError
        If the simulator is not here; before any other work.
    """
    stages = _Stages(progress)
    find_simulator(settings.simulator)
    data = _load(settings)
    recipe = settings.recipe or recipe_of(data)
    calibration = calibration_of(data)
    _check_reach(settings, recipe.sizes, calibration)
    with replaced_directory(Path(out), SUMMARY, _DEMO_FILES) as fresh:
        with stages.stage("train") as tell:
            if settings.checkpoint is None:
                dense = train_dense(
                    data, seed=settings.seed, recipe=recipe, on_epoch=_tell_epochs(tell)
                )
            else:
                dense = mlp(recipe.sizes, dropout=recipe.dropout, seed=settings.seed)
                load_dense(settings.checkpoint, dense)
                tell(1, 1, f"taken from {settings.checkpoint}")
        with stages.stage("fold") as tell:
            fold = _fold(settings, dense, calibration, tell)
            tell(1, 1, f"{fold.lanes} lanes x {fold.rows} rows")
        with stages.stage("prune") as tell:
            config = _prune_config(settings, fold.lanes, fold.rows)
            pruned = prune_and_retrain(
                dense,
                data,
                config,
                seed=settings.seed,
                recipe=recipe,
                on_epoch=_tell_epochs(tell),
            )
            save_checkpoint(fresh / "checkpoint.pt", dense=dense, pruned=pruned.model)
        with stages.stage("quantise") as tell:
            network = quantize(pruned, calibration)
            inputs = quantize_input(network, data.test_x)
            tell(1, 1)
        with stages.stage("pack") as tell:
            image_dir = export(
                network,
                fresh / "image",
                lanes=fold.lanes,
                rows=fold.rows,
                vectors=inputs[:_STORED_VECTORS],
            )
            report = inspect_image(image_dir)
            outputs = EngineModel(read_image(image_dir)).run(inputs)
            draw_pattern(image_dir, fresh / "pattern.png")
            tell(1, 1, f"{report.image_bits:,} bits")
        with stages.stage("generate") as tell:
            generate(image_dir, fresh / "build")
            tell(1, 1)
        with stages.stage("simulate") as tell:
            tell(0, 1, "compiling")
            result = simulate(
                image_dir,
                simulator=settings.simulator,
                vectors=inputs[: settings.vectors],
                build_dir=fresh / "simulation",
                progress=lambda done, total: tell(done, total, f"{total} vectors"),
            )
        with stages.stage("compare") as tell:
            summary = _summarise(settings, data, dense, pruned, outputs, report, result)
            tell(1, 1, f"{result.mismatches} mismatches")
        summary["seconds"] = stages.seconds
        (fresh / SUMMARY).write_text(json.dumps(summary, indent=1) + "\n")
    return summary
