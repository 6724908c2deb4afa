import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from random_networks import random_network

from darb.golden import PatternMisfitError, fit_config, pack, schedule, steady_interval
from darb.sw.folding import choose_folding, evaluate_folding, pattern_network
from darb.sw.pruning import prune
from darb.sw.quantization import quantize


@pytest.fixture(scope="module")
def network():
    return random_network(np.random.default_rng(3), (60, 40, 12), ks=(0, 1, 2, 3))


def intervals(network, multipliers):
    found = {}
    for lanes in (1, 2, 4, 8, 16):
        for rows in (1, 2, 4, 8, 16):
            if lanes * rows <= multipliers:
                image = pack(network, fit_config(network, lanes=lanes, rows=rows))
                found[lanes, rows] = steady_interval(schedule(image), image)
    return found


@pytest.mark.parametrize("multipliers", [1, 5, 16])
def test_the_fastest_of_all_candidates_is_found(network, multipliers):
    fold = choose_folding(network, multipliers=multipliers)
    every = intervals(network, multipliers)
    assert fold.interval == min(every.values()) == every[fold.lanes, fold.rows]
    assert fold.multipliers == fold.lanes * fold.rows <= multipliers


def test_what_a_fold_says_is_what_the_schedule_says(network):
    fold = evaluate_folding(network, lanes=4, rows=2)
    image = pack(network, fit_config(network, lanes=4, rows=2))
    plan = schedule(image)
    assert (fold.interval, fold.cycles) == (steady_interval(plan, image), plan.cycles)
    assert fold.utilisation == fold.stored / (8 * fold.interval)
    assert 0 < fold.utilisation < 1


def test_a_network_that_ends_in_a_relu_is_folded_alike(network):
    *others, last = network.layers
    ending = replace(network, layers=(*others, replace(last, relu=True)))
    assert choose_folding(ending, multipliers=8) == choose_folding(network, multipliers=8)


@pytest.mark.parametrize(("lanes", "rows"), [(2, None), (None, 4), (8, 2)])
def test_pinned_ones_stay(network, lanes, rows):
    fold = choose_folding(network, multipliers=16, lanes=lanes, rows=rows)
    assert lanes in (None, fold.lanes)
    assert rows in (None, fold.rows)


def test_lanes_that_do_not_fit_the_blocks_are_passed_over():
    pruned = random_network(np.random.default_rng(5), (64, 48, 32), ks=(3, 4), lanes=4)
    with pytest.raises(PatternMisfitError):
        evaluate_folding(pruned, lanes=8, rows=1)
    assert choose_folding(pruned, multipliers=8).lanes <= 4
    with pytest.raises(PatternMisfitError, match="row 0, columns"):
        choose_folding(pruned, multipliers=8, lanes=8)


def test_a_function_is_asked_for_the_network_of_each_candidate():
    asked = []

    def pruned(lanes, rows):
        asked.append((lanes, rows))
        return random_network(np.random.default_rng(5), (64, 48, 32), ks=(3,), lanes=lanes)

    fold = choose_folding(pruned, multipliers=8)
    assert (fold.lanes, fold.rows) in asked
    assert len(asked) == len(set(asked))
    assert {lanes * rows for lanes, rows in asked} >= {8}


def test_progress_counts_every_candidate(network):
    seen = []
    choose_folding(network, multipliers=4, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(number, 6) for number in range(1, 7)]


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"multipliers": 0}, ValueError, "multipliers must be in 1..16384, not 0"),
        ({"multipliers": 2.0}, TypeError, "multipliers must be an int, not 2.0"),
        ({"lanes": 0}, ValueError, "lanes must be in 1..256, not 0"),
        ({"rows": True}, TypeError, "rows must be an int, not True"),
        ({"lanes": 3}, ValueError, "lanes must be a power of two, not 3"),
        (
            {"lanes": 8, "rows": 8, "multipliers": 32},
            ValueError,
            "multipliers must be at least 64 for the lanes and rows asked for, not 32",
        ),
    ],
)
def test_refusals(network, settings, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        choose_folding(network, **settings)


def test_patterns_alone_tell_how_many_clocks_a_network_takes():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(40, 30), torch.nn.ReLU(), torch.nn.Linear(30, 10))
    calibration = torch.rand(64, 40)
    pruned = prune(model, ratio=4, lanes=4, rows=2, calibration=calibration).finalize()
    full = evaluate_folding(quantize(pruned, calibration), lanes=4, rows=2)
    assert evaluate_folding(pattern_network(pruned.layers), lanes=4, rows=2) == full
