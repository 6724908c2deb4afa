"""Structured pruning: whole rows, columns, channels or kernels stay or go."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from darb.sw.pruning.free_mask import FreeMask
from darb.sw.pruning.irregular import SCOPES
from darb.sw.pruning.method import LayerScores, Method
from darb.sw.pruning.score_arrays import as_given, check_scores
from darb.sw.pruning.selection import counts_within, largest
from darb.sw.validation import check_choice, check_int

UNITS = ("row", "column", "channel", "kernel")


def unit_energy(scores: NDArray[np.floating], *, unit: str, area: int = 1) -> NDArray[np.float64]:
    """Return the sum of squared scores of each unit, in storage order; see `structured_mask`."""
    if unit == "row":
        return np.einsum("mn,mn->m", scores, scores, dtype=np.float64)
    if unit == "kernel":
        kernels = scores.reshape(-1, area)
        return np.einsum("ka,ka->k", kernels, kernels, dtype=np.float64)
    columns = np.einsum("mn,mn->n", scores, scores, dtype=np.float64)
    return columns if unit == "column" else columns.reshape(-1, area).sum(axis=1)


def structured_mask(
    scores: ArrayLike | torch.Tensor, *, unit: str, keep: int, area: int = 1
) -> NDArray[np.bool_] | torch.Tensor:
    """Keep exactly the `keep` units of one matrix with the largest Euclidean norm.

    Parameters
    ----------
    scores : array_like or torch.Tensor, shape (M, N)
        At least 0.
    unit : {'row', 'column', 'channel', 'kernel'}
        A row is an output of a Linear, an output channel of a Conv2d. A channel is `area`
        columns, one input channel; a kernel is the part of one row in a channel. With an area of
        1 a channel is a column, and a kernel a weight.
    keep : int
        0 to the number of units.
    area : int
        ``kh * kw`` of a Conv2d; N is a multiple of it.

    Returns
    -------
    ndarray or torch.Tensor of bool, shape (M, N)
        As the scores are given. Of equal units, the first stay.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind or out of its range, or a score is not finite.

    Examples
    --------
    >>> from darb.sw.pruning import structured_mask
    >>> structured_mask([[3, 1, 2, 0], [0, 5, 1, 1]], unit="column", keep=2).astype(int)
    array([[1, 1, 0, 0],
           [1, 1, 0, 0]])
    """
    matrix = check_scores(scores)
    check_choice("unit", unit, UNITS)
    check_int("area", area, 1)
    if matrix.shape[1] % area:
        raise ValueError(f"area must divide the {matrix.shape[1]} columns, not {area!r}")
    energy = unit_energy(matrix, unit=unit, area=area)
    check_int("keep", keep, 0, energy.size)
    chosen = largest(energy, keep)
    if unit == "row":
        mask = np.repeat(chosen[:, None], matrix.shape[1], axis=1)
    elif unit == "kernel":
        mask = np.repeat(chosen, area).reshape(matrix.shape)
    else:
        columns = chosen if unit == "column" else np.repeat(chosen, area)
        mask = np.repeat(columns[None, :], matrix.shape[0], axis=0)
    return as_given(mask, scores)


@dataclass(frozen=True, kw_only=True)
class Structured(Method):
    """Structured pruning; a row that goes keeps its bias.

    Rows that go are not counted as columns that the next layer no longer needs: the ratio is that
    of the masks alone. The last layer's rows are the network's outputs; give it a `LayerOverride`
    of ratio 1 when the unit is a row.

    Parameters
    ----------
    unit : {'row', 'column', 'channel', 'kernel'}
        See `structured_mask`.
    scope : {'global', 'layer'}
        In scope 'layer' each keeps ``floor(units / ratio)`` of its units. In scope 'global' units
        of all layers compete by the share of their layer's squared score that a weight of theirs
        holds, and every layer keeps at least one.

    Raises
    ------
    TypeError, ValueError
        If a field is of the wrong kind or out of its range.
    """

    unit: str = "row"
    scope: str = "layer"
    name: ClassVar[str] = "structured"
    single: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_choice("unit", self.unit, UNITS)
        check_choice("scope", self.scope, SCOPES)

    def masks(
        self,
        layers: Sequence[LayerScores],
        *,
        ratio: float,
        lanes: int | None = None,
        rows: int | None = None,
    ) -> list[FreeMask]:
        """Choose the masks; see `Method.masks`."""
        self.check_engine(lanes=lanes, rows=rows)
        energies = [unit_energy(layer.scores, unit=self.unit, area=layer.area) for layer in layers]
        weights = [layer.scores.size for layer in layers]
        costs = [size // energy.size for size, energy in zip(weights, energies, strict=True)]
        if self.scope == "global":
            least, budget = sum(costs), sum(weights) / ratio
            if least > budget:
                raise ValueError(
                    f"ratio must be at most {_down(sum(weights) / least)}, for one {self.unit} of "
                    f"each layer has {least} weights, not {ratio!r}"
                )
            values = []
            for energy, cost in zip(energies, costs, strict=True):
                total = float(energy.sum())
                values.append(energy / (total * cost) if total > 0 else energy)
            counts = counts_within(values, costs=costs, budget=budget)
        else:
            counts = [math.floor(energy.size / ratio) for energy in energies]
            for layer, energy, count in zip(layers, energies, counts, strict=True):
                if not count:
                    raise ValueError(
                        f"ratio must be at most {energy.size}, for layer {layer.name} has no more "
                        f"{self.unit}s, not {ratio!r}"
                    )
        return [
            FreeMask(
                structured_mask(layer.scores, unit=self.unit, keep=count, area=layer.area),
                count * cost,
            )
            for layer, count, cost in zip(layers, counts, costs, strict=True)
        ]


def _down(ratio: float) -> float:
    return math.floor(100 * ratio) / 100
