"""The page, plots and JSON record of the runs that are done, for `reference.py`."""

from __future__ import annotations

import json
import math
import statistics

from ablation_grid import CHANGES, ablations
from reference_grid import RATIOS, RECORD, ROOT, SUBJECTS, TITLES, finished, grid
from reference_plot import plot_accuracy

RESULTS = ROOT / "docs" / "results"

Results = dict[tuple[str, int], dict[int, dict]]
"""Results by row and ratio, then by seed."""

INTRODUCTION = """# Pruning: DARB beside its rivals

Written by `python bench/pruning/reference.py`; every run's figures are in
[pruning.json](pruning.json). Numbers are accuracies on the test part, in percent, of the network
after quantisation to 8-bit weights and activations: the mean over the seeds and, of several, the
standard deviation between them. Products and sums are integers by the engine's rules. (The engine
runs chains of Linear layers; LeNet-5 and the LSTM are computed by the same rules outside it, the
gates' nonlinearities of the LSTM in floating point.) DPP, which learns its masks from the start, is
on a page of its own, [dpp.md](dpp.md).

Every method starts from the same trained dense networks, one a seed, and has the same epochs,
learning rate, ramp of the ratio (cubic), distillation from the dense network and saliency,
`|w| * rms(x)`, or `|w|` in the rows that say so. Methods that keep so many weights of each part of
a row have the searched column order, and leave out the columns that together hold at most 1 % of a
layer's squared saliency, or natural order where the row is as published. DARB, BMWM and block
pruning weigh layers against one another by shares of each layer's squared saliency; irregular
pruning is run with and without. Epochs and learning rates were chosen once on the validation part
of MNIST, with DARB, irregular and block pruning, and are shared; the epoch that is kept is the best
on the validation part. The test part is read once a run.

A method's ratio is of weights to the slots its format stores, zeros that fill up a block or a
lane included. Where a method cannot meet a ratio exactly it stores less, not more. A cell that is
empty has not been run, or is out of the method's reach, which the list below a table says. "Ratio
at" is the largest ratio up to which the mean accuracy is at least that, on the line through the two
ratios beside it; the last column is DARB's over that of the row.
"""


def collected(name: str) -> Results:
    """Return the finished runs of a subject."""
    results: Results = {}
    for run in (*grid(name), *ablations(name)):
        result = finished(run)
        if result is not None:
            results.setdefault((run.row, run.ratio), {})[run.seed] = result
    return results


def accuracies(results: Results, row: str, ratio: int) -> list[float]:
    """Return the integer accuracies in percent of one cell, by seed; none if out of reach."""
    cell = results.get((row, ratio), {})
    found = (cell[seed]["integer"] for seed in sorted(cell))
    return [100 * accuracy for accuracy in found if accuracy is not None]


def _spread(values: list[float]) -> str:
    if not values:
        return ""
    text = f"{statistics.fmean(values):.2f}"
    return text if len(values) < 2 else f"{text} ± {statistics.stdev(values):.2f}"


def largest_ratio(results: Results, row: str, least: float) -> tuple[float | None, bool]:
    """Return the largest ratio up to which the mean accuracy is at least `least`.

    Between two ratios that were run it is where the straight line through both, over the
    logarithm of the ratio, crosses `least`.

    Returns
    -------
    float or None, bool
        None where the first ratio already falls short; and whether none of those run does, so
        that the ratio may be larger.
    """
    points = [
        (ratio, statistics.fmean(values))
        for ratio in RATIOS
        if (values := accuracies(results, row, ratio))
    ]
    for index, (ratio, mean) in enumerate(points):
        if mean < least:
            if not index:
                return None, False
            before, above = points[index - 1]
            share = (above - least) / (above - mean)
            crossing = math.log(before) + share * (math.log(ratio) - math.log(before))
            return math.exp(crossing), False
    return (float(points[-1][0]), True) if points else (None, False)


def _ratio_text(ratio: float | None, open_ended: bool, smallest: int) -> str:
    if ratio is None:
        return f"below {smallest}"
    return f"at least {ratio:.0f}" if open_ended else f"{ratio:.1f}"


def _quotient_text(ours: tuple[float | None, bool], theirs: tuple[float | None, bool]) -> str:
    if ours[0] is None or theirs[0] is None or (ours[1] and theirs[1]):
        return ""
    bound = "at least " if ours[1] else "at most " if theirs[1] else ""
    return f"{bound}{ours[0] / theirs[0]:.2f}"


def accuracy_table(name: str, results: Results) -> list[str]:
    """Return the table of accuracies of every method over the ratios."""
    subject = SUBJECTS[name]
    dense = accuracies(results, "dense", 1)
    least = statistics.fmean(dense) - subject.tolerance
    heads = ["method", *map(str, RATIOS), f"ratio at {least:.2f} %", "DARB's over it"]
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    ours = largest_ratio(results, "darb", least)
    for method in subject.methods:
        run = [ratio for ratio in RATIOS if accuracies(results, method, ratio)]
        if not run:
            continue
        theirs = largest_ratio(results, method, least)
        cells = [_spread(accuracies(results, method, ratio)) for ratio in RATIOS]
        cells += [_ratio_text(*theirs, run[0]), _quotient_text(ours, theirs)]
        lines.append(f"| {TITLES[method]} | " + " | ".join(cells) + " |")
    return lines


def ablation_table(name: str, results: Results) -> list[str]:
    """Return what each change does to DARB: the difference, seed by seed, at each ratio."""
    subject = SUBJECTS[name]
    heads = ["change", *(f"at ratio {ratio}" for ratio in subject.ablation_ratios)]
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    cells = [_spread(accuracies(results, "darb", ratio)) for ratio in subject.ablation_ratios]
    lines.append("| DARB as it is, % | " + " | ".join(cells) + " |")
    for change in subject.ablations:
        cells = []
        for ratio in subject.ablation_ratios:
            base = results.get(("darb", ratio), {})
            other = results.get((f"darb+{change}", ratio), {})
            differences = [
                100 * (other[seed]["integer"] - base[seed]["integer"])
                for seed in sorted(base.keys() & other.keys())
                if None not in (base[seed]["integer"], other[seed]["integer"])
            ]
            text = _spread(differences)
            cells.append(text if not text or text.startswith("-") else f"+{text}")
        if any(cells):
            lines.append(f"| {CHANGES[change][0]} | " + " | ".join(cells) + " |")
    return lines


def _seeds(results: Results) -> str:
    counts = sorted({len(cell) for cell in results.values()})
    if len(counts) > 1:
        return f"{counts[0]} to {counts[-1]} seeds"
    return f"{counts[0]} seed{'s' if counts[0] > 1 else ''}"


def _section(name: str, results: Results) -> list[str]:
    subject = SUBJECTS[name]
    dense = accuracies(results, "dense", 1)
    lines = [f"## {subject.title}", ""]
    trained = (
        f"Dense: {_spread(dense)} %. {subject.dense_epochs} epochs dense, {subject.pruned_epochs} "
        f"pruned of which the ratio rises over {subject.ramp:.0%}; batches of {subject.batch}; "
        f"largest learning rate {subject.pruned_lr}. {_seeds(results)}."
    )
    lines += [trained, ""]
    lines += accuracy_table(name, results)
    lines += ["", f"![Accuracy over the ratio](pruning-{name}.png)", ""]
    reasons = {
        result["reason"]: result["row"]
        for cell in results.values()
        for result in cell.values()
        if result.get("reason")
    }
    lines += [f"- {TITLES.get(row, row)}: {reason}." for reason, row in reasons.items()]
    lines += [""] if reasons else []
    if subject.ablations and any(row.startswith("darb+") for row, _ in results):
        lines += [
            "What each part brings: DARB as it is, and the points that one change adds, by seed.",
            "",
            *ablation_table(name, results),
            "",
        ]
    return lines


def write_page() -> None:
    """Write the page, a plot a subject, and the record that later runs start from."""
    lines, record = [INTRODUCTION], []
    for name in SUBJECTS:
        results = collected(name)
        if not accuracies(results, "dense", 1):
            continue
        lines += _section(name, results)
        plot_accuracy(RESULTS / f"pruning-{name}.png", name, results)
        record += [cell[seed] for cell in results.values() for seed in sorted(cell)]
    (RESULTS / "pruning.md").write_text("\n".join(lines).rstrip() + "\n")
    rows = ",\n ".join(json.dumps(result) for result in record)
    RECORD.write_text(f"[\n {rows}\n]\n")
