"""Draw idea.svg: how block-pruned rows keep every multiplier busy."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, Polygon, Rectangle

LANES, LENGTH = 4, 8
PITCH, HALF = 3.0, 1.1
BLOCK_BITS = (2, 1, 3, 2, 3, 1, 3, 2)
COLOURS = ("#3b6fb6", "#d9822b", "#3f9b6c", "#a4508b")
INK, SOFT, PALE = "#22272e", "#6b7480", "#eef0f3"

Weights = dict[tuple[int, int, int], int]
"""Row, lane and block to the kept column inside the block."""


def choose_weights() -> Weights:
    """Return one kept column for every block of every row."""
    rng = np.random.default_rng(5)
    return {
        (row, lane, block): int(rng.integers(1 << k))
        for row, k in enumerate(BLOCK_BITS)
        for lane in range(LANES)
        for block in range(LENGTH >> k)
    }


def label(ax: Axes, x: float, y: float, text: str, **style: object) -> None:
    """Write `text`; dark, small and centred unless told otherwise."""
    ax.text(x, y, text, **{"ha": "center", "va": "center", "color": INK, "fontsize": 9, **style})


def draw_matrix(ax: Axes, weights: Weights) -> None:
    """Draw the pruned rows from (0, 0) downwards, one unit a cell."""
    gap = 0.5
    for lane, colour in enumerate(COLOURS):
        left = lane * (LENGTH + gap)
        label(ax, left + LENGTH / 2, 1.0, f"lane {lane}", color=colour, weight="bold")
        ax.plot([left, left + LENGTH], [0.4, 0.4], color=colour, lw=2.2, solid_capstyle="butt")
        for row, k in enumerate(BLOCK_BITS):
            for block in range(LENGTH >> k):
                x, y = left + (block << k), -1.35 * (row + 1)
                corner = (x + 0.06, y + 0.06)
                ax.add_patch(
                    Rectangle(corner, (1 << k) - 0.12, 0.88, fc=PALE, ec="#c6ccd4", lw=0.8)
                )
                kept = x + weights[row, lane, block]
                ax.add_patch(Rectangle((kept + 0.12, y + 0.12), 0.76, 0.76, fc=colour, lw=0))
    for row, k in enumerate(BLOCK_BITS):
        y = -1.35 * (row + 1) + 0.5
        label(ax, -0.5, y, f"row {row}", ha="right", color=SOFT)
        label(ax, LANES * (LENGTH + gap), y, f"blocks of {1 << k}", ha="left", color=SOFT)


def packed_steps(weights: Weights) -> list[tuple[int, list[int]]]:
    """Return (row, index of each lane) for every step, rows sorted by block size."""
    return [
        (row, [weights[row, lane, block] for lane in range(LANES)])
        for row in sorted(range(len(BLOCK_BITS)), key=lambda row: BLOCK_BITS[row])
        for block in range(LENGTH >> BLOCK_BITS[row])
    ]


def draw_steps(ax: Axes, left: float, weights: Weights) -> float:
    """Draw the packed steps as a tape that runs down into the lanes; return its lower end."""
    steps = packed_steps(weights)
    right = left + (LANES - 1) * PITCH + 2 * HALF + 0.6
    y, last = 2.0, None
    for clock, (row, indices) in reversed(list(enumerate(steps))):
        if row != last:
            y -= 0.28
        last = row
        y -= 0.72
        if not clock or steps[clock - 1][0] != row:
            label(ax, left - 0.6, y + 0.3, f"row {row}", ha="right", color=SOFT, fontsize=8)
        if clock in (0, len(steps) - 1):
            label(ax, right, y + 0.3, f"clock {clock}", ha="left", color=SOFT, fontsize=8)
        for lane, (colour, index) in enumerate(zip(COLOURS, indices, strict=True)):
            x = left + lane * PITCH
            ax.add_patch(Rectangle((x, y), 2 * HALF, 0.6, fc=colour, lw=0))
            bits = f"{index:0{BLOCK_BITS[row]}b}"
            label(ax, x + HALF, y + 0.28, bits, color="white", fontsize=7, family="monospace")
    return y


def draw_engine(ax: Axes, left: float, top: float) -> None:
    """Draw a bank and a multiplier for each lane and the adder tree below."""
    first, last = left + HALF, left + HALF + (LANES - 1) * PITCH
    middle, tree = (first + last) / 2, top - 4.6
    for lane, colour in enumerate(COLOURS):
        x = first + lane * PITCH
        arrow(ax, (x, top - 0.1), (x, top - 0.65))
        bank = FancyBboxPatch((x - HALF, top - 1.75), 2 * HALF, 1.0, boxstyle="round,pad=0")
        bank.set(boxstyle="round,pad=0,rounding_size=0.2", fc="white", ec=colour, lw=1.6)
        ax.add_patch(bank)
        label(ax, x, top - 1.27, f"bank {lane}", color=colour, fontsize=8)
        arrow(ax, (x, top - 1.8), (x, top - 2.3))
        ax.add_patch(Circle((x, top - 2.85), 0.5, fc=colour, lw=0))
        for slope in (1, -1):
            ends = [top - 2.85 - 0.2 * slope, top - 2.85 + 0.2 * slope]
            ax.plot([x - 0.2, x + 0.2], ends, color="white", lw=2)
        ax.plot([x, x], [top - 3.4, tree + 0.6], color=INK, lw=1)
    corners = [(first - 0.9, 0.6), (last + 0.9, 0.6), (middle + 1, -0.6), (middle - 1, -0.6)]
    ax.add_patch(Polygon([(x, tree + y) for x, y in corners], fc=PALE, ec=INK, lw=1))
    label(ax, middle, tree, "adder tree")
    arrow(ax, (middle, tree - 0.65), (middle, tree - 1.3))
    label(ax, middle, tree - 1.8, "one sum a row; ReLU, rescale to 8 bits")


def arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float], **style: object) -> None:
    """Draw a straight arrow."""
    style = {"arrowstyle": "-|>", "mutation_scale": 9, "color": INK, "lw": 1, **style}
    ax.add_patch(FancyArrowPatch(start, end, shrinkA=0, shrinkB=0, **style))


def draw() -> Figure:
    """Return the whole picture."""
    weights = choose_weights()
    steps = len(packed_steps(weights))
    dense = len(BLOCK_BITS) * LENGTH
    figure = Figure(figsize=(12, 4.73))
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set_axis_off()
    draw_matrix(ax, weights)
    left = 46.5
    draw_engine(ax, left, draw_steps(ax, left, weights))
    arrow(ax, (39.6, -5.4), (42.4, -5.4), lw=2, mutation_scale=18)
    title = {"fontsize": 13, "weight": "bold", "ha": "left"}
    label(ax, 0, 3.4, "1  Prune to regular blocks", **title)
    label(ax, left - 2.6, 3.4, "2  Pack: no lane ever waits", **title)
    notes = f"""\
Every block keeps exactly one weight; which one is free. Rows that matter
get small blocks, the others large ones. A lane owns a run of whole blocks,
so in every row all lanes hold the same number of weights.

Each clock then takes one weight from every lane: {steps} clocks, not {dense}.
No two lanes want the same memory bank and no row pointers are stored,
only each weight and its place in its block: the bits in the coloured cells."""
    ax.text(0, -13.0, notes, ha="left", va="top", color=INK, fontsize=10.5, linespacing=1.5)
    ax.set_xlim(-3.6, 62.4)
    ax.set_ylim(-21.4, 4.6)
    return figure


if __name__ == "__main__":
    mpl.rcParams["svg.hashsalt"] = "darb"
    mpl.rcParams["font.family"] = "DejaVu Sans"
    target = Path(__file__).with_name("idea.svg")
    draw().savefig(target, metadata={"Date": None, "Creator": None}, facecolor="white")
