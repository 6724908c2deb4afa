"""Which engine a board is best given: every folding's exact cycles and estimated resources."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from darb.golden import (
    EngineConfig,
    EngineModel,
    Image,
    IntegerNetwork,
    OutputMode,
    Pattern,
    PatternMisfitError,
    Storage,
    fit_config,
    pack,
    schedule,
    steady_interval,
    timeline,
    unpack,
)
from darb.hw.boards import BOARDS, Board
from darb.hw.estimate import ResourceEstimate, estimate_resources
from darb.hw.expected_clock import expected_clock
from darb.sw.folding import check_shape
from darb.sw.validation import MOST_LANES, MOST_ROWS, check_int

Networks = Callable[[int, int], IntegerNetwork]
_MOST_SOFT_MULTIPLIERS = 64
_RATIO_DOUBLINGS = 5
_FEWER_WEIGHT_BITS = 4


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
class _Search:
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


def _best(candidates: list[Candidate]) -> Candidate | None:
    fitting = [candidate for candidate in candidates if candidate.fits]
    if not fitting:
        return None
    luts = next(iter(fitting[0].estimate.usage))
    return min(
        fitting,
        key=lambda item: (-item.inferences_per_second, item.estimate.usage[luts].used),
    )


def _excess(candidate: Candidate) -> float:
    return max(usage.share for usage in candidate.estimate.usage.values())


def sparser_network(network: IntegerNetwork, doublings: int) -> IntegerNetwork:
    """Return a network of the same shape with 2**doublings times the pruning ratio.

    Only its patterns mean anything: every block is 2**doublings times as large and keeps as many
    weights as before. The weights are zero.

    Raises
    ------
    ValueError
        If a block would be larger than there are.
    """
    layers = []
    for layer in network.layers:
        patterns = tuple(Pattern(item.k + doublings, item.keep) for item in layer.patterns)
        zero = np.zeros_like(layer.weights)
        layers.append(dataclasses.replace(layer, weights=zero, patterns=patterns, align=1))
    return dataclasses.replace(network, layers=tuple(layers))


def _narrower_network(network: IntegerNetwork, weight_bits: int) -> IntegerNetwork:
    layers = tuple(
        dataclasses.replace(layer, weights=np.zeros_like(layer.weights)) for layer in network.layers
    )
    return dataclasses.replace(network, layers=layers, weight_bits=weight_bits)


def _remedies(search: _Search, board: Board, accumulator_bits: int) -> Iterator[Remedy]:
    """Try what would make the network fit, the cheapest change of each sort first."""
    plain = dataclasses.replace(search, own=None)

    def attempt(
        change: Callable[[IntegerNetwork], IntegerNetwork], **pinned: int
    ) -> Candidate | None:
        changed = dataclasses.replace(
            plain,
            networks=lambda lanes, rows: change(search.networks(lanes, rows)),
            pinned={**search.pinned, "accumulator_bits": accumulator_bits, **pinned},
        )
        try:
            return _best(changed.run(board)[0])
        except ValueError:
            return None

    for doublings in range(1, _RATIO_DOUBLINGS + 1):
        best = attempt(lambda network, n=doublings: sparser_network(network, n))
        if best is not None:
            yield Remedy(change=f"{1 << doublings} times the pruning ratio", candidate=best)
            break
    best = attempt(lambda network: _narrower_network(network, _FEWER_WEIGHT_BITS))
    if best is not None:
        yield Remedy(change=f"weights of {_FEWER_WEIGHT_BITS} bits", candidate=best)
    for other in sorted(BOARDS.values(), key=lambda item: item.capacity.memory_bits):
        if other.capacity.memory_bits <= board.capacity.memory_bits:
            continue
        best = _best(search.run(other)[0])
        if best is not None:
            yield Remedy(change=f"the board {other.name}", candidate=best)
            break


def plan(
    source: IntegerNetwork | Image | Networks,
    board: Board,
    *,
    lanes: int | None = None,
    rows: int | None = None,
    storage: Storage = Storage.ROM,
    clock_hz: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Plan:
    """Return every folding of a network on a board, and the one to build.

    Parameters
    ----------
    source : IntegerNetwork, Image or callable
        A function is called with lanes and rows and returns the network pruned for them. An
        image's own folding is taken with its own config, the others with the smallest that holds
        its network.
    board : Board
    lanes, rows : int, optional
        Pin one of them, or both.
    storage : Storage
    clock_hz : int, optional
        Of the engine; by default what it is expected to reach.
    progress : callable, optional
        Called with the candidates done and how many there are.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If a value is out of its range, or the network suits no folding at all.
    """
    if not isinstance(board, Board):
        raise TypeError(f"board must be a Board, not {board!r}")
    if not isinstance(storage, Storage):
        raise TypeError(f"storage must be a Storage, not {storage!r}")
    check_shape(multipliers=None, lanes=lanes, rows=rows)
    if clock_hz is not None:
        check_int("clock_hz", clock_hz, 1)
    own, pinned = None, {}
    if isinstance(source, Image):
        own, network = source.config, unpack(source)
        pinned = {"output_mode": own.output_mode, "index_word_bits": own.index_word_bits}
        networks: Networks = lambda lanes, rows: network  # noqa: E731
    elif isinstance(source, IntegerNetwork):
        networks = lambda lanes, rows: source  # noqa: E731
    elif callable(source):
        networks = source
    else:
        raise TypeError(f"source must be an IntegerNetwork, an Image or a function, not {source!r}")
    search = _Search(
        networks=networks,
        pinned=pinned,
        own=own,
        lanes=lanes,
        rows=rows,
        storage=storage,
        clock_hz=clock_hz,
    )
    candidates, refused = search.run(board, progress)
    chosen = _best(candidates)
    found = {"candidates": tuple(candidates), "chosen": chosen, "refused": refused}
    if chosen is not None:
        return Plan(board=board, storage=storage, **found)
    nearest = min(candidates, key=_excess)
    network = networks(nearest.lanes, nearest.rows)
    bits = search.config(network, nearest.lanes, nearest.rows).accumulator_bits
    return Plan(
        board=board,
        storage=storage,
        nearest=nearest,
        remedies=tuple(_remedies(search, board, bits)),
        **found,
    )
