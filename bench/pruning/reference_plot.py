"""Accuracy over the pruning ratio, drawn, for `reference_page.py`."""

from __future__ import annotations

import statistics
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.ticker import FixedLocator, NullLocator, ScalarFormatter
from reference_grid import RATIOS, SUBJECTS, TITLES

_COLORS = {
    "irregular": "tab:blue",
    "irregular-normalized": "tab:cyan",
    "irregular-published": "tab:blue",
    "structured": "tab:gray",
    "block-2": "lightcoral",
    "block-4": "tab:red",
    "block-8": "darkred",
    "block-published": "tab:red",
    "n-of-64": "tab:olive",
    "bank-balanced": "tab:green",
    "bmwm": "tab:purple",
    "darb-paper": "tab:orange",
    "darb": "black",
    "darb-mixed": "black",
}
_DASHED = ("irregular-published", "block-published", "darb-mixed")


def plot_accuracy(path: Path, name: str, results: dict[tuple[str, int], dict[int, dict]]) -> None:
    """Draw every method's mean integer accuracy, with the spread between seeds, to a PNG."""
    subject = SUBJECTS[name]
    dense = statistics.fmean(100 * result["integer"] for result in results[("dense", 1)].values())
    figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
    highest = dense
    for method in subject.methods:
        ratios, means, spreads = [], [], []
        for ratio in RATIOS:
            values = [
                100 * result["integer"]
                for result in results.get((method, ratio), {}).values()
                if result["integer"] is not None
            ]
            if values:
                ratios.append(ratio)
                means.append(statistics.fmean(values))
                spreads.append(statistics.stdev(values) if len(values) > 1 else 0.0)
        if not ratios:
            continue
        highest = max(highest, *(map(sum, zip(means, spreads, strict=True))))
        ours = method == "darb"
        axes.errorbar(
            ratios,
            means,
            yerr=spreads,
            label=TITLES[method],
            color=_COLORS[method],
            linestyle="--" if method in _DASHED else "-",
            linewidth=2.5 if ours else 1.2,
            marker="o",
            markersize=5 if ours else 3,
            capsize=2,
            zorder=3 if ours else 2,
        )
    axes.axhline(dense, color="grey", linewidth=1, label="dense")
    axes.axhline(
        dense - subject.tolerance,
        color="grey",
        linewidth=1,
        linestyle="--",
        label=f"dense less {subject.tolerance:g} points",
    )
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(RATIOS))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.set_ylim(dense - subject.shown, highest + 0.05 * subject.shown)
    axes.set_xlabel("pruning ratio, weights a stored slot")
    axes.set_ylabel("integer accuracy on the test part, %")
    axes.set_title(subject.title)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="lower left")
    figure.savefig(path, dpi=110)
    plt.close(figure)
