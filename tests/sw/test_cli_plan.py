import re

import numpy as np
import pytest
import torch
from cli_runner import refused, run
from random_networks import random_network
from torch import nn

from darb.golden import read_image
from darb.hw.boards import BOARDS, find_board
from darb.sw.exporting import export
from darb.sw.largest_lenet import largest_lenet
from darb.sw.planning import plan


@pytest.fixture
def image(tmp_path):
    network = random_network(np.random.default_rng(1), (24, 16, 6), ks=(0, 2))
    return export(network, tmp_path / "image", lanes=4, rows=2)


def _rows(text):
    """Return the table's rows: lanes, rows, cycles, and whether each is marked."""
    found = re.findall(r"│ (->|  ) +(\d+) x (\d+) +│ +([\d,.]+) │", text)
    return [(int(s), int(r), float(c.replace(",", "")), m == "->") for m, s, r, c in found]


def test_the_table_tells_every_candidate_and_marks_one(image):
    told = run("plan", image, "--board", "ulx3s-12f")
    assert told.exit_code == 0
    made = plan(read_image(image), find_board("ulx3s-12f"))
    assert _rows(told.stdout) == [
        (item.lanes, item.rows, item.interval, item is made.chosen) for item in made.candidates
    ]
    for part in made.chosen.estimate.parts:
        assert (part.name in told.stdout) == (part.name != "image loader")
    total = sum(part.ffs for part in made.chosen.estimate.parts)
    assert f"{round(total):,}" in told.stdout


def test_an_image_that_is_right_is_built_as_it_is(image):
    told = run("plan", image, "--board", "ulx3s-12f", "--lanes", "4", "--rows", "2")
    assert f"  darb build {image} --board ulx3s-12f -o build/" in told.stdout
    assert "darb export" not in told.stdout


def test_another_shape_is_exported_first(image):
    told = run("plan", image, "--board", "ulx3s-12f", "--lanes", "2", "--clock", "50").stdout
    rows = next(row for row in _rows(told) if row[3])
    assert f"darb export MODEL.pt2 --calibration X.npy --lanes 2 --rows {rows[1]}" in told
    assert "darb build image/ --board ulx3s-12f --clock 50 -o build/" in told
    storage = run("plan", image, "--board", "ulx3s-12f", "--storage", "ram").stdout
    assert "--board ulx3s-12f --storage ram -o build/" in storage


def test_a_model_is_pruned_for_each_shape(tmp_path):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(32, 24), nn.ReLU(), nn.Linear(24, 10))
    path = tmp_path / "model.pt2"
    torch.export.save(torch.export.export(model, (torch.rand(2, 32),)), path)
    told = run("plan", path, "--board", "icebreaker", "--ratio", "4", "--weight-bits", "6")
    assert told.exit_code == 0
    assert {row[0] for row in _rows(told.stdout)} >= {1, 2, 4}
    assert f"darb export {path} --calibration X.npy --ratio 4 --weight-bits 6 --l" in told.stdout


def test_nothing_fits_and_why(tmp_path):
    network = random_network(np.random.default_rng(0), (300, 200, 10), ks=(1,))
    image = export(network, tmp_path / "image", lanes=4, rows=1)
    told = run("plan", image, "--board", "icebreaker")
    assert told.exit_code == 1
    assert not any(marked for *_, marked in _rows(told.stdout))
    assert re.search(r"Nothing fits iCEBreaker\. Nearest is \d+ x \d+: ", told.stdout)
    assert re.search(r"[\d,]+ block RAM of 30 \([\d,]+ too many\)", told.stdout)
    assert re.search(r"  \d+ times the pruning ratio: \d+ x \d+, [\d,]+ inf", told.stdout)
    assert re.search(r"  the board tang-nano-9k: \d+ x \d+, [\d,]+ inferences", told.stdout)
    assert "Next:" not in told.stdout


def test_what_does_not_belong_is_refused(image):
    assert refused("plan", image, "--board", "none").startswith("board must be one of ulx3s-12f,")
    message = refused("plan", image, "--board", "icebreaker", "--ratio", "4")
    assert message == "--ratio must be left out for an image, which has one, not 4.0"
    assert refused("plan", image, "--board", "icebreaker", "--lanes", "3").endswith("not 3")


def test_boards_lists_every_board():
    told = run("boards")
    assert told.exit_code == 0
    for name, board in BOARDS.items():
        row = next(line for line in told.stdout.splitlines() if line.startswith(f"│ {name} "))
        cells = [cell.strip() for cell in row.strip("│").split("│")]
        assert cells == [
            name,
            board.capacity.name,
            f"{board.capacity.luts:,}",
            f"{board.capacity.multipliers:,}",
            f"{board.capacity.memory_bits:,}",
            f"{board.engine_clock_hz / 1e6:g}",
            f"{largest_lenet(board).width:,}",
        ]
        assert f"{name}: {board.title}" in told.stdout
