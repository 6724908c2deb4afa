"""Row patterns under an exact budget of weight slots."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from darb.golden.pattern import MOST_KEEP, Pattern
from darb.sw.pruning.pattern_options import pattern_options, retained_energy
from darb.sw.pruning.selection import largest
from darb.sw.pruning.slot_spending import Steps, hull_slopes, spend
from darb.sw.pruning.slots import least_slots, row_slots
from darb.sw.validation import check_int

# Sums of the same squares in another order differ by less.
_ROUNDING = 1e-9


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
    """What one layer's rows choose from.

    For 'energy' `worth` has a row's retained energy with each of the `patterns`, for 'density'
    its density. `slots` are those that a row of each pattern takes, rising; a level is all
    patterns of equally many.
    """

    patterns: tuple[Pattern, ...]
    slots: NDArray[np.int64]
    worth: NDArray[np.float64]

    @property
    def levels(self) -> NDArray[np.int64]:
        """Slots of each level."""
        return np.unique(self.slots)

    def gains(self, unit: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return what each unit's rows together retain with each pattern."""
        gain = np.zeros((int(unit.max()) + 1, self.slots.size))
        np.add.at(gain, unit, self.worth)
        return gain

    def by_level(self, gain: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what the best pattern of each level retains."""
        starts = np.searchsorted(self.slots, self.levels)
        return np.maximum.reduceat(gain, starts, axis=1)

    def best(self, unit: NDArray[np.int64], level: NDArray[np.int64]) -> tuple[Pattern, ...]:
        """Return each row's pattern: the best that its unit's level can pay for.

        Of equally good ones that with most slots, and of those that with the smallest block,
        whose indices are short.
        """
        if self.worth.ndim == 1:
            return tuple(self.patterns[place] for place in level[unit].tolist())
        gain = self.gains(unit)
        gain[self.slots > self.levels[level][:, None]] = -1.0
        good = gain >= gain.max(axis=1, keepdims=True) * (1 - _ROUNDING)
        place = self.slots.size - 1 - good[:, ::-1].argmax(axis=1)
        return tuple(self.patterns[index] for index in place[unit].tolist())


def _solve(
    choices: Sequence[_Choice],
    units: Sequence[NDArray[np.int64]],
    *,
    padded: int,
    budget: float,
) -> list[NDArray[np.int64]]:
    """Return each unit's level, by layer.

    A unit spends slots for a multiple of `padded` rows, however few it has.
    """
    priority, cost, index = [], [], []
    first, left = 0, budget
    for choice, unit in zip(choices, units, strict=True):
        levels = choice.levels
        members = np.bincount(unit)
        size = -(-members // padded) * padded
        if choice.worth.ndim == 2:
            # Rows of padding cost slots and gain nothing.
            gain = choice.by_level(choice.gains(unit)) / size[:, None]
            steps = -hull_slopes(gain, levels)
        else:
            mean = np.bincount(unit, weights=choice.worth) / members
            steps = _density_priority(mean, levels.size - 1, int(levels[-1]))
        priority.append(steps.ravel())
        cost.append(np.outer(size, np.diff(levels)).ravel())
        index.append(np.repeat(first + np.arange(members.size), levels.size - 1))
        first += members.size
        left -= int(size.sum() * levels[0])
    steps = Steps(np.concatenate(priority), np.concatenate(cost), np.concatenate(index))
    taken = spend(steps, first, left)
    ends = np.cumsum([int(unit.max()) + 1 for unit in units])
    return np.split(taken, ends[:-1])


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
    max_keep: int = 1,
) -> list[tuple[Pattern, ...]]:
    """Give every row of every layer a pattern under one budget.

    ``energy`` takes the patterns that retain the largest squared score: steps to more slots by
    gain a slot, along the concave hull of what each row retains. ``density`` follows the DARB
    paper: a row's density among the globally largest scores, as if pruned irregularly, sets its
    block size, rounded to a power of two in the log domain; a common shift of that logarithm then
    meets the budget. For both, a layer's squared scores are scaled to the sum 1 first, so that
    layers compare by what they lose of their own output: small last layers keep more.

    With `max_keep` above 1 a row chooses among all blocks of ``2**k`` that keep 1 to `max_keep`
    weights. 2 of 16 takes the slots of 1 of 8 and never retains less, for an index that is one
    bit longer; 3 of 32 lies between 1 of 16 and 1 of 8.

    Parameters
    ----------
    layers : sequence of ndarray, shape (M, C)
        Scores of the rows that are stored, columns in stored order.
    budget : float
        Weight slots that all rows together may take, padding included; infinite for no limit.
    method : {'darb', 'bmwm'}
        A pattern a row, or a layer.
    assignment : {'energy', 'density'}
    norms : sequence of float, optional
        Above 0: what each layer's scores are divided by instead, before layers compare.
    lanes, rows : int, optional
        Shape of the engine; see `PruneConfig`.
    max_k, max_keep : int
        `max_keep` must be 1 for density.

    Returns
    -------
    list of tuple of Pattern, length M
        No row, no R rows or no layer (whichever gets one pattern) could take the next smaller
        block within the budget.

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
    check_max_keep(max_keep, assignment=assignment)
    if norms is None:
        norms = [layer_norm(values) for values in layers]
    scores = [values / norm for values, norm in zip(layers, norms, strict=True)]
    options = [
        pattern_options(values.shape[1], lanes=lanes, max_k=max_k, max_keep=max_keep)
        for values in scores
    ]
    if assignment == "energy":
        worth = [
            retained_energy(values, patterns, lanes=lanes)
            for values, patterns in zip(scores, options, strict=True)
        ]
    else:
        worth = row_densities(scores, budget)
    choices = []
    for values, patterns, value in zip(scores, options, worth, strict=True):
        slots = [row_slots(values.shape[1], pattern, lanes=lanes) for pattern in patterns]
        choices.append(_Choice(patterns, np.array(slots), value))

    solve = functools.partial(_solve, choices, budget=budget)
    group = rows or 1
    each = [np.arange(len(values)) for values in layers]
    if method == "bmwm":
        units = [np.zeros(len(values), dtype=np.int64) for values in layers]
    elif group == 1:
        units = each
    elif assignment == "density":
        units = [_units(np.argsort(-value, kind="stable"), group) for value in worth]
    else:
        # Rows that want the same pattern go together, those nearest to a smaller block first.
        units = []
        for choice, level in zip(choices, solve(each, padded=1), strict=True):
            value = choice.by_level(choice.worth)
            row, after = np.arange(level.size), np.minimum(level + 1, value.shape[1] - 1)
            loss = value[row, level] - value[row, after]
            units.append(_units(np.lexsort((loss, -level)), group))
    levels = solve(units, padded=group)
    return [
        choice.best(unit, level) for choice, unit, level in zip(choices, units, levels, strict=True)
    ]


def check_max_keep(value: object, *, assignment: str) -> None:
    """Refuse a `value` that is no count of weights a block, or has no meaning here."""
    check_int("max_keep", value, 1, MOST_KEEP)
    if assignment == "density" and value != 1:
        raise ValueError(f"max_keep must be 1 for assignment 'density', not {value!r}")
