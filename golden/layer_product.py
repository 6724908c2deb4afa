"""A layer's packed weights times a batch of activations: exact sums from floating-point units."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

_EXACT = 1 << 24
"""float32 holds every integer up to this magnitude."""
_DENSE_COLUMNS = 16
"""Rows with a slot in this many columns, or more of them, are multiplied as a dense matrix."""
_TILE = 64
"""Side of the matrices that are multiplied at a time.

So small that a library multiplies them in the thread that asks: several threads wait for one
another at every step, which on a busy machine takes longer than the product.
"""
_MOST_CELLS = 1 << 17
"""Gathered activations at a time: few enough to stay near the processor."""


@dataclass(frozen=True, eq=False)
class _Piece:
    """Some of a section's rows, or of their slots.

    Parameters
    ----------
    number : int
        Pieces of the same row have different ones, from 0 on.
    rows : ndarray of int64, shape (m,)
    weights : ndarray of int8, shape (m, slots)
        Zero in the slots of other pieces.
    positions : ndarray of int, shape (m, slots)
    """

    number: int
    rows: NDArray[np.int64]
    weights: NDArray[np.int8]
    positions: NDArray[np.integer]


def _pieces(
    weights: NDArray[np.int8], positions: NDArray[np.integer], activation_bits: int
) -> Iterator[_Piece]:
    """Yield a section in pieces whose sums are exact.

    The weights of a piece that come before its last are below `most` together, and the last is
    at most 128, so that the whole piece times the largest activation stays within `_EXACT`.
    """
    most = (_EXACT >> (activation_bits - 1)) - 128
    magnitudes = np.abs(weights.astype(np.int16))
    sums = np.cumsum(magnitudes, axis=1, dtype=np.int64)
    if sums[:, -1:].max(initial=0) <= most:
        yield _Piece(0, np.arange(len(weights)), weights, positions)
        return
    slot_piece = (sums - magnitudes) // most
    last = slot_piece.max(axis=1)
    for number in range(int(last.max()) + 1):
        rows = np.flatnonzero(last >= number)
        mine = np.where(slot_piece[rows] == number, weights[rows], 0)
        yield _Piece(number, rows, mine, positions[rows])


class _DenseRows:
    """Rows whose weights stand at their columns, those of one piece number after another."""

    def __init__(self, pieces: list[_Piece], columns: int) -> None:
        pieces = sorted(pieces, key=lambda piece: piece.number)
        self.rows = [
            (number, np.concatenate([piece.rows for piece in same]))
            for number, same in groupby(pieces, key=lambda piece: piece.number)
        ]
        self.count = sum(len(piece.rows) for piece in pieces)
        height = max(1, min(_TILE, self.count))
        matrix = np.zeros((-(-self.count // height) * height, columns), dtype=np.float32)
        first = 0
        for piece in pieces:
            mine = matrix[first : first + len(piece.rows)]
            flat = np.flatnonzero(piece.weights)
            weights = piece.weights.reshape(-1)[flat].astype(np.float32)
            place = piece.positions.reshape(-1)[flat] + flat // piece.weights.shape[1] * columns
            mine.reshape(-1)[place] = weights
            if np.count_nonzero(mine) < flat.size:
                # Slots that share a column: their weights add up.
                mine[:] = 0
                np.add.at(mine.reshape(-1), place, weights)
            first += len(piece.rows)
        matrix = matrix.reshape(-1, height, columns)
        self.tiles = [
            np.ascontiguousarray(matrix[:, :, first : first + _TILE])
            for first in range(0, columns, _TILE)
        ]

    def __matmul__(self, activations: NDArray[np.float32]) -> NDArray[np.float32]:
        (groups, height, _), batch = self.tiles[0].shape, activations.shape[1]
        sums = np.empty((groups, height, batch), dtype=np.float32)
        for first in range(0, batch, _TILE):
            some = activations[:, first : first + _TILE]
            total = np.zeros((groups, height, some.shape[1]), dtype=np.float32)
            product = np.empty_like(total)
            for number, tile in enumerate(self.tiles):
                column = number * _TILE
                np.matmul(tile, some[column : column + tile.shape[2]], out=product)
                total += product
            sums[:, :, first : first + _TILE] = total
        return sums.reshape(groups * height, batch)[: self.count]


class _SlotRows:
    """Rows whose weights stand by slot, (m, slots), each with its column."""

    def __init__(self, piece: _Piece) -> None:
        self.rows = [(piece.number, piece.rows)]
        self.weights = piece.weights.astype(np.float32)
        self.positions = piece.positions.astype(np.intp)

    def __matmul__(self, activations: NDArray[np.float32]) -> NDArray[np.float32]:
        (m, slots), batch = self.weights.shape, activations.shape[1]
        sums = np.empty((m, batch), dtype=np.float32)
        step = max(1, min(m, _MOST_CELLS // max(1, slots * batch)))
        gathered = np.empty((step, slots, batch), dtype=np.float32)
        for first in range(0, m, step):
            some = slice(first, first + step)
            found = gathered[: len(self.weights[some])]
            # Mode clip writes to `out` at once; `positions` is known to lie inside.
            np.take(activations, self.positions[some], axis=0, out=found, mode="clip")
            np.einsum("ms,msb->mb", self.weights[some], found, out=sums[some])
        return sums


class LayerProduct:
    """The weights of a layer's sections, decoded from their slots once.

    No sum is ever rounded. An activation's magnitude is at most ``2**(activation_bits - 1)``, so
    every product of a row and every sum of some of them, in whatever order a linear algebra
    library takes them and fused or not, is an integer whose magnitude is at most the row's sum of
    weight magnitudes times that. Rows that could exceed what float32 holds exactly are cut into
    pieces that cannot, whose sums are added as integers.

    Parameters
    ----------
    sections : sequence of (ndarray of int8, ndarray of int), each of shape (m, slots)
        Weight and stored column of each slot; several slots may name one column.
    columns : int
        C, the activations of a vector.
    activation_bits : int

    Raises
    ------
    ValueError
        If a slot names a column that there is not.
    """

    def __init__(
        self,
        sections: Sequence[tuple[NDArray[np.int8], NDArray[np.integer]]],
        *,
        columns: int,
        activation_bits: int,
    ) -> None:
        self._parts: list[_DenseRows | _SlotRows] = []
        self._count = 0
        used = 1
        for weights, positions in sections:
            most = int(positions.max(initial=0))
            if most >= columns:
                raise ValueError(f"a slot's column must be in 0..{columns - 1}, not {most}")
            used = max(used, 1 + int(positions.max(initial=0, where=weights != 0)))
        dense: list[_Piece] = []
        for weights, positions in sections:
            # The last lanes may have no columns at all.
            full = np.flatnonzero(weights.any(axis=0))
            for piece in _pieces(weights[:, full], positions[:, full], activation_bits):
                piece = replace(piece, rows=self._count + piece.rows)
                if full.size * _DENSE_COLUMNS < used:
                    self._parts.append(_SlotRows(piece))
                else:
                    dense.append(piece)
            self._count += len(weights)
        if dense:
            self._parts.append(_DenseRows(dense, used))

    def __matmul__(self, activations: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return the exact sums of all rows, section after section, (rows, B).

        Parameters
        ----------
        activations : ndarray of float32, shape (C, B)
            Integers within `activation_bits`.
        """
        sums = np.empty((self._count, activations.shape[1]), dtype=np.int64)
        for part in self._parts:
            found, first = part @ activations, 0
            # Every row has one piece 0, which comes before its others.
            for number, rows in part.rows:
                some = found[first : first + len(rows)]
                if number:
                    sums[rows] += some.astype(np.int64)
                else:
                    sums[rows] = some
                first += len(rows)
        return sums
