import dataclasses

import numpy as np
import pytest
from random_networks import random_network

from darb.golden import (
    EngineModel,
    Pattern,
    Storage,
    fit_config,
    pack,
    schedule,
    steady_interval,
    timeline,
)
from darb.hw.boards import find_board
from darb.hw.estimate import estimate_resources
from darb.hw.flow.resources import BLOCK_RAM, LUT, MULTIPLIER
from darb.sw.folding import evaluate_folding
from darb.sw.plan_remedies import sparser_network
from darb.sw.planning import plan


def _network(seed=3, sizes=(48, 40, 10), **choices):
    return random_network(np.random.default_rng(seed), sizes, ks=(2, 3), **choices)


def test_every_candidate_is_exact():
    network, board = _network(), find_board("tang-nano-9k")
    made = plan(network, board)
    assert len(made.candidates) > 20
    for candidate in made.candidates:
        shape = {"lanes": candidate.lanes, "rows": candidate.rows}
        folding = evaluate_folding(network, **shape)
        assert candidate.interval == folding.interval
        config = fit_config(network, **shape)
        image = pack(network, config)
        lone = timeline(schedule(image, EngineModel(image).layers), image, 1)
        assert candidate.latency == lone.outputs[0, -1] - lone.inputs[0, 0] + 1
        assert candidate.estimate == estimate_resources(board, config)
        assert candidate.inferences_per_second == candidate.clock_hz / candidate.interval


def test_the_fastest_that_fits_is_chosen():
    made = plan(_network(), find_board("icebreaker"))
    fitting = [candidate for candidate in made.candidates if candidate.fits]
    assert 0 < len(fitting) < len(made.candidates)
    fastest = max(candidate.inferences_per_second for candidate in fitting)
    assert made.chosen in fitting
    assert made.chosen.inferences_per_second == fastest
    rivals = [item for item in fitting if item.inferences_per_second == fastest]
    luts = [item.estimate.usage[LUT].used for item in rivals]
    assert made.chosen.estimate.usage[LUT].used == min(luts)
    assert made.nearest is None
    assert made.remedies == ()


def test_a_pinned_shape_is_the_only_one():
    made = plan(_network(), find_board("ulx3s-12f"), lanes=4, rows=2)
    assert [(item.lanes, item.rows) for item in made.candidates] == [(4, 2)]
    many = plan(_network(), find_board("ulx3s-12f"), rows=2)
    assert {item.rows for item in many.candidates} == {2}
    assert len(many.candidates) > 3


def test_an_images_own_engine_is_taken_as_it_is():
    network = _network()
    tight = fit_config(network, lanes=4, rows=1)
    roomy = dataclasses.replace(tight, weight_depth=4 * tight.weight_depth, row_depth=900)
    image, board = pack(network, roomy), find_board("ulx3s-12f")
    made = plan(image, board, lanes=4)
    by_rows = {candidate.rows: candidate for candidate in made.candidates}
    assert by_rows[1].estimate == estimate_resources(board, roomy)
    assert by_rows[1].interval == steady_interval(schedule(image, EngineModel(image).layers), image)
    smallest = fit_config(network, lanes=4, rows=2)
    assert by_rows[2].estimate == estimate_resources(board, smallest)


def test_lanes_that_a_network_is_not_pruned_for_are_told():
    network = _network(sizes=(50, 30, 10), lanes=8)
    made = plan(network, find_board("ulx3s-12f"))
    assert 8 in {candidate.lanes for candidate in made.candidates}
    assert 4 in made.refused
    assert "must hold at most 1 nonzero weight" in made.refused[4]
    with pytest.raises(ValueError, match="must hold at most 1 nonzero weight"):
        plan(network, find_board("ulx3s-12f"), lanes=4)


def test_a_function_is_asked_for_each_shape():
    asked = []

    def networks(lanes, rows):
        asked.append((lanes, rows))
        return _network(seed=lanes)

    made = plan(networks, find_board("icebreaker"))
    assert asked == [(item.lanes, item.rows) for item in made.candidates]


def test_what_does_not_fit_is_told_and_what_would_is_tried():
    network = random_network(np.random.default_rng(0), (300, 200, 10), ks=(1,))
    board = find_board("icebreaker")
    made = plan(network, board)
    assert made.chosen is None
    assert not made.nearest.fits
    assert BLOCK_RAM in made.nearest.estimate.over
    worst = max(usage.share for usage in made.nearest.estimate.usage.values())
    for candidate in made.candidates:
        assert worst <= max(usage.share for usage in candidate.estimate.usage.values())
    changes = {remedy.change: remedy.candidate for remedy in made.remedies}
    assert all(candidate.fits for candidate in changes.values())
    assert "the board tang-nano-9k" in changes
    (ratio,) = (change for change in changes if change.endswith("times the pruning ratio"))
    doublings = int(ratio.split()[0]).bit_length() - 1
    assert plan(sparser_network(network, doublings), board).chosen is not None
    if doublings > 1:
        assert plan(sparser_network(network, doublings - 1), board).chosen is None


def test_a_sparser_network_keeps_half_as_many():
    network = _network(sizes=(64, 32, 16))
    once = sparser_network(network, 1)
    for before, after in zip(network.layers, once.layers, strict=True):
        assert after.patterns == tuple(Pattern(item.k + 1, 1) for item in before.patterns)
    stored = [evaluate_folding(item, lanes=1, rows=1).stored for item in (network, once)]
    assert stored[1] == pytest.approx(stored[0] / 2, rel=0.05)


def test_the_clock_and_the_storage_are_the_users():
    network, board = _network(), find_board("ulx3s-12f")
    made = plan(network, board, clock_hz=12_000_000, storage=Storage.RAM, lanes=4, rows=1)
    (candidate,) = made.candidates
    assert candidate.clock_hz == 12_000_000
    config = fit_config(network, lanes=4, rows=1)
    assert candidate.estimate == estimate_resources(board, config, storage=Storage.RAM)
    assert candidate.estimate.usage[MULTIPLIER].used == 6


def test_progress_ends_at_the_end():
    told = []
    plan(_network(), find_board("icebreaker"), progress=lambda *step: told.append(step))
    assert told == [(number + 1, len(told)) for number in range(len(told))]


def test_something_else_is_refused():
    board = find_board("icebreaker")
    with pytest.raises(TypeError, match=r"^board must be a Board, not 'icebreaker'$"):
        plan(_network(), "icebreaker")
    with pytest.raises(TypeError, match=r"^source must be an IntegerNetwork, an Image or a func"):
        plan(None, board)
    with pytest.raises(TypeError, match=r"^storage must be a Storage, not 'rom'$"):
        plan(_network(), board, storage="rom")
    with pytest.raises(ValueError, match=r"^lanes must be .*, not 3$"):
        plan(_network(), board, lanes=3)
    with pytest.raises(ValueError, match=r"^clock_hz must be at least 1, not 0$"):
        plan(_network(), board, clock_hz=0)
