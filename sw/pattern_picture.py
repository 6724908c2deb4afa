"""A picture of an image: each row's block size and density, and where the kept weights lie."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.colors import Colormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import MaxNLocator, NullLocator
from numpy.typing import NDArray

from darb.golden import EngineModel, Image, Pattern, read_image
from darb.golden.image_walk import PackedLayer

_INK = "#22262b"
_FAINT = "#c3c8cf"
_MOST_SEGMENT_LINES = 32
_DENSEST, _SPARSEST = 0.95, 0.12
_MIN_MARK = 0.0011
_LEAST_LABELLED = 0.06


def _colour(k: int, max_k: int, palette: Colormap) -> tuple:
    share = k / max(max_k, 1)
    return palette(_SPARSEST + (_DENSEST - _SPARSEST) * share)


def _kept(layer: PackedLayer) -> tuple[NDArray[np.int64], NDArray[np.int64], list[Pattern]]:
    """Return packed row and stored column of every nonzero weight, and each row's pattern."""
    rows, columns, patterns = [], [], []
    for section in layer.sections:
        real = section.stored
        weights = section.slots.weights[real]
        positions = section.slots.positions(section.pattern, layer.segments)[real]
        row, *_ = np.nonzero(weights)
        rows.append(row + len(patterns))
        columns.append(positions[weights != 0])
        patterns += [section.pattern] * len(weights)
    return np.concatenate(rows), np.concatenate(columns), patterns


def _draw_weights(axes: Axes, layer: PackedLayer, colours: dict[int, tuple]) -> list[Pattern]:
    rows, columns, patterns = _kept(layer)
    row_k = np.array([pattern.k for pattern in patterns])
    width, height = layer.info.order.size, len(patterns)
    # Wide matrices would show nothing of a weight that is less than a dot wide.
    mark = max(1.0, _MIN_MARK * width), max(1.0, 2 * _MIN_MARK * height)
    for k in np.unique(row_k):
        here = row_k[rows] == k
        marks = [
            Rectangle((column - mark[0] / 2, row - mark[1] / 2), *mark)
            for row, column in zip(rows[here], columns[here], strict=True)
        ]
        axes.add_collection(PatchCollection(marks, facecolor=colours[int(k)], linewidth=0))
    segments = layer.segments
    if segments.lanes <= _MOST_SEGMENT_LINES:
        for lane in range(1, -(-width // segments.length)):
            axes.axvline(lane * segments.length - 0.5, color=_FAINT, linewidth=0.6, zorder=0)
    for row in np.flatnonzero(np.diff(row_k)):
        axes.axhline(row + 0.5, color=_INK, linewidth=0.5)
    axes.set_xlim(-0.5, width - 0.5)
    axes.set_ylim(height - 0.5, -0.5)
    axes.set_ylabel("row, in packed order")
    info = layer.info
    axes.set_title(
        f"layer {info.name}:  {height} of {info.rows} rows, {width} of {info.columns} columns,  "
        f"{len(rows):,} weights kept, 1 in {info.rows * info.columns / len(rows):.1f}",
        loc="left",
        fontsize=10,
    )
    return patterns


def _density(pattern: Pattern) -> float:
    return pattern.keep / pattern.block_size


def _draw_density(axes: Axes, patterns: list[Pattern], colours: dict[int, tuple]) -> None:
    shades = [colours[pattern.k] for pattern in patterns]
    density = [100 * _density(pattern) for pattern in patterns]
    axes.barh(np.arange(len(patterns)), density, height=1.0, color=shades, linewidth=0)
    for pattern in sorted(set(patterns)):
        members = [row for row, other in enumerate(patterns) if other == pattern]
        if len(members) < _LEAST_LABELLED * len(patterns):
            continue
        axes.annotate(
            f"{pattern}, {len(members)} row{'s' if len(members) > 1 else ''}",
            (1.02, (members[0] + members[-1]) / 2),
            xycoords=("axes fraction", "data"),
            va="center",
            fontsize=8,
        )
    axes.tick_params(labelleft=False)


def _scale_density(panels: NDArray, patterns: set[Pattern]) -> None:
    """Give the density panels one axis, so that layers compare."""
    densities = sorted({100 * _density(pattern) for pattern in patterns})
    for axes in panels:
        axes.set_xscale("log", base=2)
        axes.set_xlim(densities[0] / 1.6, 110)
        axes.set_xticks(densities, [f"{density:.3g}" for density in densities], size=7)
        axes.xaxis.set_minor_locator(NullLocator())


def pattern_figure(image: Image) -> Figure:
    """Return the picture of an image in memory, one pair of panels a layer."""
    layers = EngineModel(image).layers
    palette = matplotlib.colormaps["viridis_r"]
    sizes = sorted({section.pattern.k for layer in layers for section in layer.sections})
    colours = {k: _colour(k, max(sizes), palette) for k in sizes}
    patterns: set[Pattern] = set()
    heights = [max(1.2, min(3.6, len(_kept(layer)[2]) / 80)) for layer in layers]
    figure = Figure(figsize=(12, sum(heights) + 0.75 * len(layers) + 0.9), layout="constrained")
    grid = figure.subplots(
        len(layers),
        2,
        squeeze=False,
        sharey="row",
        gridspec_kw={"height_ratios": heights, "width_ratios": (4, 1)},
    )
    for (left, right), layer in zip(grid, layers, strict=True):
        of_rows = _draw_weights(left, layer, colours)
        _draw_density(right, of_rows, colours)
        patterns.update(of_rows)
        left.yaxis.set_major_locator(MaxNLocator(4, integer=True))
        left.tick_params(labelsize=8)
        for axes in (left, right):
            axes.spines[["top", "right"]].set_visible(False)
    _scale_density(grid[:, 1], patterns)
    grid[-1][0].set_xlabel("column, in stored order; each lane owns the columns between two lines")
    grid[-1][1].set_xlabel("weights kept, % of a row")
    figure.legend(
        handles=[
            Patch(color=colours[k], label=f"{1 << k} columns" if k else "1 (dense)") for k in sizes
        ],
        loc="outside upper right",
        ncols=len(sizes),
        frameon=False,
        title="block size",
        fontsize=9,
    )
    return figure


def draw_pattern(directory: str | Path, path: str | Path) -> Path:
    """Draw the picture of an image directory into a ``.png`` file.

    Returns
    -------
    Path
        The file.
    """
    path = Path(path)
    pattern_figure(read_image(directory)).savefig(path, dpi=150)
    return path
