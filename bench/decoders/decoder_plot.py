"""Utilisation and storage over the pruning ratio, drawn, for `decoder_page.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

from decoder_engines import CONTENDERS
from decoder_layers import RATIOS
from matplotlib import pyplot as plt
from matplotlib.ticker import FixedLocator, NullLocator, ScalarFormatter

_STYLES = {
    "darb": ("black", "-"),
    "csr": ("tab:blue", "-"),
    "csr-natural": ("tab:blue", "--"),
    "eie": ("tab:cyan", "-"),
    "bsr-2": ("lightcoral", "-"),
    "bsr-2-row": ("lightcoral", "--"),
    "bsr-4": ("tab:red", "-"),
    "bsr-4-row": ("tab:red", "--"),
    "bsr-8": ("darkred", "-"),
}

Results = Mapping[tuple[str, int], dict]
"""Results of one shape by engine and ratio."""


def draw(
    path: Path, title: str, results: Results, panels: Mapping[str, Callable[[dict], float]]
) -> None:
    """Draw one panel for each figure of a layer over the ratios, every engine a line, to a PNG.

    Parameters
    ----------
    path : Path
    title : str
    results : mapping
    panels : mapping of str to callable
        What stands at the axis, and how it is found in a result.
    """
    figure, every = plt.subplots(
        1, len(panels), figsize=(5.5 * len(panels), 4.5), layout="constrained"
    )
    for axes, (label, value) in zip(every, panels.items(), strict=True):
        for engine, (color, line) in _STYLES.items():
            ratios = [ratio for ratio in RATIOS if (engine, ratio) in results]
            if not ratios:
                continue
            values = [value(results[engine, ratio]) for ratio in ratios]
            axes.plot(
                ratios,
                values,
                label=CONTENDERS[engine].title,
                color=color,
                linestyle=line,
                linewidth=2.5 if engine == "darb" else 1.2,
                marker="o",
                markersize=3,
                zorder=3 if engine == "darb" else 2,
            )
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(FixedLocator(RATIOS))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(ScalarFormatter())
        axes.set_ylim(bottom=0)
        axes.set_xlabel("pruning ratio")
        axes.set_ylabel(label)
        axes.grid(alpha=0.3)
    every[0].legend(fontsize=8)
    figure.suptitle(title)
    figure.savefig(path, dpi=110)
    plt.close(figure)
