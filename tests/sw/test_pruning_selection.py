"""Exact counts, stable ties, shared budgets."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darb.sw.pruning import selection
from darb.sw.pruning.selection import counts_within, largest, largest_of_each


def best(values, count):
    """The first `count` places by falling value, of equal values the first: with Python's sort."""
    return sorted(sorted(range(len(values)), key=lambda i: (-values[i], i))[:count])


@given(st.lists(st.integers(0, 5), min_size=1, max_size=60), st.integers(-1, 70))
def test_largest_is_exact(values, count):
    chosen = largest(np.array(values, dtype=np.float32), count)
    assert np.flatnonzero(chosen).tolist() == best(values, max(count, 0))


@given(
    st.integers(1, 12).flatmap(
        lambda size: st.lists(
            st.lists(st.integers(0, 3), min_size=size, max_size=size), min_size=1, max_size=20
        )
    ),
    st.integers(1, 14),
)
def test_largest_of_each_is_exact(rows, keep):
    chosen = largest_of_each(np.array(rows, dtype=np.float64), keep)
    assert [np.flatnonzero(row).tolist() for row in chosen] == [best(row, keep) for row in rows]


@pytest.mark.parametrize("keep", [1, 3])
def test_largest_of_each_in_chunks(monkeypatch, keep):
    blocks = np.random.default_rng(0).integers(0, 3, size=(50, 8)).astype(np.float32)
    whole = largest_of_each(blocks, keep)
    monkeypatch.setattr(selection, "_CELLS", 24)
    assert (largest_of_each(blocks, keep) == whole).all()
    assert (whole.sum(axis=1) == keep).all()


@st.composite
def units(draw):
    """Values of some layers with many ties, and what a unit of each costs."""
    count = draw(st.integers(1, 4))
    values = [
        np.array(draw(st.lists(st.integers(0, 4), min_size=1, max_size=12)), dtype=np.float64)
        for _ in range(count)
    ]
    costs = draw(st.lists(st.integers(1, 5), min_size=count, max_size=count))
    if draw(st.booleans()):
        costs = [costs[0]] * count
    return values, costs


@given(units(), st.integers(0, 120), st.integers(0, 40))
def test_counts_within_a_budget(case, extra, more):
    values, costs = case
    budget = sum(costs) + extra
    counts = counts_within(values, costs=costs, budget=budget)
    spent = sum(count * cost for count, cost in zip(counts, costs, strict=True))
    assert spent <= budget
    assert all(1 <= count <= value.size for count, value in zip(counts, values, strict=True))
    # Every unit left out is worth no more than any that was bought beside a layer's best one.
    left = [np.sort(v)[::-1][c:] for v, c in zip(values, counts, strict=True)]
    bought = [np.sort(v)[::-1][1:c] for v, c in zip(values, counts, strict=True)]
    if all(value.size == count for value, count in zip(values, counts, strict=True)):
        return
    first = max(range(len(left)), key=lambda i: left[i][0] if left[i].size else -1)
    assert min(np.concatenate(bought), default=9) >= left[first][0]
    assert spent + max(costs) > budget
    larger = counts_within(values, costs=costs, budget=budget + more)
    assert all(a <= b for a, b in zip(counts, larger, strict=True))
