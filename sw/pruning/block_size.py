"""Block sizes for rows under an exact budget of weight slots."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from darb.sw.pruning.selection import largest
from darb.sw.pruning.slots import in_segments, largest_k, least_slots, row_slots

_CHUNK = 256


def retained_energy(
    scores: NDArray[np.floating], *, lanes: int | None, max_k: int
) -> NDArray[np.float64]:
    """Return the squared score that each row retains at each block size.

    Parameters
    ----------
    scores : ndarray, shape (M, C)
        Not negative, columns in stored order.
    lanes : int or None
        Segments in which blocks restart.
    max_k : int

    Returns
    -------
    ndarray, shape (M, K + 1)
        Column k: the sum over blocks of ``2**k`` of the largest score squared. K is `max_k`, or
        less where a segment is shorter than that.
    """
    largest = largest_k(scores.shape[1], lanes=lanes, max_k=max_k)
    energy = np.empty((scores.shape[0], largest + 1))
    for start in range(0, scores.shape[0], _CHUNK):
        part = scores[start : start + _CHUNK].astype(np.float64)
        part = in_segments(part, lanes=lanes, multiple=1 << largest, fill=0.0)
        for k in range(largest + 1):
            energy[start : start + _CHUNK, k] = np.einsum("msl,msl->m", part, part)
            if k < largest:
                part = np.maximum(part[:, :, 0::2], part[:, :, 1::2])
    return energy


def row_densities(layers: Sequence[NDArray[np.floating]], budget: float) -> list[NDArray]:
    """Return each row's share of weights among the `budget` largest of all layers together.

    Parameters
    ----------
    layers : sequence of ndarray, shape (M, C)
        Scores, comparable between layers.
    budget : float
        How many weights are large; equal scores count in storage order.
    """
    flat = np.concatenate([scores.ravel() for scores in layers])
    chosen = largest(flat, int(min(budget, flat.size)))
    ends = np.cumsum([scores.size for scores in layers])
    parts = np.split(chosen, ends[:-1])
    return [
        part.reshape(scores.shape).mean(axis=1) for part, scores in zip(parts, layers, strict=True)
    ]


@dataclass(frozen=True, eq=False)
class _Steps:
    """Steps from the largest block to the smallest, for the units of all layers.

    A unit is what gets one block size: a row, R rows, or a layer. Arrays have one entry a step:
    `priority` (the first to be taken is the smallest, and it never falls within a unit), `cost`
    and `unit`.
    """

    priority: NDArray[np.float64]
    cost: NDArray[np.int64]
    unit: NDArray[np.int64]


def _spend(steps: _Steps, units: int, left: float) -> NDArray[np.int64]:
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


def _energy_priority(gain: NDArray[np.float64], slots: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return minus the gain a slot of each step k -> k - 1, along the concave hull.

    Steps in the column order k = K, K - 1, .., 1. The hull makes the greedy choice the best one
    (a Lagrange multiplier's), short of the last step.
    """
    options = slots.size
    hull = gain.copy()
    for low in range(options):
        for high in range(low + 2, options):
            for k in range(low + 1, high):
                part = (slots[k] - slots[high]) / (slots[low] - slots[high])
                line = part * gain[:, low] + (1 - part) * gain[:, high]
                np.maximum(hull[:, k], line, out=hull[:, k])
    slope = (hull[:, :-1] - hull[:, 1:]) / (slots[:-1] - slots[1:])
    return -np.minimum.accumulate(slope[:, ::-1], axis=1)


def _density_priority(density: NDArray[np.float64], largest: int, length: int) -> NDArray:
    """Return where each step k -> k - 1 lies when all rows' ideal block sizes shrink alike.

    The ideal block size of a row is 1 / density, ``t`` its logarithm to base 2, ``round(t)`` its
    k. Shrinking every ``t`` by d, a row passes from k to k - 1 at ``d = t - k + 1/2``.
    """
    floor = 0.5 / length
    ideal = -np.log2(np.maximum(density, floor))
    k = np.arange(largest, 0, -1)
    return ideal[:, None] - k + 0.5


def _units(key: NDArray[np.intp], size: int) -> NDArray[np.int64]:
    """Return each row's unit, `size` rows a unit in the order that `key` lists the rows."""
    unit = np.empty(key.size, dtype=np.int64)
    unit[key] = np.arange(key.size) // size
    return unit


@dataclass(frozen=True, eq=False)
class _Choice:
    """What one layer's rows choose from: the `slots` a row of each k, and what k is `worth`.

    For 'energy' `worth` has a row's retained energy at each k, for 'density' its density.
    """

    slots: NDArray[np.int64]
    worth: NDArray[np.float64]


def _solve(
    choices: Sequence[_Choice],
    units: Sequence[NDArray[np.int64]],
    *,
    assignment: str,
    padded: int,
    budget: float,
) -> list[NDArray[np.int64]]:
    """Return each row's k when the rows of one unit share theirs.

    A unit spends slots for a multiple of `padded` rows, however few it has.
    """
    priority, cost, index = [], [], []
    first, left = 0, budget
    for choice, unit in zip(choices, units, strict=True):
        slots = choice.slots
        members = np.bincount(unit)
        size = -(-members // padded) * padded
        if assignment == "energy":
            gain = np.zeros((members.size, slots.size))
            np.add.at(gain, unit, choice.worth)
            # Rows of padding cost slots and gain nothing.
            steps = _energy_priority(gain / size[:, None], slots)
        else:
            mean = np.bincount(unit, weights=choice.worth) / members
            steps = _density_priority(mean, slots.size - 1, int(slots[0]))
        priority.append(steps.ravel())
        cost.append(np.outer(size, slots[:-1] - slots[1:])[:, ::-1].ravel())
        index.append(np.repeat(first + np.arange(members.size), slots.size - 1))
        first += members.size
        left -= int(size.sum() * slots[-1])
    steps = _Steps(np.concatenate(priority), np.concatenate(cost), np.concatenate(index))
    taken = _spend(steps, first, left)
    block_sizes, first = [], 0
    for choice, unit in zip(choices, units, strict=True):
        block_sizes.append(choice.slots.size - 1 - taken[first + unit])
        first += int(unit.max()) + 1
    return block_sizes


def layer_norm(scores: NDArray[np.floating]) -> float:
    """Return the root of the sum of squared scores; 1 if they are all zero."""
    return float(np.sqrt(np.einsum("mn,mn->", scores, scores, dtype=np.float64))) or 1.0


def assign(
    layers: Sequence[NDArray[np.floating]],
    *,
    budget: float,
    method: str = "darb",
    assignment: str = "energy",
    norms: Sequence[float] | None = None,
    lanes: int | None = None,
    rows: int | None = None,
    max_k: int = 6,
) -> list[NDArray[np.int64]]:
    """Give every row of every layer a block size under one budget.

    ``energy`` takes the block sizes that retain the largest squared score: steps to a smaller
    block by gain a slot. ``density`` follows the DARB paper: a row's density among the globally
    largest scores, as if pruned irregularly, sets its block size, rounded to a power of two in the
    log domain; a common shift of that logarithm then meets the budget. For both, a layer's squared
    scores are scaled to the sum 1 first, so that layers compare by what they lose of their own
    output: small last layers keep more.

    Parameters
    ----------
    layers : sequence of ndarray, shape (M, C)
        Scores of the rows that are stored, columns in stored order.
    budget : float
        Weight slots that all rows together may take, padding included; infinite for no limit.
    method : {'darb', 'bmwm'}
        A block size a row, or a layer.
    assignment : {'energy', 'density'}
    norms : sequence of float, optional
        Above 0: what each layer's scores are divided by instead, before layers compare.
    lanes, rows : int, optional
        Shape of the engine; see `PruneConfig`.
    max_k : int

    Returns
    -------
    list of ndarray of int, shape (M,)
        k of each row. No row, no R rows or no layer (whichever gets one block size) could take
        the next smaller block within the budget.

    Raises
    ------
    ValueError
        If even the largest blocks take more than the budget.
    """
    least = least_slots(layers, lanes=lanes, rows=rows, max_k=max_k)
    if least > budget:
        raise ValueError(
            f"budget must be at least the {least} slots of the largest blocks, not {budget!r}"
        )
    if norms is None:
        norms = [layer_norm(values) for values in layers]
    scores = [values / norm for values, norm in zip(layers, norms, strict=True)]
    if assignment == "energy":
        worth = [retained_energy(values, lanes=lanes, max_k=max_k) for values in scores]
    else:
        worth = row_densities(scores, budget)
    choices = []
    for values, value in zip(scores, worth, strict=True):
        columns = values.shape[1]
        options = range(largest_k(columns, lanes=lanes, max_k=max_k) + 1)
        slots = np.array([row_slots(columns, k, lanes=lanes) for k in options])
        choices.append(_Choice(slots, value))

    solve = functools.partial(_solve, choices, assignment=assignment, budget=budget)
    if method == "bmwm":
        one = [np.zeros(len(values), dtype=np.int64) for values in layers]
        return solve(one, padded=rows or 1)
    each = [np.arange(len(values)) for values in layers]
    if rows is None or rows == 1:
        return solve(each, padded=1)
    if assignment == "density":
        keys = [np.argsort(-value, kind="stable") for value in worth]
    else:
        # Rows that want the same block size go together, those nearest to a smaller one first.
        keys = []
        for k, value in zip(solve(each, padded=1), worth, strict=True):
            row = np.arange(k.size)
            keys.append(np.lexsort((value[row, k] - value[row, np.maximum(k - 1, 0)], k)))
    return solve([_units(key, rows) for key in keys], padded=rows)
