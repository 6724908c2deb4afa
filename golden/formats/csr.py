"""Compressed sparse row storage with absolute column indices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from darb.golden.config import check_field
from darb.golden.fixed_point import weight_limit
from darb.golden.formats.lane_deal import dealt
from darb.golden.formats.storage_bits import StorageBits
from darb.golden.formats.stored_array import check_matrix, check_shape, stored_array


@dataclass(frozen=True, kw_only=True, eq=False)
class Csr:
    """The nonzero weights of a matrix row by row, each with the number of its column.

    Row i holds the ``lengths[i]`` entries that follow those of the rows before it; entry e is
    weight ``values[e]`` in column ``columns[e]``. In every such matrix:

    - ``values.size == columns.size == lengths.sum()``;
    - no value is 0, so every entry is useful and nothing is padding;
    - within a row the columns ascend, and none stands twice;
    - a row without weights has length 0 and no entry.

    Rows are known by their lengths, not by pointers into the entries: an engine reads every row,
    in order, so it never needs to jump to one, and a row's length is at most the number of all
    entries, so its field is never the wider one. `row_pointers` gives the pointers all the same.

    ============  ======  ===================================================
    item          fields  width of a field in bits
    ============  ======  ===================================================
    values        nnz     `weight_bits`
    indices       nnz     ``ceil(log2(N))``, `column_bits`; 0 for one column
    pointers      M       ``ceil(log2(longest row + 1))``, `length_bits`
    ============  ======  ===================================================

    Parameters
    ----------
    shape : tuple of int
        (M, N).
    weight_bits : int
        Width of a stored weight, 2..8.
    values : ndarray of int8, shape (nnz,)
    columns : ndarray of int64, shape (nnz,)
    lengths : ndarray of int64, shape (M,)

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If one is out of its range, or a rule above is broken.

    Notes
    -----
    The arrays are read-only copies: what was checked stays true.

    Examples
    --------
    >>> import numpy as np
    >>> csr = Csr.from_dense(np.array([[0, 5, 0, 6], [0, 0, 0, 0], [7, 0, 0, 0]]))
    >>> csr.values.tolist(), csr.columns.tolist(), csr.lengths.tolist()
    ([5, 6, 7], [1, 3, 0], [2, 0, 1])
    >>> csr.storage()
    StorageBits(values=24, indices=6, pointers=6, padding=0)
    """

    shape: tuple[int, int]
    weight_bits: int = 8
    values: NDArray[np.int8]
    columns: NDArray[np.int64]
    lengths: NDArray[np.int64]

    def __post_init__(self) -> None:
        m, n = check_shape(self.shape)
        check_field("weight_bits", self.weight_bits)
        limit = weight_limit(self.weight_bits)
        lengths = stored_array("lengths", self.lengths, np.int64, (m,), 0, n)
        entries = (int(lengths.sum()),)
        values = stored_array("values", self.values, np.int8, entries, -limit, limit)
        columns = stored_array("columns", self.columns, np.int64, entries, 0, n - 1)
        for name, array in (("values", values), ("columns", columns), ("lengths", lengths)):
            object.__setattr__(self, name, array)
        rows = self.entry_rows()
        if not values.all():
            entry = int(np.argmin(values != 0))
            raise ValueError(
                f"row {rows[entry]}, column {columns[entry]}: a stored weight must be nonzero, "
                "not 0"
            )
        ascends = np.diff(rows * n + columns) > 0
        if not ascends.all():
            entry = int(np.argmin(ascends))
            raise ValueError(
                f"row {rows[entry]}: columns must ascend after {columns[entry]}, "
                f"not {columns[entry + 1]}"
            )

    @classmethod
    def from_dense(cls, weights: ArrayLike, *, weight_bits: int = 8) -> Csr:
        """Store a dense integer matrix, shape (M, N).

        Raises
        ------
        TypeError
            If the weights are not integers, or `weight_bits` is no int.
        ValueError
            If the shape is not (M, N), or a weight is wider than `weight_bits`.
        """
        weights = check_matrix(weights, weight_bits)
        rows, columns = np.nonzero(weights)
        return cls(
            shape=weights.shape,
            weight_bits=weight_bits,
            values=weights[rows, columns],
            columns=columns,
            lengths=np.count_nonzero(weights, axis=1),
        )

    def to_dense(self) -> NDArray[np.int8]:
        """Return the matrix, shape (M, N); the inverse of `from_dense`."""
        weights = np.zeros(self.shape, dtype=np.int8)
        weights[self.entry_rows(), self.columns] = self.values
        return weights

    @property
    def weight_count(self) -> int:
        """How many weights are not zero; here also the entries."""
        return self.values.size

    @property
    def column_bits(self) -> int:
        """Width of a column index."""
        return (self.shape[1] - 1).bit_length()

    @property
    def length_bits(self) -> int:
        """Width of a row length, the narrowest that holds the longest row's."""
        return int(self.lengths.max()).bit_length()

    def storage(self) -> StorageBits:
        """Return the bits that the matrix takes."""
        return StorageBits(
            values=self.weight_count * self.weight_bits,
            indices=self.weight_count * self.column_bits,
            pointers=self.lengths.size * self.length_bits,
            padding=0,
        )

    def row_pointers(self) -> NDArray[np.int64]:
        """Return the first entry of each row and, last, the number of entries, shape (M + 1,)."""
        return np.concatenate([[0], np.cumsum(self.lengths)])

    def entry_rows(self) -> NDArray[np.int64]:
        """Return the row of each entry, shape (nnz,)."""
        return np.repeat(np.arange(self.lengths.size), self.lengths)

    def lengths_by_lane(self, lanes: int) -> NDArray[np.int64]:
        """Return the entries of each lane's rows when row i goes to lane ``i mod lanes``.

        Returns
        -------
        ndarray of int64, shape (ceil(M / lanes), lanes)
            One line a round of rows; 0 where the last round has no row.

        Raises
        ------
        TypeError
            If `lanes` is no int.
        ValueError
            If `lanes` is below 1.
        """
        return dealt(self.lengths, lanes)

    def bank_counts(self, banks: ArrayLike) -> NDArray[np.int64]:
        """Return how many entries of each row read each activation bank.

        Parameters
        ----------
        banks : array_like of int, shape (N,)
            The bank that holds each column.

        Returns
        -------
        ndarray of int64, shape (M, largest bank + 1)

        Raises
        ------
        TypeError
            If the banks are not integers.
        ValueError
            If they do not name a bank from 0 up for every column.
        """
        m, n = self.shape
        banks = stored_array("banks", banks, np.int64, (n,), 0, np.iinfo(np.int32).max)
        count = int(banks.max()) + 1
        places = self.entry_rows() * count + banks[self.columns]
        return np.bincount(places, minlength=m * count).reshape(m, count)
