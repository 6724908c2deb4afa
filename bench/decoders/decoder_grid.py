"""Which layers every engine is measured on, and what is known of them already."""

from __future__ import annotations

import hashlib
import json
import statistics
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from decoder_engines import CONTENDERS, MULTIPLIERS
from decoder_layers import RATIOS, SHAPES, SPREAD

ROOT = Path(__file__).parents[2]
RUNS = ROOT / "build" / "decoders"
RECORD = ROOT / "docs" / "results" / "decoders.json"
PRUNING = ROOT / "docs" / "results" / "pruning.json"
NETWORK = "lenet-300-100"
TOLERANCE = 0.003
"""Loss of integer accuracy that counts as none; that of docs/results/pruning.md."""
BUILT_RATIO = 16
"""Ratio of the random layers that are placed; another one changes little but the memories."""
WIDELY_BUILT = (1024, 1024)
"""The layer of random weights that is placed with every number of multipliers, others with few."""
NOT_ROUTED = ("csr", "eie")
"""Engines that nextpnr found no ways for in half an hour, with many multipliers."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One engine on one layer of random weights, or on all layers of a network, one by one.

    Parameters
    ----------
    engine : str
        Of `decoder_engines.CONTENDERS`.
    multipliers : int
        P.
    shape : tuple of int, optional
        (M, N); None for the network.
    row : str, optional
        Of docs/results/pruning.md; for the network.
    ratio : int
    """

    engine: str
    multipliers: int
    shape: tuple[int, int] | None = None
    row: str | None = None
    ratio: int

    @property
    def subject(self) -> str:
        """What is computed, in words."""
        return f"{self.shape[0]} x {self.shape[1]}" if self.shape else NETWORK

    @property
    def name(self) -> str:
        """The name of its file."""
        middle = "x".join(map(str, self.shape)) if self.shape else f"{NETWORK}-{self.row}"
        return f"{self.engine}-{self.multipliers}-{middle}-{self.ratio}"

    @property
    def built(self) -> bool:
        """Whether its layer, a network's first one, is placed and routed.

        Random weights that are all kept are more than the chip holds.
        """
        contender = CONTENDERS[self.engine]
        few = self.multipliers == min(MULTIPLIERS)
        if self.shape is None:
            return few and self.row == contender.rows[0]
        widely = self.shape == WIDELY_BUILT and self.engine not in NOT_ROUTED
        here = self.ratio == BUILT_RATIO and (few or widely)
        # Another order of rows is no other engine.
        return here and bool(contender.rows)

    @property
    def router(self) -> str:
        """Which of nextpnr's routers finds its ways."""
        hard = self.engine == "eie" and (self.shape is None or max(self.shape) > 1024)
        return "router1" if self.multipliers == min(MULTIPLIERS) and not hard else "router2"

    @property
    def recipe(self) -> str:
        """A digest of what decides its figures, the code left out."""
        parts = (asdict(self), SPREAD)
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]


def equal_accuracy_ratio(row: str) -> int | None:
    """Return the largest ratio at which a row's mean accuracy is that of the dense network.

    Less `TOLERANCE`, and so at every smaller ratio that was run; None where there is none.
    """
    results = [
        result
        for result in json.loads(PRUNING.read_text())
        if result["subject"] == NETWORK and result["integer"] is not None
    ]

    def mean(row: str, ratio: int) -> float:
        found = (r["integer"] for r in results if (r["row"], r["ratio"]) == (row, ratio))
        return statistics.fmean(found)

    least, largest = mean("dense", 1) - TOLERANCE, None
    for ratio in sorted({result["ratio"] for result in results if result["row"] == row}):
        if mean(row, ratio) < least:
            break
        largest = ratio
    return largest


def cases() -> Iterator[Case]:
    """Return every case, the network's last."""
    fitting = [
        (name, contender, multipliers)
        for multipliers in MULTIPLIERS
        for name, contender in CONTENDERS.items()
        if multipliers >= contender.least_multipliers
    ]
    for shape in SHAPES:
        for name, contender, multipliers in fitting:
            for ratio in (1,) if contender.method == "dense" else RATIOS:
                yield Case(engine=name, multipliers=multipliers, shape=shape, ratio=ratio)
    for name, contender, multipliers in fitting:
        for row in contender.rows:
            ratio = equal_accuracy_ratio(row)
            if ratio is not None:
                yield Case(engine=name, multipliers=multipliers, row=row, ratio=ratio)


@cache
def record() -> dict[str, dict]:
    """Return the results on record, by name."""
    if not RECORD.is_file():
        return {}
    return {result["name"]: result for result in json.loads(RECORD.read_text())}


def finished(case: Case) -> dict | None:
    """Return the result of a case, None of one that is not done; this machine's come first."""
    path = RUNS / f"{case.name}.json"
    result = json.loads(path.read_text()) if path.is_file() else record().get(case.name)
    return result if result is not None and result["recipe"] == case.recipe else None
