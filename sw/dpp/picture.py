"""A picture of DPP over training: how sure its masks grow, and how different their rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from darb.sw.dpp.dpp import DppEpoch

_PANELS = (
    ("confidence", "confidence, 0..1"),
    ("agreement", "agreement of draws, 0..1"),
    ("entropy", "entropy of a row, bits"),
    ("diversity", "diversity of masks, 0..1"),
    ("divergence", "divergence of distributions, bits"),
)


def dpp_figure(history: Sequence[DppEpoch], *, validation: Sequence[float] | None = None) -> Figure:
    """Return the picture of one training, a line a layer in each panel.

    Parameters
    ----------
    history : sequence of DppEpoch
        Of `DppModel.history`.
    validation : sequence of float, optional
        Accuracy after each epoch, drawn beside the temperature.

    Raises
    ------
    ValueError
        If there is no epoch.
    """
    if not history:
        raise ValueError(f"history must have at least one epoch, not {history!r}")
    figure = Figure(figsize=(12, 6.5), layout="constrained")
    grid = figure.subplots(2, 3).flatten()
    epochs = [state.epoch for state in history]
    names = list(history[0].layers)
    colours = matplotlib.colormaps["viridis"]
    for axes, (field, title) in zip(grid, _PANELS, strict=False):
        for number, name in enumerate(names):
            values = [getattr(state.layers[name], field) for state in history]
            axes.plot(epochs, values, color=colours(number / max(1, len(names))), label=name)
        axes.set_title(title, loc="left", fontsize=10)
        if title.endswith("0..1"):
            axes.set_ylim(-0.03, 1.03)
    last = grid[-1]
    last.plot(epochs, [state.temperature for state in history], color="#22262b")
    last.set_yscale("log")
    last.set_title("temperature", loc="left", fontsize=10)
    if validation is not None:
        other = last.twinx()
        other.plot(
            range(1, len(validation) + 1),
            [100 * share for share in validation],
            color="#b5473c",
        )
        other.set_ylabel("validation, %", color="#b5473c")
        last.set_title("temperature and accuracy", loc="left", fontsize=10)
    for axes in grid:
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.spines["top"].set_visible(False)
    for axes in grid[3:]:
        axes.set_xlabel("epoch")
    figure.legend(
        *grid[0].get_legend_handles_labels(),
        loc="outside upper right",
        ncols=max(1, len(names)),
        frameon=False,
        title="layer",
        fontsize=9,
    )
    return figure


def draw_dpp(
    history: Sequence[DppEpoch],
    path: str | Path,
    *,
    validation: Sequence[float] | None = None,
) -> Path:
    """Draw `dpp_figure` into a file, ``.png`` or ``.svg``.

    Returns
    -------
    Path
        The file.
    """
    path = Path(path)
    dpp_figure(history, validation=validation).savefig(path, dpi=110)
    return path
