"""A picture of a placed design: where each part of the engine stands on the chip."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from darb.hw.flow.build_report import REPORT_JSON
from darb.hw.flow.placement import PLACEMENT

PICTURE = "placement.png"
_INK, _EMPTY = "#22262b", "#f4f5f7"
_PARTS = {
    "multipliers, adders": (r"dot_\d|accumulator_\d", "#3b6fb6"),
    "activation banks": (r"banks", "#4ea3a0"),
    "block-index decoder": (r"decoder", "#d2763a"),
    "image memories": (r"(weights|indices|rows|layers)\b", "#8f6bb3"),
    "row post-processor": (r"post|queue|arg_max", "#c4a02f"),
    "sequencer": (r"sequencer", "#b8475a"),
    "input, output": (r"loader|outputs", "#5f9e4f"),
    "delays, control": (r"engine", "#8a939e"),
    "registers, host link": (r".*", "#454d57"),
}
"""Name of each part, the component paths that belong to it, first match first, and its colour."""


def _part(component: str) -> str:
    return next(name for name, (path, _) in _PARTS.items() if re.match(path, component))


def _tiles(placement: dict[str, list[list[int]]]) -> dict[tuple[int, int], Counter]:
    """Return how many cells of each part stand in each tile."""
    tiles: dict[tuple[int, int], Counter] = defaultdict(Counter)
    for component, places in placement.items():
        for x, y, count in places:
            tiles[x, y][_part(component)] += count
    return tiles


def draw_placement(directory: str | Path) -> Path:
    """Draw placement.png into a build's directory.

    Each tile of the chip has the colour of the part with most cells there, the fainter the fewer
    cells it holds.

    Parameters
    ----------
    directory : path
        Of `darb.hw.flow.build`.

    Returns
    -------
    Path
        The picture.
    """
    directory = Path(directory)
    placement = json.loads((directory / PLACEMENT).read_text())
    report = json.loads((directory / REPORT_JSON).read_text())
    tiles = _tiles(placement)
    width, height = (max(place[axis] for place in tiles) + 1 for axis in (0, 1))
    pixels = np.tile(np.array(to_rgb(_EMPTY)), (height, width, 1))
    fullest = np.percentile([cells.total() for cells in tiles.values()], 90)
    for (x, y), cells in tiles.items():
        part = min(cells, key=lambda name: (-cells[name], name))
        strength = 0.35 + 0.65 * min(1.0, cells.total() / fullest)
        colour = np.array(to_rgb(_PARTS[part][1]))
        pixels[y, x] = strength * colour + (1 - strength) * pixels[y, x]

    scale = 8.5 / max(width, height)
    figure = Figure(figsize=(max(width * scale, 3.0) + 2.6, height * scale + 1.1), dpi=130)
    axes = figure.add_axes((0.03, 0.04, 0.70, 0.84))
    axes.imshow(pixels, interpolation="nearest")
    axes.set_anchor("NW")
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color(_INK)
    title = f"{report['title']}, {report['lanes']} x {report['rows']} multipliers"
    reached = report["clock_reached_hz"] / 1e6
    axes.set_title(f"{title}, {reached:.1f} MHz reached", color=_INK, fontsize=10, loc="left")
    totals = Counter()
    for cells in tiles.values():
        totals.update(cells)
    handles = [
        Patch(color=colour, label=f"{name}  {totals[name]:,}")
        for name, (_, colour) in _PARTS.items()
        if totals[name]
    ]
    axes.legend(
        handles=handles,
        title="cells of",
        loc="upper left",
        bbox_to_anchor=(1.01, 1.0),
        frameon=False,
        fontsize=8,
        title_fontsize=8,
        alignment="left",
    )
    handle, name = tempfile.mkstemp(prefix=".placement.", suffix=".png", dir=directory)
    os.close(handle)
    try:
        figure.savefig(name)
        os.chmod(name, 0o644)
        os.replace(name, directory / PICTURE)
    except BaseException:
        os.unlink(name)
        raise
    return directory / PICTURE
