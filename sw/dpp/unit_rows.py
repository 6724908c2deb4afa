"""What a mask chooses among: units of a weight, dealt to rows that each keep k of n.

The granularities weights, kernels and feature maps, and exactly k of n in each row, are the
paper's. Tiles are ours: they make a neuron's row a row pattern of the engine.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from darb.golden.pattern import Segments
from darb.sw.validation import MOST_LANES, check_choice, check_int, check_power_of_two

GRANULARITIES = ("weights", "tiles", "kernels", "maps")
MOST_TILE = 4096


@dataclass(frozen=True, eq=False)
class UnitRows:
    """Rows of units, from each of which a mask keeps so many.

    Parameters
    ----------
    index : torch.Tensor of int64, shape (G, n)
        Row by row the units of the weight, counted in storage order; -1 behind the last unit of a
        row that has fewer than n. Every unit stands in it once.
    place : torch.Tensor of int64, shape (units,)
        Where each unit stands in the flattened `index`.
    shape : tuple of int
        Of the units, with as many dimensions as the weight, to which it broadcasts.
    sharing : int
        Consecutive rows that choose among different units of the same neuron; rows that far apart
        choose among the same columns.
    """

    index: torch.Tensor
    place: torch.Tensor
    shape: tuple[int, ...]
    sharing: int

    @property
    def widths(self) -> torch.Tensor:
        """Units of each row, int64 of shape (G,)."""
        return (self.index >= 0).sum(dim=1)

    def to_weight(self, values: torch.Tensor) -> torch.Tensor:
        """Return values of rows (G, n) in the shape of the units, which broadcasts to the weight.

        Differentiable.
        """
        return values.flatten()[self.place.to(values.device)].view(self.shape)

    def to_rows(self, values: torch.Tensor, fill: float) -> torch.Tensor:
        """Return values of the units as rows (G, n), `fill` where there is no unit."""
        index = self.index.to(values.device)
        return torch.where(index >= 0, values.flatten()[index.clamp(min=0)], fill)


def unit_rows(
    shape: tuple[int, ...],
    granularity: str,
    *,
    tile: int | None = None,
    lanes: int | None = None,
) -> UnitRows:
    """Return the rows of units of a Linear's or Conv2d's weight.

    Parameters
    ----------
    shape : tuple of int
        (M, N) or (M, C, kh, kw).
    granularity : {'weights', 'tiles', 'kernels', 'maps'}
        'weights': a row for each of the M neurons or feature maps, its N or C * kh * kw weights.
        'tiles': those rows cut into tiles. 'kernels': a row for each feature map, its C kernels;
        in a Linear a kernel is a weight. 'maps': one row, the M feature maps or neurons.
    tile : int, optional
        Consecutive columns of a tile, a power of two of 1..4096; for 'tiles' alone. The last tile
        of a row or of a segment may be shorter.
    lanes : int, optional
        S of an engine, a power of two of 1..256: tiles restart at each of its segments. Left out,
        they run through the whole row and suit any engine. For 'tiles' alone.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind or out of its range.
    """
    check_choice("granularity", granularity, GRANULARITIES)
    check_tiling(granularity, tile=tile, lanes=lanes)
    if len(shape) not in (2, 4):
        raise ValueError(f"shape must be of a Linear's or Conv2d's weight, not {shape!r}")
    for size in shape:
        check_int("shape", size, 1)
    maps, columns = shape[0], 1
    for size in shape[1:]:
        columns *= size
    if granularity == "maps":
        return _even(1, maps, (maps, *(1 for _ in shape[1:])))
    if granularity == "kernels":
        return _even(maps, shape[1], (*shape[:2], *(1 for _ in shape[2:])))
    if granularity == "weights":
        return _even(maps, columns, tuple(shape))
    starts = _tiles(columns, tile, lanes)
    index = torch.full((len(starts), max(stop - start for start, stop in starts)), -1)
    for row, (start, stop) in enumerate(starts):
        index[row, : stop - start] = torch.arange(start, stop)
    rows = torch.arange(maps)[:, None, None] * columns + index
    rows = torch.where(index >= 0, rows, -1).flatten(0, 1)
    flat = rows.flatten()
    place = torch.empty(maps * columns, dtype=torch.int64)
    place[flat[flat >= 0]] = torch.nonzero(flat >= 0).flatten()
    return UnitRows(rows, place, tuple(shape), len(starts))


def check_tiling(granularity: str, *, tile: object, lanes: object) -> None:
    """Refuse a `tile` or `lanes` that do not fit the granularity."""
    if granularity == "tiles":
        check_power_of_two("tile", tile, MOST_TILE)
        if lanes is not None:
            check_power_of_two("lanes", lanes, MOST_LANES)
        return
    for name, value in (("tile", tile), ("lanes", lanes)):
        if value is not None:
            raise ValueError(
                f"{name} must be left out for granularity {granularity}, not {value!r}"
            )


def _even(rows: int, columns: int, shape: tuple[int, ...]) -> UnitRows:
    place = torch.arange(rows * columns)
    return UnitRows(place.view(rows, columns), place, shape, 1)


def _tiles(columns: int, tile: int, lanes: int | None) -> list[tuple[int, int]]:
    """Return first column and end of every tile that is not empty."""
    segments = Segments(columns, lanes or 1)
    tiles = []
    for lane, width in enumerate(segments.widths()):
        first = lane * segments.length
        tiles += [
            (start, min(start + tile, first + width)) for start in range(first, first + width, tile)
        ]
    return tiles
