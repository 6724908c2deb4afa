"""Row patterns under a budget: against brute force on small cases."""

import collections
import itertools
import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darb.golden.pattern import Pattern, Segments
from darb.sw.pruning import assign
from darb.sw.pruning.pattern_choice import row_densities
from darb.sw.pruning.pattern_options import pattern_options, retained_energy
from darb.sw.pruning.slots import budget_of, row_slots


def slots_of(patterns, columns, *, lanes=None):
    """Return the slots that rows of these patterns take."""
    return sum(row_slots(columns, pattern, lanes=lanes) for pattern in patterns)


@given(
    st.integers(1, 5),
    st.integers(1, 40),
    st.none() | st.integers(1, 7),
    st.integers(0, 6),
    st.integers(1, 6),
    st.integers(0, 2**32 - 1),
)
def test_retained_energy_is_the_sum_of_the_largest_of_blocks(
    rows, columns, lanes, max_k, max_keep, seed
):
    scores = np.random.default_rng(seed).random((rows, columns))
    patterns = pattern_options(columns, lanes=lanes, max_k=max_k, max_keep=max_keep)
    energy = retained_energy(scores, patterns, lanes=lanes)
    assert energy.shape == (rows, len(patterns))
    length = Segments(columns, lanes or 1).length
    for row, place in np.ndindex(energy.shape):
        pattern, total = patterns[place], 0.0
        for start in range(0, columns, length):
            segment = scores[row, start : min(start + length, columns)]
            for first in range(0, segment.size, pattern.block_size):
                block = np.sort(segment[first : first + pattern.block_size])[::-1]
                total += (block[: pattern.keep] ** 2).sum()
        assert energy[row, place] == pytest.approx(total)


@given(st.integers(1, 100), st.none() | st.integers(1, 7), st.integers(0, 6), st.integers(1, 300))
def test_options_are_dense_and_all_that_take_fewer_slots(columns, lanes, max_k, max_keep):
    options = pattern_options(columns, lanes=lanes, max_k=max_k, max_keep=max_keep)
    length = Segments(columns, lanes or 1).length
    expected = {Pattern(0)}
    for k in range(1, min(max_k, (length - 1).bit_length()) + 1):
        for keep in range(1, min(max_keep, 2**k) + 1):
            if -(-length // 2**k) * keep < length:
                expected.add(Pattern(k, keep))
    assert set(options) == expected
    assert len(options) == len(expected)
    slots = [row_slots(columns, pattern, lanes=lanes) for pattern in options]
    assert slots == sorted(slots)
    assert options[-1] == Pattern(0)


@given(st.integers(1, 200), st.none() | st.integers(1, 16), st.integers(0, 6), st.integers(1, 9))
def test_row_slots_count_padding(columns, lanes, k, keep):
    pattern = Pattern(k, min(keep, 1 << k))
    length = -(-columns // (lanes or 1))
    blocks = -(-length // pattern.block_size)
    assert row_slots(columns, pattern, lanes=lanes) == (lanes or 1) * blocks * pattern.keep


@given(
    st.integers(0, 2**32 - 1),
    st.floats(1.2, 8),
    st.integers(1, 3),
    st.sampled_from([16, 13]),
    st.sampled_from(["normal", "ties", "a zero row"]),
)
def test_energy_is_near_the_best_possible(seed, ratio, max_keep, columns, kind):
    generator = np.random.default_rng(seed)
    scores = generator.normal(size=(3, columns)) ** 2 + 0.01
    if kind == "ties":
        scores = generator.integers(0, 3, size=(3, columns)).astype(float)
    elif kind == "a zero row":
        scores[1] = 0
    options = pattern_options(columns, lanes=None, max_k=4, max_keep=max_keep)
    energy = retained_energy(scores, options, lanes=None)
    slots = np.array([row_slots(columns, pattern, lanes=None) for pattern in options])
    budget = scores.size / ratio
    (chosen,) = assign([scores], budget=budget, max_k=4, max_keep=max_keep)
    assert slots_of(chosen, columns) <= budget
    got = sum(energy[row, options.index(pattern)] for row, pattern in enumerate(chosen))
    choices = np.array(list(itertools.product(range(len(options)), repeat=3)))
    allowed = choices[slots[choices].sum(axis=1) <= budget]
    best = energy[np.arange(3), allowed].sum(axis=1).max()
    # Greedy along the hull is optimal but for the last edge, the one that does not fit.
    edge = (energy.max(axis=1) - energy.min(axis=1)).max()
    assert best - edge - 1e-9 <= got <= best * (1 + 1e-9)


def test_several_weights_a_block_where_one_would_lose_a_large_one():
    scores = np.full((2, 16), 0.01)
    scores[0, [0, 1]] = 1.0
    scores[1, [0, 8]] = 1.0
    ones, twos = (assign([scores], budget=4, max_keep=keep)[0] for keep in (1, 2))
    assert ones == (Pattern(3), Pattern(3))
    assert twos == (Pattern(4, 2), Pattern(3))


def test_more_kept_a_block_never_retains_less():
    generator = np.random.default_rng(9)
    layers = [generator.normal(size=(40, 96)) ** 2, generator.normal(size=(10, 40)) ** 2]
    retained = []
    for max_keep in (1, 2, 4, 8):
        total = 0.0
        for scores, chosen in zip(
            layers, assign(layers, budget=4240 / 16, max_keep=max_keep), strict=True
        ):
            energy = retained_energy(scores, chosen, lanes=None)
            total += np.trace(energy[:, : len(chosen)]) / (scores**2).sum()
        retained.append(total)
    assert retained == sorted(retained)
    assert retained[-1] > retained[0] + 0.1


def test_joint_budget_favours_the_small_last_layer():
    generator = np.random.default_rng(1)
    layers = [generator.normal(size=(100, 256)), generator.normal(size=(10, 100))]
    first, last = assign(layers, budget=sum(layer.size for layer in layers) / 16)
    assert np.mean([p.k for p in last]) + 1 < np.mean([p.k for p in first])
    slots = slots_of(first, 256) + slots_of(last, 100)
    assert slots <= sum(layer.size for layer in layers) / 16


def test_scale_of_a_layer_makes_no_difference():
    generator = np.random.default_rng(2)
    layers = [np.abs(generator.normal(size=(20, 64))), np.abs(generator.normal(size=(10, 20)))]
    plain = assign(layers, budget=160)
    scaled = assign([layers[0] * 1024, layers[1]], budget=160)
    assert plain == scaled


@pytest.mark.parametrize("assignment", ["energy", "density"])
@pytest.mark.parametrize("rows", [2, 4])
@pytest.mark.parametrize("max_keep", [1, 3])
def test_rows_share_patterns_in_groups(assignment, rows, max_keep):
    if assignment == "density":
        max_keep = 1
    scores = np.random.default_rng(7).random((30, 64)) ** 4
    (chosen,) = assign(
        [scores], budget=30 * 64 / 9, assignment=assignment, rows=rows, max_keep=max_keep
    )
    counts = collections.Counter(chosen)
    odd = [count % rows for count in counts.values() if count % rows]
    assert len(odd) <= 1
    assert sum(odd) == 30 % rows
    slots = sum(-(-count // rows) * rows * slots_of([p], 64) for p, count in counts.items())
    assert slots <= 30 * 64 / 9


def test_bmwm_is_one_block_size_a_layer():
    generator = np.random.default_rng(8)
    layers = [generator.random((30, 64)), generator.random((10, 30))]
    for max_keep in (1, 3):
        for chosen in assign(layers, budget=300, method="bmwm", max_keep=max_keep):
            assert len(set(chosen)) == 1


def test_density_rounds_in_the_log_domain():
    # Row densities 1/2, 1/8 and 1/32 of the 42 largest: the budget is what those blocks take.
    scores = np.full((3, 64), 0.001)
    for row, count in enumerate((32, 8, 2)):
        scores[row, np.arange(count) * (64 // count)] = 1.0
    (density,) = row_densities([scores], 42)
    assert density.tolist() == [1 / 2, 1 / 8, 1 / 32]
    (chosen,) = assign([scores], budget=42, assignment="density")
    assert chosen == (Pattern(1), Pattern(3), Pattern(5))


@given(st.integers(0, 60), st.integers(0, 2**32 - 1))
def test_densities_count_exactly_despite_ties(budget, seed):
    generator = np.random.default_rng(seed)
    layers = [
        generator.integers(0, 3, size=(4, 10)).astype(float),
        generator.integers(0, 3, size=(2, 10)).astype(float),
    ]
    densities = row_densities(layers, budget)
    assert round(sum(density.sum() for density in densities) * 10) == budget


def test_all_zero_scores_still_meet_the_budget():
    for assignment, max_keep in (("energy", 1), ("energy", 3), ("density", 1)):
        (chosen,) = assign([np.zeros((8, 32))], budget=32, assignment=assignment, max_keep=max_keep)
        assert slots_of(chosen, 32) == 32


def test_without_a_limit_every_row_is_dense():
    scores = np.random.default_rng(10).random((6, 40))
    scores[2], scores[3, 4:] = 0, 0
    for max_keep in (1, 4, 255):
        (chosen,) = assign([scores], budget=math.inf, max_keep=max_keep)
        assert set(chosen) == {Pattern(0)}


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"max_keep": 0}, "max_keep must be in 1..255, not 0"),
        ({"max_keep": 256}, "max_keep must be in 1..255, not 256"),
        (
            {"max_keep": 2, "assignment": "density"},
            "max_keep must be 1 for assignment 'density', not 2",
        ),
    ],
)
def test_counts_a_block_refused(settings, text):
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        assign([np.ones((2, 8))], budget=8, **settings)


def test_budget_out_of_reach():
    text = r"^budget must be at least the 16 slots of the largest blocks, not 15$"
    with pytest.raises(ValueError, match=text):
        assign([np.ones((3, 130))], budget=15, rows=4, lanes=2)


def test_ratio_out_of_reach_says_how_far_one_can_go():
    layers, engine = [np.ones((3, 130))], {"rows": 4, "lanes": 2, "max_k": 6}
    text = (
        "ratio must be at most 24.37, for blocks of at most 64 columns that restart in each of "
        "2 lanes take 16 slots, not 24.5"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        budget_of(layers, weights=390, ratio=24.5, **engine)
    assert budget_of(layers, weights=390, ratio=24.37, **engine) >= 16
    assert budget_of(layers, weights=390, ratio=1, **engine) == math.inf
