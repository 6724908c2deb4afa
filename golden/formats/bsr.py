"""Block sparse row storage: square blocks of weights, kept whole or not at all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from darb.golden.config import check_field
from darb.golden.fixed_point import weight_limit
from darb.golden.formats.lane_deal import dealt
from darb.golden.formats.storage_bits import StorageBits
from darb.golden.formats.stored_array import check_matrix, check_shape, stored_array

BLOCK_SIZES = (2, 4, 8)


def check_block_size(size: object) -> None:
    """Refuse what is not one of `BLOCK_SIZES`.

    Raises
    ------
    TypeError
        If `size` is no int.
    ValueError
        If it is another int.
    """
    if isinstance(size, bool) or not isinstance(size, int):
        raise TypeError(f"block_size must be an int, not {size!r}")
    if size not in BLOCK_SIZES:
        raise ValueError(f"block_size must be one of {BLOCK_SIZES}, not {size!r}")


@dataclass(frozen=True, kw_only=True, eq=False)
class Bsr:
    """The square blocks that hold a nonzero weight, block row by block row.

    With b the block size, the matrix is cut into ``ceil(M / b) x ceil(N / b)`` blocks from row 0
    and column 0; where b does not divide M or N, rows and columns of zeros are added below and to
    the right (`padded_shape`). Block row i holds the ``lengths[i]`` blocks that follow those of
    the block rows before it; block e is ``values[e]``, b rows of b columns, in block column
    ``columns[e]``. In every such matrix:

    - ``len(values) == columns.size == lengths.sum()``;
    - each stored block holds at least one weight that is not 0, and none outside (M, N);
    - within a block row the block columns ascend, and none stands twice;
    - a block row without weights has length 0 and no block.

    Block rows are known by their lengths for the reasons given in `Csr`; `row_pointers` gives
    pointers all the same. Zeros inside stored blocks are padding, those outside (M, N) too.

    ============  ===============  ==========================================================
    item          fields           width of a field in bits
    ============  ===============  ==========================================================
    values        nonzero weights  `weight_bits`
    indices       blocks           ``ceil(log2(ceil(N / b)))``, `column_bits`
    pointers      ceil(M / b)      ``ceil(log2(most blocks in a block row + 1))``,
                                   `length_bits`
    padding       zeros in blocks  `weight_bits`
    ============  ===============  ==========================================================

    Parameters
    ----------
    shape : tuple of int
        (M, N), without the padding.
    weight_bits : int
        Width of a stored weight, 2..8.
    block_size : int
        b: 2, 4 or 8.
    values : ndarray of int8, shape (blocks, b, b)
    columns : ndarray of int64, shape (blocks,)
    lengths : ndarray of int64, shape (ceil(M / b),)

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
    >>> bsr = Bsr.from_dense(np.array([[0, 0, 1], [0, 0, 2], [3, 0, 0]]), block_size=2)
    >>> bsr.values.tolist(), bsr.columns.tolist(), bsr.lengths.tolist()
    ([[[1, 0], [2, 0]], [[3, 0], [0, 0]]], [1, 0], [1, 1])
    >>> bsr.padded_shape, bsr.storage()
    ((4, 4), StorageBits(values=24, indices=2, pointers=2, padding=40))
    """

    shape: tuple[int, int]
    weight_bits: int = 8
    block_size: int
    values: NDArray[np.int8]
    columns: NDArray[np.int64]
    lengths: NDArray[np.int64]

    def __post_init__(self) -> None:
        check_shape(self.shape)
        check_field("weight_bits", self.weight_bits)
        check_block_size(self.block_size)
        high, wide = self.grid
        limit, b = weight_limit(self.weight_bits), self.block_size
        lengths = stored_array("lengths", self.lengths, np.int64, (high,), 0, wide)
        blocks = int(lengths.sum())
        values = stored_array("values", self.values, np.int8, (blocks, b, b), -limit, limit)
        columns = stored_array("columns", self.columns, np.int64, (blocks,), 0, wide - 1)
        for name, array in (("values", values), ("columns", columns), ("lengths", lengths)):
            object.__setattr__(self, name, array)
        rows = self.block_rows()
        ascends = np.diff(rows * wide + columns) > 0
        if not ascends.all():
            block = int(np.argmin(ascends))
            raise ValueError(
                f"block row {rows[block]}: columns must ascend after {columns[block]}, "
                f"not {columns[block + 1]}"
            )
        empty = self.block_weights() == 0
        if empty.any():
            block = int(np.argmax(empty))
            raise ValueError(
                f"block row {rows[block]}, column {columns[block]}: a stored block must hold a "
                "nonzero weight, not 0 alone"
            )
        stray = self._padded()
        stray[: self.shape[0], : self.shape[1]] = 0
        if stray.any():
            row, column = map(int, np.argwhere(stray)[0])
            raise ValueError(
                f"row {row}, column {column}: padding outside {self.shape} must be 0, "
                f"not {stray[row, column]}"
            )

    @classmethod
    def from_dense(cls, weights: ArrayLike, *, block_size: int, weight_bits: int = 8) -> Bsr:
        """Store a dense integer matrix, shape (M, N).

        Raises
        ------
        TypeError
            If the weights are not integers, or another argument is no int.
        ValueError
            If the shape is not (M, N), a weight is wider than `weight_bits`, or `block_size` is
            not one of `BLOCK_SIZES`.
        """
        weights = check_matrix(weights, weight_bits)
        check_block_size(block_size)
        (m, n), b = weights.shape, block_size
        high, wide = -(-m // b), -(-n // b)
        padded = np.zeros((high * b, wide * b), dtype=np.int8)
        padded[:m, :n] = weights
        blocks = padded.reshape(high, b, wide, b).transpose(0, 2, 1, 3)
        kept = blocks.any(axis=(2, 3))
        return cls(
            shape=(m, n),
            weight_bits=weight_bits,
            block_size=b,
            values=blocks[kept],
            columns=np.nonzero(kept)[1],
            lengths=np.count_nonzero(kept, axis=1),
        )

    def to_dense(self) -> NDArray[np.int8]:
        """Return the matrix, shape (M, N), without the padding; the inverse of `from_dense`."""
        return np.ascontiguousarray(self._padded()[: self.shape[0], : self.shape[1]])

    def _padded(self) -> NDArray[np.int8]:
        blocks = np.zeros((*self.grid, self.block_size, self.block_size), dtype=np.int8)
        blocks[self.block_rows(), self.columns] = self.values
        return blocks.transpose(0, 2, 1, 3).reshape(self.padded_shape)

    @property
    def grid(self) -> tuple[int, int]:
        """Block rows and block columns."""
        return -(-self.shape[0] // self.block_size), -(-self.shape[1] // self.block_size)

    @property
    def padded_shape(self) -> tuple[int, int]:
        """Rows and columns with the zeros that make them multiples of the block size."""
        return self.grid[0] * self.block_size, self.grid[1] * self.block_size

    @property
    def weight_count(self) -> int:
        """How many weights are not zero."""
        return int(np.count_nonzero(self.values))

    @property
    def column_bits(self) -> int:
        """Width of a block column index."""
        return (self.grid[1] - 1).bit_length()

    @property
    def length_bits(self) -> int:
        """Width of a block row length, the narrowest that holds the longest block row's."""
        return int(self.lengths.max()).bit_length()

    def storage(self) -> StorageBits:
        """Return the bits that the matrix takes."""
        return StorageBits(
            values=self.weight_count * self.weight_bits,
            indices=self.columns.size * self.column_bits,
            pointers=self.lengths.size * self.length_bits,
            padding=(self.values.size - self.weight_count) * self.weight_bits,
        )

    def row_pointers(self) -> NDArray[np.int64]:
        """Return the first block of each block row and, last, the number of blocks."""
        return np.concatenate([[0], np.cumsum(self.lengths)])

    def block_rows(self) -> NDArray[np.int64]:
        """Return the block row of each block, shape (blocks,)."""
        return np.repeat(np.arange(self.lengths.size), self.lengths)

    def block_weights(self) -> NDArray[np.int64]:
        """Return how many weights of each block are not zero, shape (blocks,)."""
        return np.count_nonzero(self.values, axis=(1, 2))

    def lengths_by_lane(self, lanes: int) -> NDArray[np.int64]:
        """Return the blocks of each lane's block rows, block row i going to lane ``i mod lanes``.

        Returns
        -------
        ndarray of int64, shape (ceil(block rows / lanes), lanes)
            One line a round of block rows; 0 where the last round has none.

        Raises
        ------
        TypeError
            If `lanes` is no int.
        ValueError
            If `lanes` is below 1.
        """
        return dealt(self.lengths, lanes)
