"""The relative CSC engine, bit for bit and clock for clock."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from darb.golden.baselines.image import BaselineImage
from darb.golden.baselines.model import BaselineModel
from darb.golden.baselines.relative_csc import RelativeCscConfig
from darb.golden.bitfields import unpack_array, unpack_struct
from darb.golden.formats.relative_csc import RelativeCsc
from darb.golden.pipeline import FETCH

BEAT_READ = 1
"""Beat's address to the memory's output, from which it goes on to where non-zeros are picked."""
BROADCAST = 2
"""Pick of a non-zero to its column's pointer addresses in all lanes."""
COUNT = 1
"""A column's two pointers to its number of entries, which is queued unless it is zero."""
QUEUE = 2
"""Write into a lane's queue to its output: the queue's count, then the memory's register."""
PLACE = 1
"""Entry's skip to its place among the lane's rows."""
READ = 1
"""Place to the sum that the accumulator memory holds, to which the product is then added."""
FINISH = 3
"""Place of a lane's last entry of a vector to the first clock in which its sums may be taken: the
lane's count, that of all lanes, that of vectors. Every sum is written by then."""
RELEASE = 2
"""Read of a vector's last beat to the first beat that may overwrite it."""
BANKS = 2
"""Vectors that a lane's accumulators can hold."""
PICK_TO_COUNT = BROADCAST + FETCH + COUNT
"""Pick of a non-zero to the clock in which a lane queues it or, its column empty, drops it."""
PICK_TO_BEGIN = PICK_TO_COUNT + QUEUE
"""Pick of a non-zero to the first clock in which a lane can begin it."""
ROOM = 1
"""A lane's free places to the clock in which the broadcast knows of them; one pick may be between.
"""
IN_FLIGHT = PICK_TO_BEGIN + ROOM
"""Picks on their way to a lane that never lets one wait, and the one that is between."""
STEP_TO_TAKE = FETCH + PLACE + FINISH
"""Lanes' last step of a vector to the first clock in which its sums may be taken."""
LEAST_VECTOR = 2
"""Clocks between two vectors that all lanes are through with, at least."""


class RelativeCscWalk:
    """The broadcast, the lanes behind their queues, their accumulators and the one way out.

    Beats without a non-zero activation are not stored. Of the others, one stands where its
    non-zeros are picked, lowest column first, one a clock while every lane has two free places of
    ``queue_depth + IN_FLIGHT``, as it was the clock before, and the next stands behind it. A
    vector without non-zeros has one pick, of no column.

    A lane gives a picked column's place free `PICK_TO_COUNT` after it where it has no entries
    there, unless the column is the vector's last; else in the clock t in which it begins it. With
    n entries its steps are t + 1 to t + n, or one idle step, and it begins its next column at
    t + n. It begins a vector once the sums of the one two before have been taken.

    Once all lanes are through with a vector its sums are taken in packed order, one a clock, the
    first when half the output buffer is free.

    Parameters
    ----------
    config : RelativeCscConfig
    counts : ndarray of int64, shape (N, lanes)
        Entries of each lane in each column.
    nonzero : ndarray of bool, shape (B, N), optional
        Which activations of each vector are not zero; by default all, for as many as are walked.
    """

    def __init__(
        self,
        config: RelativeCscConfig,
        counts: NDArray[np.int64],
        nonzero: NDArray[np.bool_] | None = None,
    ) -> None:
        self._config, self._counts, self._nonzero = config, counts, nonzero
        self._lanes = np.arange(config.lanes)
        self._vectors = 0
        # When each of a lane's places but one was, or will be, given free.
        self._freed = np.full((config.lanes, config.queue_depth + IN_FLIGHT - 1), -1)
        self._room = 0
        # Out of reset a lane clears its accumulators, one row a clock.
        self._next_begin = np.array([config.lane_rows(lane) for lane in self._lanes])
        self._drained = deque([np.full(config.lanes, -1)] * BANKS, BANKS)
        self._moved, self._picked, self._whole, self._last_taken = 0, -1, -1, -1

    def vector(self, arrived: int, output_free: int) -> tuple[int, int]:
        """Compute one more vector; see `darb.golden.baselines.model.Walk`."""
        self._next_begin = np.maximum(self._next_begin, self._drained[0] + 1)
        read = 0
        for columns in self._beats():
            read = max(arrived, self._moved)
            self._moved = max(read + BEAT_READ, self._picked)
            for column, last in columns:
                self._pick(column, last)
        taken = self._take(output_free)
        return read + RELEASE, int(taken[-1])

    def _beats(self) -> list[list[tuple[int | None, bool]]]:
        """Return the picks of the next vector, beat by beat: columns, and which is the last."""
        config = self._config
        nonzero = np.ones(config.columns, dtype=bool)
        if self._nonzero is not None:
            nonzero = self._nonzero[self._vectors]
        self._vectors += 1
        columns = np.flatnonzero(nonzero)
        if not columns.size:
            return [[(None, True)]]
        picks = [(column, column == columns[-1]) for column in columns.tolist()]
        starts = np.flatnonzero(np.diff(columns // config.beat, prepend=-1)).tolist()
        ends = [*starts[1:], len(picks)]
        return [picks[start:end] for start, end in zip(starts, ends, strict=True)]

    def _pick(self, column: int | None, last: bool) -> None:
        """Pick one non-zero; every lane begins its column or drops it."""
        # Room without and with the last pick, which the clock after it does not know of.
        unaware, self._room = self._room, int(self._freed.min(axis=1).max()) + ROOM + 1
        pick, next_clock = max(self._picked, self._moved) + 1, self._picked + 1
        if pick > next_clock or pick < unaware:
            pick = max(pick, next_clock + ROOM, self._room)
        counts = np.zeros_like(self._lanes) if column is None else self._counts[column]
        begin = np.maximum(pick + PICK_TO_BEGIN, self._next_begin)
        freed = begin
        if last:
            self._next_begin = begin + np.maximum(counts, 1)
        else:
            queued = counts > 0
            freed = np.where(queued, begin, pick + PICK_TO_COUNT)
            self._next_begin = np.where(queued, begin + counts, self._next_begin)
        # The place that was free first; places are not given free in the order of the picks.
        place = self._freed.argmin(axis=1)
        self._freed[self._lanes, place] = np.maximum(self._freed[self._lanes, place], freed)
        self._picked = pick

    def _take(self, output_free: int) -> NDArray[np.int64]:
        """Return when each sum of the vector is taken, in packed order."""
        # A lane's last step is in the clock in which it could begin its next column.
        through = int(self._next_begin.max()) + STEP_TO_TAKE
        self._whole = max(through, self._whole + LEAST_VECTOR)
        rows = np.arange(self._config.rows)
        taken = rows + max(self._whole, self._last_taken + 1, output_free)
        drained = np.zeros_like(self._lanes)
        drained[rows[-len(self._lanes) :] % len(self._lanes)] = taken[-len(self._lanes) :]
        self._drained.append(drained)
        self._last_taken = int(taken[-1])
        return taken


class RelativeCscModel(BaselineModel):
    """Golden model of the relative CSC engine, whose clocks depend on the vectors' zeros.

    Parameters
    ----------
    image : BaselineImage
        Of `pack_relative_csc`.

    Attributes
    ----------
    stored : RelativeCsc
        What the memories hold.

    Raises
    ------
    TypeError
        If its config is no `RelativeCscConfig`.
    ValueError
        If the memories break a rule of `RelativeCsc`.
    """

    config_kind = RelativeCscConfig

    def __init__(self, image: BaselineImage) -> None:
        super().__init__(image)
        self._config = config = image.config
        pointers = np.zeros((config.lanes, config.columns + 1), dtype=np.int64)
        values, skips = [], []
        for lane, mine in enumerate(pointers):
            for name, bank in (("even", mine[::2]), ("odd", mine[1::2])):
                words = image.memories[f"{name}_{lane}"]
                bank[:] = unpack_array(words, config.pointer_bits, 1, signed=False)[:, 0]
            words = image.memories[f"entries_{lane}"][: mine[-1]]
            entries = unpack_struct(config.entry_layout, words, signed=("value",))
            values.append(entries["value"])
            skips.append(entries["skip"])
        self.stored = RelativeCsc(
            shape=(config.rows, config.columns),
            weight_bits=config.weight_bits,
            lanes=config.lanes,
            index_bits=config.index_bits,
            values=np.concatenate(values),
            skips=np.concatenate(skips),
            pointers=pointers,
        )

    def dense(self) -> NDArray[np.int64]:
        """Return the weights, shape (M, N), rows in packed order."""
        return self.stored.to_dense().astype(np.int64)

    def stored_weights(self) -> int:
        """Return how many entries are stored, padding zeros too."""
        return self.stored.values.size

    def walk(self) -> RelativeCscWalk:
        """Return the engine as it is out of reset; no activation of its vectors is zero."""
        return RelativeCscWalk(self._config, self.stored.entries_by_lane())

    def walk_through(self, vectors: NDArray[np.int64]) -> RelativeCscWalk:
        """Return the engine as it is out of reset, to compute these vectors."""
        return RelativeCscWalk(self._config, self.stored.entries_by_lane(), vectors != 0)
