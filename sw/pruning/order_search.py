"""Column orders by search: salient weights of a row into different blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from darb.golden.pattern import Pattern, Segments
from darb.sw.pruning.column_order import natural_order
from darb.sw.pruning.masking import check_columns
from darb.sw.pruning.score_arrays import check_scores
from darb.sw.validation import check_int

# A sweep that gains less than this share of what is retained is the last.
_LEAST_GAIN = 1e-4
# Single precision finds swaps that gain less than it can tell from none.
_ROUNDING = 1e-7


def search_order(
    scores: ArrayLike,
    columns: ArrayLike,
    patterns: Sequence[Pattern],
    *,
    lanes: int | None = None,
    spare: bool = False,
    sweeps: int = 10,
    generator: np.random.Generator,
) -> NDArray[np.int32]:
    """Exchange columns while the patterns then retain more squared score.

    As for N:M sparsity in Pool and Yu, "Channel permutations for N:M sparsity", NeurIPS 2021,
    except that rows differ in their blocks: as smaller blocks lie inside larger ones, one exchange
    changes blocks of every size at once. A sweep visits each stored column in random order, weighs
    its exchange with every other column over all rows, and makes the best if it gains.

    Parameters
    ----------
    scores : array_like, shape (M, N)
        At least 0.
    columns : array_like of int, shape (C,)
        The order to start from: original column of each stored position.
    patterns : sequence of Pattern, length M
    lanes : int, optional
        Blocks restart at each of this many segments; None lets them run through the row.
    spare : bool
        Whether stored columns may also be exchanged for those left out.
    sweeps : int
        At most; fewer where one gains next to nothing.
    generator : numpy.random.Generator

    Returns
    -------
    ndarray of int32, shape (C,)
        An order by which `patterns` retain no less than by `columns`. The time it takes grows with
        M and the square of C: a second or two for 300 x 784.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind or does not fit.

    Examples
    --------
    Both rows have two large weights and keep one weight of each half.

    >>> import numpy as np
    >>> from darb.golden.pattern import Pattern
    >>> from darb.sw.pruning import search_order
    >>> scores = np.array([[9, 8, 0, 0], [0, 7, 6, 0]])
    >>> search_order(scores, np.arange(4), [Pattern(1)] * 2, generator=np.random.default_rng(0))
    array([0, 2, 1, 3], dtype=int32)
    """
    scores = check_scores(scores)
    order = check_columns(columns, scores.shape[1])
    if len(patterns) != len(scores):
        raise ValueError(f"patterns must name {len(scores)} rows, not {len(patterns)!r}")
    if lanes is not None:
        check_int("lanes", lanes, 1)
    check_int("sweeps", sweeps, 0)
    outside = np.setdiff1d(natural_order(scores.shape[1]), order)
    every = np.concatenate([order, outside]) if spare else order.copy()
    rows = sorted(range(len(scores)), key=patterns.__getitem__)
    if not spare:
        # Dense rows retain all that is stored, wherever it stands.
        rows = [row for row in rows if patterns[row].keep < patterns[row].block_size]
    whole = scores.max()
    if not rows or not whole:
        return order
    energy = np.ascontiguousarray(scores[np.ix_(rows, every)].T / whole, dtype=np.float64) ** 2
    placement = _Placement(energy, [patterns[row] for row in rows], order.size, lanes=lanes)
    for _ in range(sweeps):
        before = placement.retained
        for place in generator.permutation(order.size).tolist():
            gains = placement.gains(place)
            other = int(gains.argmax())
            if gains[other] > _ROUNDING * before and placement.exchange(place, other):
                every[[place, other]] = every[[other, place]]
        if placement.retained - before < _LEAST_GAIN * before:
            break
    return every[: order.size].copy()


@dataclass(frozen=True)
class _Section:
    """Rows of one pattern: `first` to `last` of the sorted rows."""

    pattern: Pattern
    first: int
    last: int


@dataclass(frozen=True, eq=False)
class _Best:
    """What one block keeps in each row of a section.

    `kept` is its sum over the rows; `least`, shape (rows,), the smallest that is kept, zero where
    the block has room; `next` the largest that is not.
    """

    kept: float
    least: NDArray[np.float64]
    next: NDArray[np.float64]


class _Placement:
    """Which column stands where, and what each would give up or gain elsewhere.

    A block without one of its columns keeps what it kept, and the best of the others if that
    column was among the kept: the block's `loss`. Another column put in its place gains what it
    has above the `threshold`, the least that is then kept.

    Parameters
    ----------
    energy : ndarray, shape (P, M)
        Squared score of each place's column in each row; places from `stored` on are in no block.
    patterns : sequence of Pattern, length M
        Sorted.
    stored : int
    lanes : int or None
    """

    def __init__(
        self,
        energy: NDArray[np.float64],
        patterns: Sequence[Pattern],
        stored: int,
        *,
        lanes: int | None,
    ) -> None:
        self.stored = stored
        self._energy = energy
        # Candidates are weighed in single precision, at twice the speed, exchanges in double.
        self._single = energy.astype(np.float32)
        self._length = Segments(stored, lanes or 1).length
        self._threshold = np.empty((stored, len(patterns)), dtype=np.float32)
        self._loss = np.empty_like(self._threshold)
        starts = [
            row for row, pattern in enumerate(patterns) if not row or pattern != patterns[row - 1]
        ]
        ends = [*starts[1:], len(patterns)]
        self._sections = [
            _Section(patterns[first], first, last) for first, last in zip(starts, ends, strict=True)
        ]
        self._starts = np.array(starts)
        self._ks = np.array([section.pattern.k for section in self._sections])
        self._kept: dict[tuple[int, int], float] = {}
        for index, section in enumerate(self._sections):
            place = 0
            while place < stored:
                block = self._block(place, section.pattern.k)
                best = self._best(section, block)
                self._kept[index, block.start] = best.kept
                self._settle(section, block, best)
                place = block.stop
        self._thresholds = self._threshold.sum(axis=1)
        self._losses = self._loss.sum(axis=1)

    @property
    def retained(self) -> float:
        """What all blocks keep."""
        return sum(self._kept.values())

    def gains(self, place: int) -> NDArray[np.float32]:
        """Return what exchanging `place` with each other place gains, about."""
        single, threshold = self._single, self._threshold
        here = np.maximum(single, threshold[place]).sum(axis=1) - self._thresholds[place]
        there = np.maximum(threshold, single[place]).sum(axis=1) - self._thresholds
        gains = here - self._losses[place]
        gains[: self.stored] += there - self._losses
        # Columns in one block for some rows gain nothing there by changing places.
        near = self._block(place, int(self._ks.max()))
        both = np.maximum(single[near] - threshold[place], 0)
        both += np.maximum(single[place] - threshold[near], 0)
        both -= self._loss[near]
        both -= self._loss[place]
        offset = np.arange(near.start, near.stop) % self._length
        apart = offset[:, None] >> self._ks != place % self._length >> self._ks
        gains[near] = np.where(apart, np.add.reduceat(both, self._starts, axis=1), 0).sum(axis=1)
        return gains

    def exchange(self, place: int, other: int) -> bool:
        """Exchange the columns of two places, or leave them if that gains nothing after all."""
        swap, turned = [place, other], [other, place]
        self._energy[swap] = self._energy[turned]
        inside = [at for at in swap if at < self.stored]
        changed = {}
        for index, section in enumerate(self._sections):
            for at in inside:
                block = self._block(at, section.pattern.k)
                changed[index, block.start] = (block, self._best(section, block))
        if sum(best.kept - self._kept[key] for key, (_, best) in changed.items()) <= 0:
            self._energy[swap] = self._energy[turned]
            return False
        self._single[swap] = self._single[turned]
        for key, (block, best) in changed.items():
            self._kept[key] = best.kept
            self._settle(self._sections[key[0]], block, best)
        for at in inside:
            near = self._block(at, int(self._ks.max()))
            self._thresholds[near] = self._threshold[near].sum(axis=1)
            self._losses[near] = self._loss[near].sum(axis=1)
        return True

    def _block(self, place: int, k: int) -> slice:
        """Return the places of the block of ``2**k`` that has `place`."""
        first = place // self._length * self._length
        start = first + (place - first >> k << k)
        return slice(start, min(start + (1 << k), first + self._length, self.stored))

    def _best(self, section: _Section, block: slice) -> _Best:
        """Return what a block keeps in the rows of a section."""
        values = self._energy[block, section.first : section.last]
        keep = section.pattern.keep
        if len(values) <= keep:
            none = np.zeros(values.shape[1])
            return _Best(float(values.sum()), none, none)
        ranked = np.partition(values, len(values) - keep - 1, axis=0)[len(values) - keep - 1 :]
        return _Best(float(ranked[1:].sum()), ranked[1:].min(axis=0), ranked[0])

    def _settle(self, section: _Section, block: slice, best: _Best) -> None:
        """Write down what each place of a block would lose, and what a newcomer must exceed."""
        rows = slice(section.first, section.last)
        values = self._energy[block, rows]
        kept = values >= best.least
        self._threshold[block, rows] = np.where(kept, best.next, best.least)
        self._loss[block, rows] = np.where(kept, values - best.next, 0)
