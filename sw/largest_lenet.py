"""The largest network of LeNet-300-100's kind that a board holds: a measure of its size."""

from __future__ import annotations

from dataclasses import dataclass

from darb.golden import EngineConfig
from darb.golden.fixed_point import signed_bits, weight_limit
from darb.golden.memory_map import HEADER_WORDS, indices_per_word
from darb.hw.boards import Board
from darb.hw.estimate import estimate_resources

INPUTS, OUTPUTS = 784, 10
RATIO_BITS = 4
"""log2 of the pruning ratio: one weight in 16 is kept."""
_MOST_WIDTH = 1 << 14
_WEIGHT_BITS = _ACTIVATION_BITS = 8
_INDEX_WORD_BITS = 12


@dataclass(frozen=True, kw_only=True)
class LargestLenet:
    """A network of three layers, 784 - width - width / 3 - 10, with one weight in 16 kept.

    Parameters
    ----------
    width : int
        Rows of the first layer; a multiple of 3, or 0 where not even the smallest fits.
    lanes : int
        Of the engine that holds it, in one row.
    """

    width: int
    lanes: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Inputs, then the rows of each layer."""
        return (INPUTS, self.width, self.width // 3, OUTPUTS)


def lenet_config(width: int, lanes: int) -> EngineConfig:
    """Return the engine of one row that holds such a network, every block of 16 columns.

    Raises
    ------
    ValueError
        If an engine cannot be that large.
    """
    sizes = (INPUTS, width, width // 3, OUTPUTS)
    shapes = list(zip(sizes[1:], sizes[:-1], strict=True))
    lengths = [-(-columns // lanes) for _, columns in shapes]
    steps = [
        rows * -(-length // (1 << RATIO_BITS))
        for (rows, _), length in zip(shapes, lengths, strict=True)
    ]
    per_word = indices_per_word(_INDEX_WORD_BITS, RATIO_BITS)
    kept = max(-(-columns // (1 << RATIO_BITS)) for columns in sizes[:-1])
    return EngineConfig(
        lanes=lanes,
        rows=1,
        weight_bits=_WEIGHT_BITS,
        activation_bits=_ACTIVATION_BITS,
        accumulator_bits=signed_bits(2 * kept * weight_limit(_WEIGHT_BITS) << _ACTIVATION_BITS - 1),
        index_word_bits=_INDEX_WORD_BITS,
        max_k=RATIO_BITS,
        weight_depth=sum(steps),
        index_depth=sum(-(-count // per_word) for count in steps),
        row_depth=sum(sizes[1:]),
        layer_depth=HEADER_WORDS + len(shapes),
        input_depth=lengths[0],
        hidden_depth=max(lengths[1:]),
        output_depth=OUTPUTS,
    )


def _fits(board: Board, width: int, lanes: int) -> bool:
    try:
        return estimate_resources(board, lenet_config(width, lanes)).fits
    except ValueError:
        return False


def largest_lenet(board: Board) -> LargestLenet:
    """Return the largest such network that `board` holds with 8 bits a weight.

    Raises
    ------
    TypeError
        If `board` is no board.
    """
    if not isinstance(board, Board):
        raise TypeError(f"board must be a Board, not {board!r}")
    best = LargestLenet(width=0, lanes=1)
    lanes = 1
    while lanes <= board.capacity.multipliers:
        # Only wider ones are of interest; most shapes fail the first try.
        low, high = best.width // 3, _MOST_WIDTH // 3
        if _fits(board, 3 * (low + 1), lanes):
            while high - low > 1:
                middle = (low + high) // 2
                if _fits(board, 3 * middle, lanes):
                    low = middle
                else:
                    high = middle
            best = LargestLenet(width=3 * low, lanes=lanes)
        lanes *= 2
    return best
