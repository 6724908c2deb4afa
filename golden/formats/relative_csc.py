"""Interleaved compressed columns with relative row indices and padding zeros, as in EIE."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from darb.golden.config import check_field
from darb.golden.fixed_point import weight_limit
from darb.golden.formats.skip_code import decode_places, encode_skips
from darb.golden.formats.storage_bits import StorageBits
from darb.golden.formats.stored_array import check_count, check_matrix, check_shape, stored_array

MOST_INDEX_BITS = 16


@dataclass(frozen=True, kw_only=True, eq=False)
class RelativeCsc:
    """Each lane's part of every column, each entry with the zeros to skip before it.

    Rows are dealt in turn: row i goes to lane ``i mod lanes``, as the lane's row ``i // lanes``.
    A lane keeps its part of column 0, then of column 1 and so on, one list of entries (value,
    skip). The skip counts the zeros of the lane's part of the column between the entry and the
    one before it, or the column's start. Where more zeros follow one another than a skip of
    `index_bits` can count, a padding entry stands in: value 0, largest skip. With the paper's 4
    bits it passes 16 zeros, itself among them. In every such matrix:

    - entry ``pointers[p, j]`` of lane p is the first of its part of column j, entry
      ``pointers[p, j + 1]`` the first after it; ``pointers[p, 0] == 0``, and pointers never fall;
    - `values` and `skips` hold lane 0's entries, then lane 1's and so on,
      ``values.size == skips.size == pointers[:, N].sum()``;
    - an entry of value 0 is padding: its skip is ``2**index_bits - 1``, and an entry of the same
      lane and column follows. Zeros after the last weight are not stored;
    - no entry lies past the rows that its lane has.

    Columns are known by pointers, not by lengths: the engine of the paper takes only the columns
    whose activation is not zero, so it must find a column without reading those before it.

    With `by_rows` rows and columns change places, interleaved CSR: columns are dealt to lanes, so
    that a lane reads one activation bank, and each lane keeps its part of row 0, row 1 and so on.
    What is said of columns here then goes for rows: M for N, N for M. Every row is read, in
    order, so the lengths of the parts are enough and are what `storage` counts, as in `Csr`.

    ============  ========================  ====================================================
    item          fields                    width of a field in bits
    ============  ========================  ====================================================
    values        nonzero entries           `weight_bits`
    indices       nonzero entries           `index_bits`
    pointers      ``lanes * (N + 1)``       ``ceil(log2(entries of the fullest lane + 1))``
    by rows       ``lanes * M``             ``ceil(log2(entries of the longest part + 1))``
    padding       padding entries           ``weight_bits + index_bits``
    ============  ========================  ====================================================

    Parameters
    ----------
    shape : tuple of int
        (M, N).
    weight_bits : int
        Width of a stored weight, 2..8.
    lanes : int
        P.
    index_bits : int
        Width of a skip, 1..16.
    by_rows : bool
    values : ndarray of int8, shape (entries,)
    skips : ndarray of int64, shape (entries,)
    pointers : ndarray of int64, shape (lanes, N + 1)

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If one is out of its range, or a rule above is broken.

    Notes
    -----
    Han et al., EIE: efficient inference engine on compressed deep neural network, ISCA 2016. The
    arrays are read-only copies: what was checked stays true.

    Examples
    --------
    The paper's own column, 1, 2 and 3 among zeros; 18 zeros stand before the last.

    >>> import numpy as np
    >>> column = np.array([[0, 0, 1, 2] + [0] * 18 + [3]]).T
    >>> packed = RelativeCsc.from_dense(column, lanes=1)
    >>> packed.values.tolist(), packed.skips.tolist(), packed.pointers.tolist()
    ([1, 2, 0, 3], [2, 0, 15, 2], [[0, 4]])
    >>> packed.storage()
    StorageBits(values=24, indices=12, pointers=6, padding=12)
    """

    shape: tuple[int, int]
    weight_bits: int = 8
    lanes: int
    index_bits: int = 4
    by_rows: bool = False
    values: NDArray[np.int8]
    skips: NDArray[np.int64]
    pointers: NDArray[np.int64]

    def __post_init__(self) -> None:
        check_shape(self.shape)
        check_field("weight_bits", self.weight_bits)
        check_count("lanes", self.lanes, 1)
        check_count("index_bits", self.index_bits, 1, MOST_INDEX_BITS)
        if not isinstance(self.by_rows, bool):
            raise TypeError(f"by_rows must be a bool, not {self.by_rows!r}")
        long, wide = self.stored_shape
        limit = weight_limit(self.weight_bits)
        table = (self.lanes, wide + 1)
        # An entry passes at least one row, so no pointer passes them all.
        pointers = stored_array("pointers", self.pointers, np.int64, table, 0, long * wide)
        steps = np.diff(pointers, axis=1)
        if pointers[:, 0].any() or (steps < 0).any():
            lane = int(np.argmax((pointers[:, 0] != 0) | (steps < 0).any(axis=1)))
            raise ValueError(
                f"pointers of lane {lane} must start at 0 and never fall, "
                f"not {pointers[lane].tolist()!r}"
            )
        entries = (int(pointers[:, -1].sum()),)
        values = stored_array("values", self.values, np.int8, entries, -limit, limit)
        skips = stored_array("skips", self.skips, np.int64, entries, 0, self.most_skip)
        for name, array in (("values", values), ("skips", skips), ("pointers", pointers)):
            object.__setattr__(self, name, array)
        self._check_entries()

    def _check_entries(self) -> None:
        """Refuse padding that no weight needs, and entries past the last row."""
        lanes, columns, rows = self._places()
        counts = self.entries_by_lane().T.ravel()
        last = np.zeros(self.values.size, dtype=bool)
        last[(np.cumsum(counts) - 1)[counts > 0]] = True
        zero, most = self.values == 0, self.most_skip
        long = self.stored_shape[0]
        line, place = ("row", "column") if self.by_rows else ("column", "row")
        for bad, rule, found in (
            (zero & (self.skips != most), f"a padding zero must skip {most}", self.skips),
            (zero & last, "the last entry must be nonzero", self.values),
            (rows >= long, f"entries must stay below {place} {long}", rows),
        ):
            if bad.any():
                entry = int(np.argmax(bad))
                where = f"lane {lanes[entry]}, {line} {columns[entry]}"
                raise ValueError(f"{where}: {rule}, not {found[entry]}")

    @classmethod
    def from_dense(
        cls,
        weights: ArrayLike,
        *,
        lanes: int,
        index_bits: int = 4,
        by_rows: bool = False,
        weight_bits: int = 8,
    ) -> RelativeCsc:
        """Store a dense integer matrix, shape (M, N).

        Raises
        ------
        TypeError
            If the weights are not integers, or another argument is of the wrong kind.
        ValueError
            If the shape is not (M, N), a weight is wider than `weight_bits`, or another argument
            is out of its range.
        """
        weights = check_matrix(weights, weight_bits)
        check_count("lanes", lanes, 1)
        check_count("index_bits", index_bits, 1, MOST_INDEX_BITS)
        stored = weights.T if by_rows else weights
        long, wide = stored.shape
        rounds = -(-long // lanes)
        dealt = np.zeros((rounds * lanes, wide), dtype=np.int8)
        dealt[:long] = stored
        parts = dealt.reshape(rounds, lanes, wide).transpose(1, 2, 0).reshape(-1, rounds)
        values, skips, counts = encode_skips(parts, index_bits)
        pointers = np.zeros((lanes, wide + 1), dtype=np.int64)
        np.cumsum(counts.reshape(lanes, wide), axis=1, out=pointers[:, 1:])
        return cls(
            shape=weights.shape,
            weight_bits=weight_bits,
            lanes=lanes,
            index_bits=index_bits,
            by_rows=by_rows,
            values=values,
            skips=skips,
            pointers=pointers,
        )

    def to_dense(self) -> NDArray[np.int8]:
        """Return the matrix, shape (M, N); the inverse of `from_dense`."""
        stored = np.zeros(self.stored_shape, dtype=np.int8)
        used = self.values != 0
        _lanes, columns, rows = self._places()
        stored[rows[used], columns[used]] = self.values[used]
        return np.ascontiguousarray(stored.T) if self.by_rows else stored

    @property
    def stored_shape(self) -> tuple[int, int]:
        """(M, N), or (N, M) with `by_rows`: what is dealt to lanes, then what is walked along."""
        return self.shape[::-1] if self.by_rows else self.shape

    @property
    def most_skip(self) -> int:
        """The most zeros that one entry skips."""
        return (1 << self.index_bits) - 1

    @property
    def weight_count(self) -> int:
        """How many weights are not zero."""
        return int(np.count_nonzero(self.values))

    @property
    def pointer_bits(self) -> int:
        """Width of a pointer, or with `by_rows` of a length: what the largest one takes."""
        largest = self.entries_by_lane().max() if self.by_rows else self.pointers.max()
        return int(largest).bit_length()

    def storage(self) -> StorageBits:
        """Return the bits that the matrix takes, each lane's memory as deep as its entries."""
        padding = self.values.size - self.weight_count
        fields = self.entries_by_lane().size if self.by_rows else self.pointers.size
        return StorageBits(
            values=self.weight_count * self.weight_bits,
            indices=self.weight_count * self.index_bits,
            pointers=fields * self.pointer_bits,
            padding=padding * (self.weight_bits + self.index_bits),
        )

    def entries_by_lane(self) -> NDArray[np.int64]:
        """Return how many entries each lane has in each column, padding too, shape (N, lanes)."""
        return np.diff(self.pointers, axis=1).T

    def weights_by_lane(self) -> NDArray[np.int64]:
        """Return how many weights each lane has in each column, shape (N, lanes)."""
        counts = self.entries_by_lane().T
        part = np.repeat(np.arange(counts.size), counts.ravel())
        found = np.bincount(part[self.values != 0], minlength=counts.size)
        return found.reshape(counts.shape).T

    def _places(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Return the lane, the column and the row of each entry; rows may lie past the last."""
        part, place = decode_places(self.skips, self.entries_by_lane().T.ravel())
        lanes, columns = np.divmod(part, self.stored_shape[1])
        return lanes, columns, place * self.lanes + lanes
