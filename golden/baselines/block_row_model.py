"""Engines whose lanes take block rows in turn, bit for bit and clock for clock."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from darb.golden.baselines.block_row import LEAST_ROW, BlockRowConfig
from darb.golden.baselines.image import BaselineImage
from darb.golden.baselines.model import BaselineModel
from darb.golden.bitfields import unpack_array, unpack_struct
from darb.golden.pipeline import ACCUMULATE, FETCH, GATHER, ISSUE, MULTIPLY

QUEUE = 1
"""Accumulators to the queue's count."""
RELEASE = 3
"""Lanes' last step of a vector to the first beat that may overwrite it."""


def step_to_queue(config: BlockRowConfig) -> int:
    """Return the clocks from a block row's last step until its sums may leave the queue."""
    tree = (config.blocks_a_step * config.block_size - 1).bit_length()
    return ISSUE + FETCH + GATHER + MULTIPLY + tree + ACCUMULATE + QUEUE


class BlockRowWalk:
    """The lanes, their queues and the one way out of them.

    With t the clock in which a lane begins a block row of n steps, they are t + 1 to t + n; an
    empty one takes one idle step. The lane begins its next block row at t + n, or `LEAST_ROW`
    after t, once the one `queue_depth` before that has left the queue. Sums leave the queues in
    packed order, all of a block row at once, as soon as those before it have gone on, one row a
    clock; a vector's first when half the output buffer is free.

    Parameters
    ----------
    config : BlockRowConfig
    lengths : sequence of int
        Of all block rows, in packed order.
    """

    def __init__(self, config: BlockRowConfig, lengths: list[int]) -> None:
        self._config, self._lengths = config, lengths
        self._step_to_queue = step_to_queue(config)
        self._next_begin = [0] * config.lanes
        self._left = [
            deque([-1] * config.queue_depth, config.queue_depth) for _ in self._next_begin
        ]
        self._last_taken = -1

    def vector(self, arrived: int, output_free: int) -> tuple[int, int]:
        """Compute one more vector; see `darb.golden.baselines.model.Walk`."""
        taken, last_step = max(self._last_taken, output_free - 1), 0
        lanes, block_size = len(self._next_begin), self._config.block_size
        rows = self._config.rows
        for row, length in enumerate(self._lengths):
            lane = row % lanes
            begin = max(self._next_begin[lane], arrived, self._left[lane][0] + 1)
            self._next_begin[lane] = begin + max(length, LEAST_ROW)
            step = begin + max(length, 1)
            last_step = max(last_step, step)
            left = max(taken + 1, step + self._step_to_queue)
            self._left[lane].append(left)
            taken = left + min(block_size, rows - row * block_size) - 1
        self._last_taken = taken
        return last_step + RELEASE, taken


class BlockRowModel(BaselineModel):
    """Golden model of engines whose lanes take block rows in turn.

    Parameters
    ----------
    image : BaselineImage
        Its config of `config_kind`.

    Attributes
    ----------
    lengths : ndarray of int64, shape (block rows,)
        Steps of each packed block row.

    Raises
    ------
    TypeError
        If its config is another.
    """

    def __init__(self, image: BaselineImage) -> None:
        super().__init__(image)
        self._config = image.config
        self.lengths = np.zeros(self._config.block_rows, dtype=np.int64)
        for lane in range(self._config.lanes):
            words = image.memories[f"lengths_{lane}"]
            lengths = unpack_array(words, self._config.length_bits, 1, signed=False)
            self.lengths[lane :: self._config.lanes] = lengths[:, 0]

    def _blocks(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Return block row, block column and values of each block; none that only fills up."""
        config = self._config
        layout, area = config.entry_layout, config.block_size**2
        signed = tuple(name for name in layout if name.startswith("value"))
        parts = []
        for lane in range(config.lanes):
            lengths = self.lengths[lane :: config.lanes]
            words = self.image.memories[f"entries_{lane}"][: lengths.sum()]
            entries = unpack_struct(layout, words, signed=signed)
            fields = np.stack([*entries.values()], axis=1)
            values = fields[:, : config.lane_multipliers].reshape(-1, area)
            columns = fields[:, config.lane_multipliers :].ravel()
            rows = np.arange(lane, config.block_rows, config.lanes)
            rows = rows.repeat(lengths * config.blocks_a_step)
            kept = values.any(axis=1)
            parts.append((rows[kept], columns[kept], values[kept]))
        rows, columns, values = (np.concatenate(part) for part in zip(*parts, strict=True))
        return rows, columns, values

    def dense(self) -> NDArray[np.int64]:
        """Return the weights, shape (M, N), rows in packed order."""
        config = self._config
        b, wide = config.block_size, -(-config.columns // config.block_size)
        rows, columns, values = self._blocks()
        grid = np.zeros((config.block_rows, wide, b, b), dtype=np.int64)
        grid[rows, columns] = values.reshape(-1, b, b)
        weights = grid.transpose(0, 2, 1, 3).reshape(config.block_rows * b, wide * b)
        return np.ascontiguousarray(weights[: config.rows, : config.columns])

    def stored_weights(self) -> int:
        """Return how many elements the stored blocks have, zeros included.

        Blocks of zeros that fill up an entry are none of the format's and are not counted.
        """
        return self._blocks()[2].size

    def walk(self) -> BlockRowWalk:
        """Return the lanes as they are out of reset."""
        return BlockRowWalk(self._config, self.lengths.tolist())
