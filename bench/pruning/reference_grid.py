"""The networks, methods, ratios and seeds of the reference runs, and which of them are done."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from torch import nn

from darb.sw.datasets import Dataset, digits, mnist, spoken_digits
from darb.sw.networks import lenet5, mlp, speech_classifier
from darb.sw.pruning import (
    BankBalanced,
    Irregular,
    NOfM,
    PruneConfig,
    SquareBlocks,
    Structured,
)

ROOT = Path(__file__).parents[2]
RUNS = ROOT / "build" / "pruning" / "reference"
RECORD = ROOT / "docs" / "results" / "pruning.json"
RATIOS = (4, 8, 13, 16, 25, 32, 50, 64)
SEEDS = (0, 1, 2)


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One network on one dataset, and how it is trained; the same for every method.

    Parameters
    ----------
    tolerance : float
        Points under the dense network's accuracy that count as none.
    shown : float
        Points under it that the plot shows.
    needs : str, optional
        The environment variable that names its data.
    """

    title: str
    network: Callable[[int], nn.Module]
    dataset: Callable[[], Dataset]
    batch: int
    dense_epochs: int
    dense_lr: float
    pruned_epochs: int
    pruned_lr: float
    ramp: float = 0.5
    tolerance: float = 0.3
    shown: float = 4.0
    methods: tuple[str, ...] = ()
    ablation_ratios: tuple[int, ...] = ()
    ablations: tuple[str, ...] = ()
    needs: str | None = None


METHODS: dict[str, dict] = {
    "irregular": {"method": Irregular()},
    "irregular-normalized": {"method": Irregular(normalized=True)},
    "irregular-published": {"method": Irregular(), "saliency": "magnitude"},
    "structured": {"method": Structured(unit="column")},
    "block-2": {"method": SquareBlocks(size=2)},
    "block-4": {"method": SquareBlocks(size=4)},
    "block-8": {"method": SquareBlocks(size=8)},
    "block-published": {"method": SquareBlocks(size=4), "saliency": "magnitude"},
    "n-of-64": {"method": NOfM(m=64), "order": "searched"},
    "bank-balanced": {"method": BankBalanced(banks=8), "order": "searched"},
    "bmwm": {"method": "bmwm", "order": "searched", "max_k": 8},
    "darb-paper": {
        "method": "darb",
        "assignment": "density",
        "saliency": "magnitude",
        "order": "natural",
        "max_k": 8,
    },
    "darb": {"method": "darb", "order": "searched", "max_k": 8},
    "darb-mixed": {"method": "darb", "order": "searched", "max_k": 8, "max_keep": 4},
}
"""Fields of `PruneConfig`, by the name of a row. Saliency is ``|w| * rms(x)`` by default."""

TITLES = {
    "irregular": "irregular (CSR)",
    "irregular-normalized": "irregular, layers normalised",
    "irregular-published": "irregular, by magnitude",
    "structured": "structured, columns",
    "block-2": "block 2 x 2 (BSR)",
    "block-4": "block 4 x 4 (BSR)",
    "block-8": "block 8 x 8 (BSR)",
    "block-published": "block 4 x 4, by magnitude",
    "n-of-64": "N:64",
    "bank-balanced": "bank-balanced, 8 banks",
    "bmwm": "BMWM",
    "darb-paper": "DARB as published",
    "darb": "DARB",
    "darb-mixed": "DARB, 1 to 4 weights a block",
}

ABLATIONS = (
    "order-natural",
    "order-spread",
    "all-columns",
    "columns-searched",
    "blocks-64",
    "saliency-magnitude",
    "saliency-fisher",
    "assignment-density",
    "assignment-sensitivity",
    "budget-uniform",
    "budget-joint",
    "budget-searched",
    "keep-2",
    "regrow",
    "admm",
    "no-teacher",
    "rewound-half",
    "quantized",
)
"""Names of `ablation_grid.CHANGES`."""

SUBJECTS = {
    "digits": Subject(
        title="Digits, MLP 64-256-128-10",
        network=lambda seed: mlp((64, 256, 128, 10), dropout=0.3, seed=seed),
        dataset=digits,
        batch=32,
        dense_epochs=40,
        dense_lr=3e-3,
        pruned_epochs=60,
        pruned_lr=1e-2,
        tolerance=0.5,
        shown=12.0,
        methods=tuple(METHODS),
    ),
    "lenet-300-100": Subject(
        title="MNIST, LeNet-300-100",
        network=lambda seed: mlp((784, 300, 100, 10), dropout=0.3, seed=seed),
        dataset=lambda: mnist(os.environ["DARB_MNIST_DIR"]),
        batch=256,
        dense_epochs=30,
        dense_lr=3e-3,
        pruned_epochs=20,
        pruned_lr=1e-2,
        methods=tuple(METHODS),
        ablation_ratios=(25, 50),
        ablations=ABLATIONS,
        needs="DARB_MNIST_DIR",
    ),
    "lenet-5": Subject(
        title="MNIST, LeNet-5 (convolutions of 20 and 50 maps of 5 x 5, then 800-500-10)",
        network=lambda seed: lenet5(seed=seed),
        dataset=lambda: mnist(os.environ["DARB_MNIST_DIR"]),
        batch=256,
        dense_epochs=6,
        dense_lr=3e-3,
        pruned_epochs=6,
        pruned_lr=5e-3,
        methods=("irregular", "irregular-normalized", "block-4", "darb"),
        ablation_ratios=(16, 32),
        ablations=("order-natural", "order-spread"),
        needs="DARB_MNIST_DIR",
    ),
    "speech": Subject(
        title="Spoken digits, two LSTM layers of 128, then Linear",
        network=lambda seed: speech_classifier(kind="lstm", dropout=0.2, seed=seed),
        dataset=lambda: spoken_digits(os.environ["DARB_FSDD"]),
        batch=64,
        dense_epochs=20,
        dense_lr=3e-3,
        pruned_epochs=20,
        pruned_lr=5e-3,
        tolerance=1.0,
        shown=15.0,
        methods=(
            "irregular",
            "irregular-normalized",
            "block-4",
            "bank-balanced",
            "darb",
            "darb-mixed",
        ),
        ablation_ratios=(16, 25),
        ablations=("order-natural", "order-spread"),
        needs="DARB_FSDD",
    ),
}


@cache
def dataset_of(subject: str) -> Dataset:
    """Return a subject's data, read once a process."""
    return SUBJECTS[subject].dataset()


@dataclass(frozen=True, kw_only=True)
class Run:
    """One pruning and retraining; ratio 1 is the dense network."""

    subject: str
    row: str
    ratio: int
    seed: int
    settings: dict = field(default_factory=dict, hash=False)
    training: dict = field(default_factory=dict, hash=False)

    @property
    def name(self) -> str:
        """The name of its file."""
        return f"{self.subject}-{self.row}-{self.ratio}-{self.seed}"

    @property
    def recipe(self) -> str:
        """A digest of all settings that decide its result: with another one that is out of date."""
        subject = SUBJECTS[self.subject]
        parts = [subject.batch, subject.dense_epochs, subject.dense_lr]
        if self.ratio > 1:
            parts += [subject.pruned_epochs, subject.pruned_lr, subject.ramp]
            parts += [sorted(self.settings.items()), sorted(self.training.items())]
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]

    def config(self, **ramp: int) -> PruneConfig:
        """Return how it is pruned, along a ramp of these fields."""
        return PruneConfig(ratio=self.ratio, seed=self.seed, **ramp, **self.settings)


def grid(name: str) -> Iterator[Run]:
    """Return the runs of a subject, dense first, and every method's first seed before the next."""
    subject = SUBJECTS[name]
    for seed in SEEDS:
        yield Run(subject=name, row="dense", ratio=1, seed=seed)
        for method in subject.methods:
            for ratio in RATIOS:
                yield Run(
                    subject=name, row=method, ratio=ratio, seed=seed, settings=METHODS[method]
                )


@cache
def record() -> dict[str, dict]:
    """Return the results on record, by name."""
    if not RECORD.is_file():
        return {}
    return {result["name"]: result for result in json.loads(RECORD.read_text())}


def finished(run: Run) -> dict | None:
    """Return the result of a run that is done, None of one that is not.

    What this machine has run comes before what is on record in docs/results.
    """
    path = RUNS / f"{run.name}.json"
    result = json.loads(path.read_text()) if path.is_file() else record().get(run.name)
    return result if result is not None and result["recipe"] == run.recipe else None
