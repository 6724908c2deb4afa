"""The networks, their grids of runs, and what is known of each run, for `dpp.py`."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from darb.sw.datasets import Dataset, digits, mnist
from darb.sw.dpp import DppConfig
from darb.sw.networks import mlp

RUNS = Path(__file__).parents[2] / "build" / "pruning" / "dpp"
FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One network on one dataset, how it is trained, and the grid of its runs."""

    title: str
    network: Callable[[int], nn.Module]
    dataset: Callable[[], Dataset]
    granularities: tuple[str, ...]
    ratios: tuple[int, ...]
    quantized_ratio: int
    epochs: int
    frozen_epochs: int
    batch: int
    lr: float = 3e-3
    logits_lr: float = 0.03
    tile: int = 16
    seeds: int = 3


def conv_network(seed: int) -> nn.Sequential:
    """Return three convolutions and a Linear layer for images of 8 x 8 pixels."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Unflatten(1, (1, 8, 8)),
            nn.Conv2d(1, 16, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(32, 32, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(128, 10),
        )


SUBJECTS = {
    "digits": Subject(
        title="Digits, MLP 64-256-128-10",
        network=lambda seed: mlp((64, 256, 128, 10), seed=seed),
        dataset=digits,
        granularities=("weights", "tiles"),
        ratios=(4, 8, 16),
        quantized_ratio=8,
        epochs=30,
        frozen_epochs=8,
        batch=32,
    ),
    "digits-conv": Subject(
        title="Digits, three convolutions of 16, 32 and 32 maps of 3 x 3, then Linear 128-10",
        network=conv_network,
        dataset=digits,
        granularities=("kernels", "maps"),
        ratios=(2, 4, 8),
        quantized_ratio=4,
        epochs=20,
        frozen_epochs=6,
        batch=32,
    ),
    "mnist": Subject(
        title="MNIST, LeNet-300-100",
        network=lambda seed: mlp((784, 300, 100, 10), seed=seed),
        dataset=lambda: mnist(os.environ["DARB_MNIST_DIR"]),
        granularities=("tiles", "weights"),
        ratios=(8, 16),
        quantized_ratio=8,
        epochs=6,
        frozen_epochs=2,
        batch=256,
        logits_lr=0.05,
        seeds=1,
    ),
}


@dataclass(frozen=True, kw_only=True)
class Run:
    """One training: a subject's network at ``n / k`` = `ratio`."""

    subject: str
    granularity: str
    ratio: int
    bits: int | None
    seed: int

    @property
    def weights(self) -> str:
        """What weights are trained as."""
        return "real" if self.bits is None else f"{self.bits}bit"

    @property
    def name(self) -> str:
        """The name of its file."""
        return f"{self.subject}-{self.granularity}-{self.ratio}-{self.weights}-{self.seed}"

    @property
    def config(self) -> DppConfig:
        """How it is pruned."""
        subject = SUBJECTS[self.subject]
        return DppConfig(
            granularity=self.granularity,
            ratio=self.ratio,
            tile=subject.tile if self.granularity == "tiles" else None,
            lanes=None,
            epochs=subject.epochs,
            frozen_epochs=subject.frozen_epochs,
            bits=self.bits,
            seed=self.seed,
        )


def grid(name: str) -> Iterator[Run]:
    """Return the runs of a subject; ratio 1 is the dense network."""
    subject = SUBJECTS[name]
    for seed in range(subject.seeds):
        for granularity in subject.granularities:
            dense = (1,) if granularity == subject.granularities[0] else ()
            for ratio in dense + subject.ratios:
                both = ratio in (1, subject.quantized_ratio)
                for bits in (None, 8, 1) if both else (None,):
                    yield Run(
                        subject=name, granularity=granularity, ratio=ratio, bits=bits, seed=seed
                    )


def finished(run: Run) -> dict | None:
    """Return the result of a run that is done, None of one that is not."""
    path = RUNS / f"{run.name}.json"
    if not path.is_file():
        return None
    result = json.loads(path.read_text())
    current = result["format"] == FORMAT and result["epochs"] == SUBJECTS[run.subject].epochs
    return result if current else None
