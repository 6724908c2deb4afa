"""Every folding of a network on a board: exact cycles and estimated resources."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from darb.golden import (
    EngineConfig,
    EngineModel,
    IntegerNetwork,
    OutputMode,
    PatternMisfitError,
    Storage,
    fit_config,
    pack,
    schedule,
    steady_interval,
    timeline,
)
from darb.hw.boards import Board
from darb.hw.estimate import estimate_resources
from darb.hw.expected_clock import expected_clock
from darb.sw.board_plan import Candidate
from darb.sw.validation import MOST_LANES, MOST_ROWS

Networks = Callable[[int, int], IntegerNetwork]
_MOST_SOFT_MULTIPLIERS = 64


def _output_mode(network: IntegerNetwork) -> OutputMode:
    # Raw accumulators of a last layer with a ReLU would not be what it gives.
    return OutputMode.ACTIVATIONS if network.layers[-1].relu else OutputMode.ACCUMULATORS


def _candidate(
    network: IntegerNetwork,
    config: EngineConfig,
    board: Board,
    storage: Storage,
    clock_hz: int | None,
) -> Candidate:
    image = pack(network, config)
    plan = schedule(image, EngineModel(image).layers)
    lone = timeline(plan, image, 1)
    return Candidate(
        lanes=config.lanes,
        rows=config.rows,
        interval=steady_interval(plan, image),
        latency=int(lone.outputs[0, -1] - lone.inputs[0, 0]) + 1,
        clock_hz=expected_clock(board, config) if clock_hz is None else clock_hz,
        estimate=estimate_resources(board, config, storage=storage),
    )


def _shapes(most: int, lanes: int | None, rows: int | None) -> Iterator[tuple[int, int]]:
    """Return every lanes and rows of at most `most` multipliers, fewest first."""
    powers = [1 << power for power in range(9)]
    shapes = [
        (s, r)
        for s in ([lanes] if lanes else [power for power in powers if power <= MOST_LANES])
        for r in ([rows] if rows else [power for power in powers if power <= MOST_ROWS])
        if s * r <= most or (lanes and rows)
    ]
    yield from sorted(shapes, key=lambda shape: (shape[0] * shape[1], shape[0]))


@dataclass(frozen=True, kw_only=True)
class FoldingSearch:
    """How candidates are made: from which networks, with which engine fields pinned."""

    networks: Networks
    pinned: dict[str, object]
    own: EngineConfig | None = None
    lanes: int | None = None
    rows: int | None = None
    storage: Storage
    clock_hz: int | None

    def config(self, network: IntegerNetwork, lanes: int, rows: int) -> EngineConfig:
        """Return the engine of a folding: the image's own, or the smallest that holds it."""
        if self.own is not None and (lanes, rows) == (self.own.lanes, self.own.rows):
            return self.own
        pinned = {"output_mode": _output_mode(network), **self.pinned}
        return fit_config(network, lanes=lanes, rows=rows, **pinned)

    def run(
        self, board: Board, progress: Callable[[int, int], None] | None = None
    ) -> tuple[list[Candidate], dict[int, str]]:
        """Return the candidates on a board, and the lanes that the network is not pruned for.

        Raises
        ------
        ValueError
            If there is no candidate at all; the message is the first one's.
        """
        found, refused, errors = [], {}, []
        shapes = list(_shapes(_most_multipliers(board), self.lanes, self.rows))
        for number, (lanes, rows) in enumerate(shapes):
            if lanes not in refused:
                try:
                    network = self.networks(lanes, rows)
                    config = self.config(network, lanes, rows)
                    found.append(_candidate(network, config, board, self.storage, self.clock_hz))
                except PatternMisfitError as error:
                    refused[lanes] = str(error)
                    errors.append(error)
                except ValueError as error:
                    # One folding may exceed what an engine can be where another does not.
                    errors.append(error)
            if progress is not None:
                progress(number + 1, len(shapes))
        if not found:
            raise errors[0]
        return found, refused


def _most_multipliers(board: Board) -> int:
    return max(board.capacity.multipliers, _MOST_SOFT_MULTIPLIERS)


def fastest(candidates: list[Candidate]) -> Candidate | None:
    """Return the candidate that fits and is fastest, then smallest; None where none fits."""
    fitting = [candidate for candidate in candidates if candidate.fits]
    if not fitting:
        return None
    luts = next(iter(fitting[0].estimate.usage))
    return min(
        fitting,
        key=lambda item: (-item.inferences_per_second, item.estimate.usage[luts].used),
    )


def excess(candidate: Candidate) -> float:
    """Return the largest share of a resource that a candidate takes."""
    return max(usage.share for usage in candidate.estimate.usage.values())
