"""How many lanes and rows: the fold of a network onto multipliers that finishes it soonest."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from darb.golden import (
    EngineModel,
    IntegerLayer,
    IntegerNetwork,
    OutputMode,
    fit_config,
    pack,
    schedule,
    steady_interval,
)
from darb.sw.validation import MOST_LANES, MOST_ROWS, check_int, check_power_of_two

if TYPE_CHECKING:
    from darb.sw.pruning import Mask


@dataclass(frozen=True, kw_only=True)
class Folding:
    """One choice of lanes and rows, and what it gives.

    Parameters
    ----------
    lanes, rows : int
        S and R.
    interval : float
        Mean clocks between vectors that follow one another without a pause.
    cycles : int
        Clocks from a vector's first step to its last.
    stored : int
        Weights that the patterns keep: useful multiply-accumulates a vector.
    """

    lanes: int
    rows: int
    interval: float
    cycles: int
    stored: int

    @property
    def multipliers(self) -> int:
        """P, the multipliers that it takes."""
        return self.lanes * self.rows

    @property
    def utilisation(self) -> float:
        """Useful multiply-accumulates over multipliers times `interval`."""
        return self.stored / (self.multipliers * self.interval)


def check_shape(*, multipliers: int | None, lanes: int | None, rows: int | None) -> None:
    """Refuse an engine that cannot be; what is None is left open.

    Raises
    ------
    TypeError
        If an argument is no int.
    ValueError
        If a value is out of its range, or lanes and rows need more multipliers than there are.
    """
    for name, value, most in (("lanes", lanes, MOST_LANES), ("rows", rows, MOST_ROWS)):
        if value is not None:
            check_power_of_two(name, value, most)
    if multipliers is None:
        return
    check_int("multipliers", multipliers, 1, MOST_LANES * MOST_ROWS)
    needed = (lanes or 1) * (rows or 1)
    if needed > multipliers:
        raise ValueError(
            f"multipliers must be at least {needed} for the lanes and rows asked for, "
            f"not {multipliers!r}"
        )


def _powers(pinned: int | None, most: int) -> Iterator[int]:
    if pinned is not None:
        yield pinned
        return
    power = 1
    while power <= most:
        yield power
        power *= 2


def evaluate_folding(network: IntegerNetwork, *, lanes: int, rows: int) -> Folding:
    """Return what `network` takes on an engine of ``lanes * rows`` multipliers.

    Raises
    ------
    ValueError
        If the network does not fit such an engine.
    """
    # Takes any last layer, with a ReLU or without, in the clocks that accumulators take.
    mode = OutputMode.ACTIVATIONS
    image = pack(network, fit_config(network, lanes=lanes, rows=rows, output_mode=mode))
    layers = EngineModel(image).layers
    plan = schedule(image, layers)
    return Folding(
        lanes=lanes,
        rows=rows,
        interval=steady_interval(plan, image),
        cycles=plan.cycles,
        stored=sum(layer.stored_weights() for layer in layers),
    )


def pattern_network(masks: Mapping[str, Mask]) -> IntegerNetwork:
    """Return a network with these masks and nothing else: all that the number of clocks asks for.

    Parameters
    ----------
    masks : mapping of str to darb.sw.pruning.Mask
        Layers in order of execution.
    """
    return IntegerNetwork(
        layers=tuple(
            IntegerLayer(
                name=name,
                weights=mask.mask.astype(np.int8),
                bias=np.zeros(len(mask.mask), dtype=np.int32),
                multiplier=np.zeros(len(mask.mask), dtype=np.uint16),
                shift=np.ones(len(mask.mask), dtype=np.uint8),
                relu=False,
                patterns=mask.patterns,
                columns=mask.columns,
                align=mask.align,
            )
            for name, mask in masks.items()
        )
    )


def choose_folding(
    network: IntegerNetwork | Callable[[int, int], IntegerNetwork],
    *,
    multipliers: int = 32,
    lanes: int | None = None,
    rows: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Folding:
    """Choose lanes and rows, both powers of two, for the fewest clocks a vector.

    Parameters
    ----------
    network : IntegerNetwork or callable
        A function is called with lanes and rows and returns the network pruned for them.
    multipliers : int
        Most multipliers to spend, ``lanes * rows``.
    lanes, rows : int, optional
        Pin one of them, or both.
    progress : callable, optional
        Called with the candidates done and how many there are.

    Returns
    -------
    Folding
        Of equally fast ones the one with the shortest latency, then with the fewest multipliers,
        then with the most lanes.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If a value is out of its range, the pinned ones need more multipliers than there are, or
        no candidate fits; then the message is that of the last.
    """
    check_shape(multipliers=multipliers, lanes=lanes, rows=rows)
    candidates = sorted(
        (
            (s, r)
            for s in _powers(lanes, MOST_LANES)
            for r in _powers(rows, MOST_ROWS)
            if s * r <= multipliers
        ),
        key=lambda candidate: -candidate[0] * candidate[1],
    )
    found: list[Folding] = []
    # A network pruned for some number of lanes need not fit another.
    refusal: ValueError | None = None
    for number, (s, r) in enumerate(candidates):
        fastest = min((fold.interval for fold in found), default=math.inf)
        # No fold does better than one weight a multiplier a clock.
        if s * r * fastest > min((fold.stored for fold in found), default=0):
            try:
                folded = network(s, r) if callable(network) else network
                found.append(evaluate_folding(folded, lanes=s, rows=r))
            except ValueError as error:
                refusal = error
        if progress is not None:
            progress(number + 1, len(candidates))
    if not found:
        raise refusal
    return min(found, key=lambda fold: (fold.interval, fold.cycles, fold.multipliers, -fold.lanes))
