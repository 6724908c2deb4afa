"""Spending weight slots: steps to more slots, the best first, under an exact budget."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Steps:
    """Steps from fewest slots to most, for the units of all layers.

    A unit is what gets one pattern: a row, R rows, or a layer. Arrays have one entry a step:
    `priority` (the first to be taken is the smallest, and it never falls within a unit), `cost`
    and `unit`.
    """

    priority: NDArray[np.float64]
    cost: NDArray[np.int64]
    unit: NDArray[np.int64]


def spend(steps: Steps, units: int, left: float) -> NDArray[np.int64]:
    """Return how many steps each unit gets: the best first, and none that costs too much.

    Once a unit's step does not fit the unit is done, so in the end no unit's next step fits.
    """
    order = np.argsort(steps.priority, kind="stable")
    costs, unit = steps.cost[order], steps.unit[order]
    sure = int(np.searchsorted(np.cumsum(costs), left, side="right"))
    taken = np.bincount(unit[:sure], minlength=units)
    left -= int(costs[:sure].sum())
    done = np.zeros(units, dtype=bool)
    cheapest = int(costs.min(initial=0))
    for cost, index in zip(costs[sure:].tolist(), unit[sure:].tolist(), strict=True):
        if left < cheapest:
            break
        if done[index]:
            continue
        if cost <= left:
            taken[index] += 1
            left -= cost
        else:
            done[index] = True
    return taken


def hull_slopes(values: NDArray[np.float64], slots: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the gain a slot of each step along the concave hull, never rising.

    Taking steps of many units by falling slope is the best choice there is (a Lagrange
    multiplier's), short of the last edge of the hull, which the budget may cut.

    Parameters
    ----------
    values : ndarray, shape (U, J + 1)
        What each unit gains with so many slots.
    slots : ndarray of int, shape (J + 1,)
        Rising.

    Returns
    -------
    ndarray, shape (U, J)
    """
    count = slots.size
    place = np.arange(count)
    slopes = np.empty((len(values), count - 1))
    reached = np.zeros(len(values), dtype=np.int64)
    while (rows := np.flatnonzero(reached < count - 1)).size:
        here = reached[rows, None]
        rise = values[rows] - np.take_along_axis(values[rows], here, axis=1)
        ahead = place > here
        slope = np.where(ahead, rise / np.where(ahead, slots - slots[here], 1), -np.inf)
        # Of equal slopes the farthest: the hull's corners are strict.
        after = count - 1 - slope[:, ::-1].argmax(axis=1)[:, None]
        edge = (place[:-1] >= here) & (place[:-1] < after)
        slopes[rows] = np.where(edge, np.take_along_axis(slope, after, axis=1), slopes[rows])
        reached[rows] = after[:, 0]
    return np.minimum.accumulate(slopes, axis=1)
