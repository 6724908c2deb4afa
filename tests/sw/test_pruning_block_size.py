"""Block sizes: against brute force on small cases."""

import itertools
import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darb.golden.pattern import Pattern, Segments
from darb.sw.pruning import assign
from darb.sw.pruning.block_size import retained_energy, row_densities
from darb.sw.pruning.slots import budget_of, row_slots


@given(
    st.integers(1, 5),
    st.integers(1, 40),
    st.none() | st.integers(1, 7),
    st.integers(0, 6),
    st.integers(0, 2**32 - 1),
)
def test_retained_energy_is_the_sum_of_block_maxima(rows, columns, lanes, max_k, seed):
    scores = np.random.default_rng(seed).random((rows, columns))
    energy = retained_energy(scores, lanes=lanes, max_k=max_k)
    length = Segments(columns, lanes or 1).length
    assert energy.shape[1] - 1 == min(max_k, (length - 1).bit_length())
    for row, k in np.ndindex(energy.shape):
        total = 0.0
        for start in range(0, columns, length):
            segment = scores[row, start : min(start + length, columns)]
            parts = [segment[i : i + (1 << k)] for i in range(0, segment.size, 1 << k)]
            total += sum(part.max() ** 2 for part in parts)
        assert energy[row, k] == pytest.approx(total)


@given(st.integers(1, 200), st.none() | st.integers(1, 16), st.integers(0, 6))
def test_row_slots_count_padding(columns, lanes, k):
    length = -(-columns // (lanes or 1))
    assert row_slots(columns, k, lanes=lanes) == (lanes or 1) * -(-length // (1 << k))


@given(st.integers(0, 2**32 - 1), st.floats(1.2, 8))
def test_energy_is_near_the_best_possible(seed, ratio):
    generator = np.random.default_rng(seed)
    layers = [generator.normal(size=(4, 16)) ** 2 + 0.01]
    energy = retained_energy(layers[0], lanes=None, max_k=4)
    slots = np.array([row_slots(16, k, lanes=None) for k in range(5)])
    budget = layers[0].size / ratio
    (sizes,) = assign(layers, budget=budget, max_k=4)
    got = energy[np.arange(4), sizes].sum()
    choices = np.array(list(itertools.product(range(5), repeat=4)))
    allowed = choices[slots[choices].sum(axis=1) <= budget]
    best = energy[np.arange(4), allowed].sum(axis=1).max()
    # Greedy along the hull is optimal but for the last edge, the one that does not fit.
    edge = (energy[:, 0] - energy[:, 4]).max()
    assert best - edge <= got <= best * (1 + 1e-12)


def test_joint_budget_favours_the_small_last_layer():
    generator = np.random.default_rng(1)
    layers = [generator.normal(size=(100, 256)), generator.normal(size=(10, 100))]
    first, last = assign(layers, budget=sum(layer.size for layer in layers) / 16)
    assert last.mean() + 1 < first.mean()
    slots = sum(row_slots(256, int(k), lanes=None) for k in first)
    slots += sum(row_slots(100, int(k), lanes=None) for k in last)
    assert slots <= sum(layer.size for layer in layers) / 16


def test_scale_of_a_layer_makes_no_difference():
    generator = np.random.default_rng(2)
    layers = [np.abs(generator.normal(size=(20, 64))), np.abs(generator.normal(size=(10, 20)))]
    plain = assign(layers, budget=160)
    scaled = assign([layers[0] * 1024, layers[1]], budget=160)
    assert all((a == b).all() for a, b in zip(plain, scaled, strict=True))


@pytest.mark.parametrize("assignment", ["energy", "density"])
@pytest.mark.parametrize("rows", [2, 4])
def test_rows_share_block_sizes_in_groups(assignment, rows):
    scores = np.random.default_rng(7).random((30, 64)) ** 4
    (sizes,) = assign([scores], budget=30 * 64 / 9, assignment=assignment, rows=rows)
    odd = [count % rows for count in np.bincount(sizes) if count % rows]
    assert len(odd) <= 1
    assert sum(odd) == 30 % rows


def test_bmwm_is_one_block_size_a_layer():
    generator = np.random.default_rng(8)
    layers = [generator.random((30, 64)), generator.random((10, 30))]
    for sizes in assign(layers, budget=300, method="bmwm"):
        assert len(set(sizes.tolist())) == 1


def test_density_rounds_in_the_log_domain():
    # Row densities 1/2, 1/8 and 1/32 of the 42 largest: the budget is what those blocks take.
    scores = np.full((3, 64), 0.001)
    for row, count in enumerate((32, 8, 2)):
        scores[row, np.arange(count) * (64 // count)] = 1.0
    (density,) = row_densities([scores], 42)
    assert density.tolist() == [1 / 2, 1 / 8, 1 / 32]
    (sizes,) = assign([scores], budget=42, assignment="density")
    assert sizes.tolist() == [1, 3, 5]


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
    for assignment in ("energy", "density"):
        (sizes,) = assign([np.zeros((8, 32))], budget=32, assignment=assignment)
        assert sum(Pattern(int(k)).slots(32) for k in sizes) == 32


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
