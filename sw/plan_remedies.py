"""What would make a network fit a board that it does not fit, each tried."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

import numpy as np

from darb.golden import IntegerNetwork, Pattern
from darb.hw.boards import BOARDS, Board
from darb.sw.board_plan import Candidate, Remedy
from darb.sw.folding_search import FoldingSearch, fastest

_RATIO_DOUBLINGS = 5
_FEWER_WEIGHT_BITS = 4


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


def remedies(search: FoldingSearch, board: Board, accumulator_bits: int) -> Iterator[Remedy]:
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
            return fastest(changed.run(board)[0])
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
        best = fastest(search.run(other)[0])
        if best is not None:
            yield Remedy(change=f"the board {other.name}", candidate=best)
            break
