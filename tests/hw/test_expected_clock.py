import pytest
from configs import small_config

from darb.hw.boards import BOARDS, find_board
from darb.hw.expected_clock import expected_clock
from darb.hw.pll import reached_hz


@pytest.mark.parametrize("name", BOARDS)
@pytest.mark.parametrize(("lanes", "rows"), [(1, 1), (32, 1), (64, 1), (32, 4), (256, 64)])
def test_it_is_whole_and_within_reach(name, lanes, rows):
    board = find_board(name)
    clock = expected_clock(board, small_config(lanes=lanes, rows=rows))
    assert clock % 1_000_000 == 0
    assert clock <= board.engine_clock_hz
    reached_hz(board, clock)


def test_larger_engines_are_expected_to_be_slower():
    board = find_board("ulx3s-85f")
    shapes = ((8, 1), (32, 1), (32, 2), (32, 4))
    clocks = [expected_clock(board, small_config(lanes=s, rows=r)) for s, r in shapes]
    assert clocks[0] == clocks[1] == board.engine_clock_hz
    assert clocks[1] > clocks[2] > clocks[3]


def test_something_else_is_refused():
    with pytest.raises(TypeError, match=r"^board must be a Board, not 'ulx3s-85f'$"):
        expected_clock("ulx3s-85f", small_config())
    with pytest.raises(TypeError, match=r"^config must be an EngineConfig, not None$"):
        expected_clock(find_board("ulx3s-85f"), None)
