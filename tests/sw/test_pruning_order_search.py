"""Orders by search: never worse, as good as can be on tiny matrices, the same at every call."""

import itertools
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darb.golden.pattern import Pattern
from darb.sw.pruning import assign, block_mask, search_order


def retained(scores, order, patterns, lanes=None):
    """Return the squared score that the masks keep."""
    return float((scores**2)[block_mask(scores, patterns, columns=order, lanes=lanes)].sum())


def search(scores, order, patterns, *, seed=0, **settings):
    generator = np.random.default_rng(seed)
    return search_order(scores, order, patterns, generator=generator, **settings)


@st.composite
def cases(draw):
    """Return scores, an order of some of their columns, patterns and lanes."""
    rows, columns = draw(st.integers(1, 8)), draw(st.integers(1, 40))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scores = generator.normal(size=(rows, columns)) ** 2
    kind = draw(st.sampled_from(["normal", "ties", "zero rows", "huge", "tiny"]))
    if kind == "ties":
        scores = generator.integers(0, 3, size=(rows, columns)).astype(float)
    elif kind == "zero rows":
        scores[generator.random(rows) < 0.5] = 0
    elif kind in ("huge", "tiny"):
        scores *= 1e100 if kind == "huge" else 1e-100
    order = generator.permutation(columns)[: draw(st.integers(1, columns))]
    ks = generator.integers(0, 5, size=rows).tolist()
    patterns = [Pattern(k, int(generator.integers(1, (1 << k) + 1))) for k in ks]
    return scores, order, patterns, draw(st.sampled_from([None, 1, 2, 4]))


@given(cases(), st.integers(0, 3), st.booleans())
def test_a_permutation_that_never_retains_less(case, sweeps, spare):
    scores, order, patterns, lanes = case
    given_order = order.copy()
    found = search(scores, order, patterns, lanes=lanes, sweeps=sweeps, spare=spare)
    assert (order == given_order).all()
    assert found.dtype == np.int32
    if spare:
        assert len(set(found.tolist())) == order.size
        assert set(found.tolist()) <= set(range(scores.shape[1]))
    else:
        assert sorted(found) == sorted(order)
    if not sweeps:
        assert (found == order).all()
    before = retained(scores, order, patterns, lanes)
    assert retained(scores, found, patterns, lanes) >= before * (1 - 1e-12)


@given(cases(), st.booleans())
def test_in_the_end_no_exchange_gains_much(case, spare):
    scores, order, patterns, lanes = case
    scores = scores[:, :16] / (scores.max() or 1)
    order = order[order < scores.shape[1]]
    if not order.size:
        order = np.array([0])
    found = search(scores, order, patterns, lanes=lanes, spare=spare)
    best = retained(scores, found, patterns, lanes)
    left = np.setdiff1d(np.arange(scores.shape[1]), found) if spare else []
    every = [*found, *left]
    for first, second in itertools.combinations(range(len(every)), 2):
        swapped = list(every)
        swapped[first], swapped[second] = swapped[second], swapped[first]
        gain = retained(scores, swapped[: found.size], patterns, lanes) - best
        assert gain <= 1e-2 * best


@given(st.integers(0, 2**32 - 1), st.sampled_from([None, 2]))
def test_two_rows_of_four_columns_are_searched_to_the_best_order(seed, lanes):
    scores = np.random.default_rng(seed).random((2, 4))
    patterns = [Pattern(1), Pattern(1)]
    found = search(scores, np.arange(4), patterns, lanes=lanes, seed=seed)
    best = max(
        retained(scores, order, patterns, lanes) for order in itertools.permutations(range(4))
    )
    # Two orders that single precision cannot tell apart are as good.
    assert retained(scores, found, patterns, lanes) >= best * (1 - 1e-6)


def test_six_columns_under_several_patterns_come_near_the_best_order():
    patterns = [Pattern(1), Pattern(1), Pattern(2), Pattern(2, 2), Pattern(2, 3)]
    orders = list(itertools.permutations(range(6)))
    shares = []
    for seed in range(12):
        scores = np.random.default_rng(seed).random((5, 6)) ** 2
        worth = [retained(scores, order, patterns) for order in orders]
        found = retained(scores, search(scores, np.arange(6), patterns, seed=seed), patterns)
        assert found <= max(worth) * (1 + 1e-12), seed
        shares.append((found - worth[0]) / (max(worth) - worth[0]))
    assert min(shares) >= 0.5
    assert np.mean(shares) > 0.9


def test_gains_over_a_random_order_on_a_matrix_like_a_layers():
    generator = np.random.default_rng(5)
    scores = np.abs(generator.normal(size=(60, 192)) * np.exp(generator.normal(size=192)))
    order = generator.permutation(192)
    for lanes, max_keep in ((None, 1), (4, 1), (4, 3)):
        (patterns,) = assign([scores], budget=scores.size / 16, lanes=lanes, max_keep=max_keep)
        found = search(scores, order, patterns, lanes=lanes)
        before, after = (retained(scores, each, patterns, lanes) for each in (order, found))
        # What single weights, chosen with no pattern at all, would retain.
        free = np.sort((scores**2).ravel())[-scores.size // 16 :].sum()
        assert after - before > 0.3 * (free - before)


def test_the_seed_decides():
    scores = np.random.default_rng(6).random((10, 32)) ** 2
    patterns = [Pattern(3)] * 5 + [Pattern(2)] * 5
    first, again, other = (search(scores, np.arange(32), patterns, seed=seed) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_columns_left_out_come_in_where_they_retain_more():
    scores = np.array([[0.1, 0.2, 5.0, 0.0], [0.3, 0.1, 0.0, 4.0]])
    patterns = [Pattern(1), Pattern(0)]
    assert set(search(scores, [0, 1], patterns)) == {0, 1}
    assert set(search(scores, [0, 1], patterns, spare=True)) == {2, 3}


def test_nothing_to_gain_leaves_the_order():
    scores = np.random.default_rng(7).random((3, 8))
    order = [3, 1, 0, 2]
    assert search(scores, order, [Pattern(0)] * 3).tolist() == order
    assert search(scores, order, [Pattern(3)] * 3).tolist() == order
    assert search(np.zeros((3, 8)), order, [Pattern(1)] * 3, spare=True).tolist() == order


@pytest.mark.parametrize(
    ("change", "kind", "text"),
    [
        ({"scores": -np.ones((2, 4))}, ValueError, "scores must be at least 0, not -1.0"),
        ({"columns": [0, 4]}, ValueError, "columns must be in 0..3, not 4"),
        ({"patterns": [Pattern(1)]}, ValueError, "patterns must name 2 rows, not 1"),
        ({"lanes": 0}, ValueError, "lanes must be at least 1, not 0"),
        ({"sweeps": 1.5}, TypeError, "sweeps must be an int, not 1.5"),
    ],
)
def test_refused(change, kind, text):
    settings = {"scores": np.ones((2, 4)), "columns": [0, 1], "patterns": [Pattern(1)] * 2}
    with pytest.raises(kind, match=f"^{re.escape(text)}$"):
        search_order(**settings | change, generator=np.random.default_rng(0))
