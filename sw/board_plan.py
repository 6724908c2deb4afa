"""What a board can do with a network: every folding, and the one to build."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from darb.golden import Storage
from darb.hw.boards import Board
from darb.hw.estimate import ResourceEstimate


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One folding of a network on a board.

    Parameters
    ----------
    lanes, rows : int
        S and R.
    interval : float
        Mean clocks between vectors that follow one another without a pause, exact.
    latency : int
        Clocks from the first input beat of a lone vector to its last output beat, exact.
    clock_hz : int
        What the engine is expected to run at.
    estimate : ResourceEstimate
    """

    lanes: int
    rows: int
    interval: float
    latency: int
    clock_hz: int
    estimate: ResourceEstimate

    @property
    def inferences_per_second(self) -> float:
        """Vectors a second at `clock_hz`, one after another without a pause."""
        return self.clock_hz / self.interval

    @property
    def fits(self) -> bool:
        """Whether the chip holds it."""
        return self.estimate.fits


@dataclass(frozen=True, kw_only=True)
class Remedy:
    """Something that would make a network fit.

    Parameters
    ----------
    change : str
        What to change, in words.
    candidate : Candidate
        The fastest that fits then.
    """

    change: str
    candidate: Candidate


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a board can do with a network.

    Parameters
    ----------
    board : Board
    storage : Storage
    candidates : tuple of Candidate
        Fewest multipliers first.
    chosen : Candidate, optional
        Of those that fit the one with the most inferences a second, then with the fewest look-up
        tables; None where none fits.
    nearest : Candidate, optional
        Where none fits, the one that exceeds the chip by the smallest share.
    remedies : tuple of Remedy
        Where none fits: what would, each tried.
    refused : dict of int to str
        Lanes that the network is not pruned for, and why.
    """

    board: Board
    storage: Storage
    candidates: tuple[Candidate, ...]
    chosen: Candidate | None
    nearest: Candidate | None = None
    remedies: tuple[Remedy, ...] = ()
    refused: dict[int, str] = dataclasses.field(default_factory=dict)
