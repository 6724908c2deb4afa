from itertools import pairwise

import numpy as np
import pytest

from darb.golden import IntegerLayer, IntegerNetwork, Pattern, fit_config
from darb.hw.boards import BOARDS, find_board
from darb.hw.estimate import estimate_resources
from darb.sw.largest_lenet import RATIO_BITS, largest_lenet, lenet_config


def _network(width):
    sizes = (784, width, width // 3, 10)
    layers = [
        IntegerLayer(
            name=f"fc{number}",
            weights=np.zeros((m, n), dtype=np.int8),
            bias=np.zeros(m, dtype=np.int32),
            multiplier=np.zeros(m, dtype=np.uint16),
            shift=np.ones(m, dtype=np.uint8),
            relu=False,
            patterns=(Pattern(RATIO_BITS),) * m,
            columns=np.arange(n, dtype=np.int32),
        )
        for number, (n, m) in enumerate(pairwise(sizes))
    ]
    return IntegerNetwork(layers=tuple(layers))


@pytest.mark.parametrize("lanes", [1, 4, 32])
@pytest.mark.parametrize("width", [3, 90, 300])
def test_the_closed_form_is_the_packers(width, lanes):
    config = lenet_config(width, lanes)
    pinned = {"accumulator_bits": config.accumulator_bits}
    assert config == fit_config(_network(width), lanes=lanes, rows=1, **pinned)


@pytest.mark.parametrize("name", BOARDS)
def test_it_fits_and_a_larger_one_does_not(name):
    board = find_board(name)
    largest = largest_lenet(board)
    assert largest.width >= 3
    assert largest.shape == (784, largest.width, largest.width // 3, 10)
    assert estimate_resources(board, lenet_config(largest.width, largest.lanes)).fits
    lanes = 1
    while lanes <= board.capacity.multipliers:
        assert not estimate_resources(board, lenet_config(largest.width + 3, lanes)).fits
        lanes *= 2


def test_a_larger_chip_holds_a_larger_one():
    names = ("icebreaker", "tang-nano-9k", "ulx3s-25f", "ulx3s-45f", "ulx3s-85f")
    widths = [largest_lenet(find_board(name)).width for name in names]
    assert widths == sorted(set(widths))


def test_something_else_is_refused():
    with pytest.raises(TypeError, match=r"^board must be a Board, not 'ulx3s-85f'$"):
        largest_lenet("ulx3s-85f")
