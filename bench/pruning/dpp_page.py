"""The page, pictures and JSON of the runs that are done, for `dpp.py`."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator
from pathlib import Path

from dpp_grid import SUBJECTS, finished, grid

from darb.sw.dpp import DppEpoch
from darb.sw.dpp.picture import draw_dpp

RESULTS = Path(__file__).parents[2] / "docs" / "results"
LEARNT = 0.5
HEADINGS = (
    "chosen",
    "n / k",
    "weights",
    "seeds",
    "weights kept",
    "test, %",
    "on the engine, %",
    "confidence",
    "agreement",
    "diversity",
)
PICTURES = (
    "digits-weights-8-real-0",
    "digits-tiles-8-real-0",
    "digits-tiles-8-1bit-0",
    "digits-conv-kernels-4-real-0",
    "digits-conv-maps-4-real-0",
    "mnist-tiles-8-real-0",
)


def weights_of(bits: int | None) -> str:
    """Return what weights are trained as."""
    return {None: "real", 1: "binary"}.get(bits, f"{bits}-bit")


def _spread(results: list[dict], field: str, scale: float, digits_: int) -> str:
    values = [scale * result[field] for result in results if result[field] is not None]
    if not values:
        return ""
    text = f"{statistics.fmean(values):.{digits_}f}"
    return text if len(values) < 2 else f"{text} ± {statistics.stdev(values):.{digits_}f}"


def table(name: str) -> tuple[list[str], list[dict]]:
    """Return a subject's table and the results that it is of."""
    rows: dict[tuple, list[dict]] = {}
    for run in grid(name):
        result = finished(run)
        if result is not None:
            key = ("dense" if run.ratio == 1 else run.granularity, run.ratio, run.bits)
            rows.setdefault(key, []).append(result)
    lines = ["| " + " | ".join(HEADINGS) + " |", "|" + "---|" * len(HEADINGS)]
    for (granularity, ratio, bits), results in sorted(
        rows.items(),
        key=lambda row: (row[0][0] != "dense", row[0][0], row[0][1], -(row[0][2] or 9)),
    ):
        kept = results[0]
        cells = [
            granularity,
            str(ratio),
            weights_of(bits),
            str(len(results)),
            f"{kept['stored']:,}, 1 in {kept['weights'] / kept['stored']:.1f}",
            _spread(results, "test", 100, 2),
            _spread(results, "integer_test", 100, 2),
            _spread(results, "confidence", 1, 2),
            _spread(results, "agreement", 1, 2),
            "" if granularity == "maps" else _spread(results, "diversity", 1, 2),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return lines, [result for results in rows.values() for result in results]


PAGE = """# DPP: dynamic probabilistic pruning

Written by `python bench/pruning/dpp.py`. Every row of a layer keeps exactly k of its n units, and
learns which: masks are drawn anew each batch, by Gumbel top-k of logits that are trained with the
weights, from scratch. After Gonzalez-Carabarin et al., "Dynamic Probabilistic Pruning", 2021; the
docstrings of `darb.sw.dpp` say what is theirs and what our reading. Numbers are test accuracies,
mean and standard deviation over the seeds; the test part is read once a run, at the end.

- chosen: weights, k of a neuron's inputs; tiles, k of every 16 consecutive inputs, which is a row
  pattern of the engine; kernels, k of a feature map's kernels; maps, k of a layer's feature maps.
  The Linear layer behind convolutions stays dense, and n of the first convolution's kernels is 1.
- n / k: what the rule asks of every row; a row keeps at least one unit.
- on the engine: the packed integer network, 8-bit activations, 2-bit weights where they are binary.
- confidence: 1 less the entropy of a row's distribution above log k, over its most: 1 if no larger
  than that of k sure units. Agreement: how much of the final mask a mask drawn with noise shares.
  Diversity: mutual information between row and unit in the final masks, over its most. Means over
  the pruned layers, at the end. One row, as maps have, has no diversity.

Rows of the grid that are not here have not been run. Nothing is tuned for one row of a table: all
of a table share epochs and learning rates, which are few epochs for MNIST.
"""
OVER_TRAINING = """One seed each. A line is a layer, named by its place in the network. The
temperature falls from 5 to 0.5 over the epochs that draw masks; then the masks are fixed.
"""


def picture_paragraphs() -> Iterator[str]:
    """Draw the pictures of the runs that are done; return their paragraphs."""
    runs = {run.name: run for name in SUBJECTS for run in grid(name)}
    for name in PICTURES:
        run = runs[name]
        result = finished(run)
        if result is None:
            continue
        history = [DppEpoch.from_dict(state) for state in result["history"]]
        path = RESULTS / f"dpp-{name}.png"
        draw_dpp(history, path, validation=result["validation_by_epoch"])
        subject = SUBJECTS[run.subject]
        yield (
            f"{subject.title}: {run.granularity}, n / k = {run.ratio}, {weights_of(run.bits)} "
            f"weights.\n\n![{name}]({path.name})\n"
        )


def write_page() -> None:
    """Write page, pictures and JSON from the runs that are done."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    text, collected = [PAGE], []
    for name, subject in SUBJECTS.items():
        lines, results = table(name)
        if not results:
            continue
        training = (
            f"{subject.epochs} epochs, the last {subject.frozen_epochs} under a fixed mask; "
            f"batches of {subject.batch}; learning rate {subject.lr:g}, "
            f"{subject.logits_lr:g} of logits."
        )
        text.append("\n".join([f"## {subject.title}", "", training, "", *lines, ""]))
        collected += results
    failed = [result["name"] for result in collected if result["validation"] < LEARNT]
    if failed:
        text.append(f"Did not learn, and are in the means all the same: {', '.join(failed)}.\n")
    pictures = list(picture_paragraphs())
    if pictures:
        text.append("\n".join(["## Over training\n", OVER_TRAINING, *pictures]))
    (RESULTS / "dpp.md").write_text("\n".join(text))
    for result in collected:
        del result["history"], result["validation_by_epoch"]
    (RESULTS / "dpp.json").write_text(json.dumps(collected, indent=1) + "\n")
