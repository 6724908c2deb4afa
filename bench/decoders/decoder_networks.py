"""LeNet-300-100, trained and pruned for each engine, layer by layer."""

from __future__ import annotations

import dataclasses
import pickle
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from decoder_grid import NETWORK, RUNS
from decoder_layers import VECTORS, Work

from darb.golden import IntegerLayer, IntegerNetwork
from darb.golden.fixed_point import requantize
from darb.sw.folding import choose_folding, pattern_network
from darb.sw.integer_accuracy import quantized_accuracy
from darb.sw.pruning import prune
from darb.sw.quantization import quantize, quantize_input
from darb.sw.training import calibration_of

sys.path.append(str(Path(__file__).parents[1] / "pruning"))

from reference_grid import METHODS, Run, dataset_of
from reference_run import dense_path, load_dense, perform_and_keep, retrained, write


@dataclass(frozen=True, kw_only=True)
class Network:
    """A pruned and retrained network in integers.

    Parameters
    ----------
    works : tuple of Work
        Its layers, without the columns that are left out and the rows that nobody reads.
    accuracy : float
        Of the integers, on the test part.
    """

    works: tuple[Work, ...]
    accuracy: float


def _fold(run: Run, multipliers: int) -> tuple[int, int]:
    """Return the fold that finishes the network soonest, judged by the masks before training."""
    calibration = calibration_of(dataset_of(NETWORK))

    def patterns(lanes: int, rows: int) -> IntegerNetwork:
        settings = {**run.settings, "lanes": lanes, "rows": rows}
        config = dataclasses.replace(run, settings=settings).config()
        return pattern_network(
            prune(load_dense(run), config, calibration=calibration).finalize().layers
        )

    fold = choose_folding(patterns, multipliers=multipliers)
    return fold.lanes, fold.rows


def _named_columns(layer: IntegerLayer) -> IntegerLayer:
    """Leave out the columns without a weight, as formats without row patterns do for nothing."""
    return dataclasses.replace(layer, columns=np.flatnonzero(layer.weights.any(axis=0)))


def _compact(network: IntegerNetwork, index: int) -> IntegerLayer:
    """Return a layer of stored columns and of rows that the next layer names, and nothing else."""
    layer, rows = network.layers[index], network.live_rows(index)
    return dataclasses.replace(
        layer,
        weights=layer.in_stored_order()[rows],
        columns=np.arange(layer.columns.size),
        patterns=tuple(layer.patterns[row] for row in rows),
        **{name: getattr(layer, name)[rows] for name in ("bias", "multiplier", "shift")},
    )


def lenet(method: str, ratio: int, *, multipliers: int) -> Network:
    """Return a network pruned as the reference runs do with their first seed; kept once trained.

    Parameters
    ----------
    method : str
        A row of docs/results/pruning.md, or ``dense``.
    ratio : int
    multipliers : int
        P, which DARB's patterns are chosen for.
    """
    run = Run(subject=NETWORK, row="dense", ratio=1, seed=0)
    if method != "dense":
        run = dataclasses.replace(run, row=method, ratio=ratio, settings=dict(METHODS[method]))
    # Only DARB's patterns are chosen for an engine.
    engine = f"-{multipliers}" if run.settings.get("method") == "darb" else ""
    path = RUNS / f"network-{run.name}-{run.recipe}{engine}.pickle"
    if not path.is_file():
        network = _trained(run, multipliers)
        write(path, lambda part: part.write_bytes(pickle.dumps(network)))
    return pickle.loads(path.read_bytes())


def _trained(run: Run, multipliers: int) -> Network:
    torch.set_num_threads(1)
    dense, fold = Run(subject=NETWORK, row="dense", ratio=1, seed=0), {}
    if not dense_path(dense).is_file():
        perform_and_keep(dense)
    dataset = dataset_of(NETWORK)
    calibration = calibration_of(dataset)
    pruned: object = load_dense(run)
    if run.ratio > 1:
        if run.settings["method"] == "darb":
            fold = dict(zip(("lanes", "rows"), _fold(run, multipliers), strict=True))
            run = dataclasses.replace(run, settings={**run.settings, **fold})
        pruned, _ = retrained(run)
    integers = quantize(pruned if fold else getattr(pruned, "model", pruned), calibration)
    if not fold:
        layers = tuple(map(_named_columns, integers.layers))
        integers = dataclasses.replace(integers, layers=layers)
    vectors, works = quantize_input(integers, dataset.validation_x[:VECTORS]), []
    for index, layer in enumerate(integers.layers):
        compact = _compact(integers, index)
        works.append(Work(layer=compact, vectors=vectors[:, layer.columns], **fold))
        sums = vectors @ layer.weights.T.astype(np.int64) + layer.bias
        vectors = requantize(sums, layer.multiplier, layer.shift, bits=8, relu=layer.relu)
    accuracy = quantized_accuracy(pruned, dataset.test_x, dataset.test_y, calibration)
    return Network(works=tuple(works), accuracy=accuracy)
