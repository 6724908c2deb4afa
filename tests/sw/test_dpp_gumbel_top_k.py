"""Exactly k of n: counts, ties, and draws with the probabilities that they should have."""

import itertools
import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from darb.sw.dpp import gumbel_top_k, top_k_mask

INF = float("inf")


@given(st.data())
def test_counts_are_exact_and_the_kept_are_the_largest(data):
    rows, columns = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 12))
    seed = data.draw(st.integers(0, 1000))
    generator = torch.Generator().manual_seed(seed)
    # Few values, so that most rows have ties.
    scores = torch.randint(-2, 3, (rows, columns), generator=generator).float()
    keep = torch.randint(0, columns + 1, (rows,), generator=generator)
    mask = top_k_mask(scores, keep)
    assert mask.sum(dim=1).tolist() == keep.tolist()
    for values, kept, count in zip(scores.tolist(), mask.tolist(), keep.tolist(), strict=True):
        best = sorted(range(columns), key=lambda column: (-values[column], column))[:count]
        assert kept == [column in best for column in range(columns)]


def test_of_equal_scores_the_first_stay():
    mask = top_k_mask(torch.tensor([[0.0, 2.0, 2.0, 2.0], [1.0, 1.0, 1.0, 1.0]]), 2)
    assert mask.int().tolist() == [[0, 1, 1, 0], [1, 1, 0, 0]]


def test_minus_infinity_comes_last():
    scores = torch.tensor([[-INF, 1.0, -INF, -5.0]])
    assert top_k_mask(scores, 2).tolist() == [[False, True, False, True]]
    assert top_k_mask(scores, 3).tolist() == [[True, True, False, True]]


@pytest.mark.parametrize("columns", [1, 2, 7])
def test_all_of_n(columns):
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(3, columns, generator=generator)
    assert top_k_mask(logits, columns).all()
    assert gumbel_top_k(logits, columns, generator=generator).all()


def ordered_probability(shares, order):
    """Return how likely successive draws without replacement give this order."""
    result, left = 1.0, sum(shares)
    for unit in order:
        result *= shares[unit] / left
        left -= shares[unit]
    return result


@pytest.mark.parametrize(("count", "keep"), [(3, 1), (4, 2), (5, 3), (4, 3)])
def test_drawn_sets_are_as_frequent_as_enumeration_says(count, keep):
    seed, draws = 5, 40_000
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(count, generator=generator, dtype=torch.float64)
    masks = gumbel_top_k(logits.expand(draws, count), keep, generator=generator)
    assert (masks.sum(dim=1) == keep).all()
    shares = logits.exp().tolist()
    sets = list(itertools.combinations(range(count), keep))
    expected = [
        draws * sum(ordered_probability(shares, order) for order in itertools.permutations(chosen))
        for chosen in sets
    ]
    code = (masks.long() << torch.arange(count)).sum(dim=1)
    seen = [int((code == sum(1 << unit for unit in chosen)).sum()) for chosen in sets]
    assert sum(seen) == draws
    assert chisquare(seen, expected).pvalue > 1e-4, f"seed {seed}: {seen} not near {expected}"


def test_draws_follow_the_seed_and_leave_others_randomness_alone():
    logits = torch.zeros(6, 20)
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    first, again, other = (
        gumbel_top_k(logits, 4, generator=torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)
    )
    assert torch.equal(torch.rand(1), expected)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize(
    ("scores", "keep", "kind", "text"),
    [
        ([[1.0, 2.0]], 1, TypeError, "scores must be a floating-point tensor, not [[1.0, 2.0]]"),
        (
            torch.zeros(3),
            1,
            ValueError,
            "scores must be a matrix with columns, not shape (3,)",
        ),
        (
            torch.zeros(3, 0),
            0,
            ValueError,
            "scores must be a matrix with columns, not shape (3, 0)",
        ),
        (
            torch.tensor([[0.0, float("nan")]]),
            1,
            ValueError,
            "scores must be neither NaN nor plus infinity, not nan",
        ),
        (
            torch.tensor([[0.0, INF]]),
            1,
            ValueError,
            "scores must be neither NaN nor plus infinity, not inf",
        ),
        (torch.zeros(2, 3), 1.0, TypeError, "keep must be an int or a tensor of them, not 1.0"),
        (torch.zeros(2, 3), True, TypeError, "keep must be an int or a tensor of them, not True"),
        (
            torch.zeros(2, 3),
            torch.ones(2),
            TypeError,
            "keep must be integers, not torch.float32",
        ),
        (torch.zeros(2, 3), 4, ValueError, "keep must be in 0..3, not 4"),
        (torch.zeros(2, 3), torch.tensor([1, -1]), ValueError, "keep must be in 0..3, not -1"),
        (
            torch.zeros(2, 3),
            torch.ones(3, dtype=torch.int64),
            ValueError,
            "keep must be one count or one for each of 2 rows, not shape (3,)",
        ),
    ],
)
@pytest.mark.parametrize("function", [top_k_mask, gumbel_top_k])
def test_refused(function, scores, keep, kind, text):
    with pytest.raises(kind, match=f"^{re.escape(text)}$"):
        function(scores, keep)
