import json
import statistics
from pathlib import Path

import pytest
from configs import small_config

from darb.golden import EngineConfig, Storage
from darb.hw.boards import BOARDS, Family, find_board
from darb.hw.estimate import estimate_resources
from darb.hw.estimate.resource_estimate import GRAINS
from darb.hw.flow.resources import BLOCK_RAM, FF, LUT, LUT_RAM, MULTIPLIER, RESOURCES
from darb.hw.flow.toolchain import TOOLCHAINS

ROWS = json.loads((Path(__file__).parents[2] / "bench" / "resource_rows.json").read_text())


def _estimate(row, **choices):
    config, storage = EngineConfig.from_dict(row["config"]), Storage(row["storage"])
    return estimate_resources(find_board(row["board"]), config, storage=storage, **choices)


def _name(row):
    return f"{row['board']}-{row['storage']}-{row['config']['lanes']}x{row['config']['rows']}"


@pytest.mark.parametrize("row", ROWS, ids=_name)
def test_a_measured_design_is_met(row):
    estimate = _estimate(row, exchangeable=True)
    usage = estimate.usage
    # A RAMB36 of which half is used is one that is taken.
    assert usage[BLOCK_RAM].used == -(-row["block_rams"] // 1)
    if estimate.board.family is not Family.XILINX:
        assert usage[MULTIPLIER].used == row["multipliers"]
    if LUT_RAM in usage:
        assert usage[LUT_RAM].used == row["lut_rams"]
    assert usage[FF].used == pytest.approx(row["ffs"], rel=0.15)
    if estimate.board.family is not Family.XILINX:
        # Those of xilinx were measured with the multipliers in logic.
        assert usage[LUT].used == pytest.approx(row["luts"], rel=0.15)


@pytest.mark.parametrize("board", sorted({row["board"] for row in ROWS} - {"arty-a7-35"}))
def test_most_designs_are_met_much_closer(board):
    errors = [
        abs(_estimate(row, exchangeable=True).usage[kind].used / row[name] - 1)
        for row in ROWS
        if row["board"] == board
        for kind, name in ((LUT, "luts"), (FF, "ffs"))
    ]
    assert len(errors) >= 10
    assert statistics.median(errors) < 0.02


@pytest.mark.parametrize("storage", list(Storage))
@pytest.mark.parametrize("board", BOARDS)
def test_the_parts_are_the_whole(board, storage):
    estimate = estimate_resources(find_board(board), small_config(rows=1), storage=storage)
    assert [*estimate.usage] == [kind for kind in RESOURCES if kind in estimate.usage]
    assert estimate.fits
    assert estimate.over == {}
    for kind, name in ((LUT, "luts"), (FF, "ffs"), (MULTIPLIER, "multipliers")):
        total = sum(getattr(part, name) for part in estimate.parts)
        assert estimate.usage[kind].used == round(total)
        assert total > 0
    assert len({part.name for part in estimate.parts}) == len(estimate.parts)


def test_more_multipliers_take_more_of_everything():
    board = find_board("ulx3s-85f")
    small, large = (estimate_resources(board, small_config(lanes=lanes)).usage for lanes in (4, 32))
    assert all(large[kind].used > small[kind].used for kind in (LUT, FF, LUT_RAM, MULTIPLIER))


def test_memories_that_the_chip_has_no_room_for_are_not_exchangeable():
    board = find_board("icebreaker")
    config = small_config(lanes=4, rows=1, weight_depth=800, index_depth=220, row_depth=350)
    whole = estimate_resources(board, config, exchangeable=True)
    assert whole.over == {BLOCK_RAM: whole.usage[BLOCK_RAM].used - 30}
    estimate = estimate_resources(board, config)
    assert not estimate.exchangeable
    # The section descriptors alone go into logic: six block RAMs less.
    assert estimate.usage[BLOCK_RAM].used == whole.usage[BLOCK_RAM].used - 6
    assert estimate.fits
    assert estimate_resources(find_board("ulx3s-12f"), config).exchangeable


def test_what_is_over_is_told_by_how_much():
    board = find_board("icebreaker")
    estimate = estimate_resources(board, small_config(lanes=8, rows=8))
    over = estimate.over
    assert not estimate.fits
    assert over[MULTIPLIER] == estimate.usage[MULTIPLIER].used - 8
    # Of the look-up tables the last twentieth counts as out of reach.
    assert over[LUT] == estimate.usage[LUT].used - 5016


def test_a_gowin_lut_ram_keeps_others_from_its_place():
    board = find_board("tang-nano-9k")
    config = small_config(lanes=8, rows=2, input_depth=30, hidden_depth=30)
    estimate = estimate_resources(board, config)
    usage = estimate.usage
    assert usage[LUT].used <= 0.95 * usage[LUT].available
    assert estimate.over[LUT] == usage[LUT].used + 8 * usage[LUT_RAM].used - 8208


def test_the_grains_are_the_builds():
    for family, toolchain in TOOLCHAINS.items():
        assert GRAINS[family] == toolchain.grain


def test_something_else_is_refused():
    board, config = find_board("icebreaker"), small_config()
    with pytest.raises(TypeError, match=r"^board must be a Board, not 'icebreaker'$"):
        estimate_resources("icebreaker", config)
    with pytest.raises(TypeError, match=r"^config must be a EngineConfig, not None$"):
        estimate_resources(board, None)
    with pytest.raises(TypeError, match=r"^storage must be a Storage, not 'rom'$"):
        estimate_resources(board, config, storage="rom")
