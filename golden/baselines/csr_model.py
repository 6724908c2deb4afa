"""The CSR engine, bit for bit and clock for clock."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from darb.golden.baselines.csr import CsrConfig
from darb.golden.baselines.image import BaselineImage
from darb.golden.baselines.model import BaselineModel
from darb.golden.bitfields import unpack_array, unpack_struct
from darb.golden.pipeline import ACCUMULATE, FETCH, GATHER, ISSUE, MULTIPLY, POST

LEAST_ROW = FETCH
"""Clocks that a lane spends on a row at least: the next length takes them to be read."""
QUEUE = 1
"""Accumulator to the queue's count."""
RELEASE = 3
"""Lanes' last step of a vector to the first beat that may overwrite it."""
STEP_TO_QUEUE = ISSUE + FETCH + GATHER + MULTIPLY + ACCUMULATE + QUEUE
"""A row's last step to the first clock in which its sum may leave the queue."""
TAKE_TO_WRITE = FETCH + POST
"""From there to the clock in which its result is written."""


class CsrWalk:
    """The lanes, their queues and the one way out of them.

    With b the clock in which a lane begins a row of n weights, its steps are b + 1 to b + n; an
    empty row takes one idle step. The lane begins its next row at b + n, or `LEAST_ROW` after b,
    once the row `queue_depth` before that has left the queue. Sums leave the queues in packed
    order, one a clock, a vector's first when half the output buffer is free.

    Parameters
    ----------
    config : CsrConfig
    lengths : sequence of int
        Of all rows, in packed order.
    """

    def __init__(self, config: CsrConfig, lengths: list[int]) -> None:
        self._lengths = lengths
        self._next_begin = [0] * config.lanes
        self._left = [
            deque([-1] * config.queue_depth, config.queue_depth) for _ in self._next_begin
        ]
        self._last_taken = -1

    def vector(self, arrived: int, output_free: int) -> tuple[int, int]:
        """Compute one more vector; see `darb.golden.baselines.model.Walk`."""
        taken, last_step = max(self._last_taken, output_free - 1), 0
        lanes = len(self._next_begin)
        for row, length in enumerate(self._lengths):
            lane = row % lanes
            begin = max(self._next_begin[lane], arrived, self._left[lane][0] + 1)
            self._next_begin[lane] = begin + max(length, LEAST_ROW)
            step = begin + max(length, 1)
            last_step = max(last_step, step)
            taken = max(taken + 1, step + STEP_TO_QUEUE)
            self._left[lane].append(taken)
        self._last_taken = taken
        return last_step + RELEASE, taken + TAKE_TO_WRITE


class CsrModel(BaselineModel):
    """Golden model of the CSR engine.

    Parameters
    ----------
    image : BaselineImage
        Of `pack_csr`.

    Raises
    ------
    TypeError
        If its config is no `CsrConfig`.
    """

    def __init__(self, image: BaselineImage) -> None:
        if not isinstance(image.config, CsrConfig):
            raise TypeError(f"image must have a CsrConfig, not {image.config!r}")
        super().__init__(image)
        self._config = image.config
        self.lengths = np.zeros(self._config.rows, dtype=np.int64)
        for lane in range(self._config.lanes):
            words = image.memories[f"lengths_{lane}"]
            lengths = unpack_array(words, self._config.length_bits, 1, signed=False)
            self.lengths[lane :: self._config.lanes] = lengths[:, 0]

    def dense(self) -> NDArray[np.int64]:
        """Return the weights, shape (M, N), rows in packed order."""
        config = self._config
        weights = np.zeros((config.rows, config.columns), dtype=np.int64)
        for lane in range(config.lanes):
            lengths = self.lengths[lane :: config.lanes]
            words = self.image.memories[f"entries_{lane}"][: lengths.sum()]
            entries = unpack_struct(config.entry_layout, words, signed=("value",))
            rows = np.repeat(np.arange(lane, config.rows, config.lanes), lengths)
            weights[rows, entries["column"]] = entries["value"]
        return weights

    def stored_weights(self) -> int:
        """Return how many entries are stored."""
        return int(self.lengths.sum())

    def walk(self) -> CsrWalk:
        """Return the lanes as they are out of reset."""
        return CsrWalk(self._config, self.lengths.tolist())
