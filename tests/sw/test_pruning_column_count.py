"""How many columns to keep: counts worth trying, and the search among them."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from darb.sw.pruning.column_count import candidate_counts, search_counts


@given(st.integers(1, 200), st.floats(0, 1), st.integers(1, 32), st.integers(0, 2**32 - 1))
def test_candidates_are_live_and_multiples_where_that_can_be(columns, dead, multiple, seed):
    generator = np.random.default_rng(seed)
    energy = generator.random(columns)
    energy[generator.random(columns) < dead] = 0
    live = np.count_nonzero(energy)
    counts = candidate_counts(energy, multiple=multiple)
    assert counts == sorted(set(counts))
    assert counts
    assert all(1 <= count <= max(live, 1) for count in counts)
    odd = [count for count in counts if count % multiple]
    # Only between the last multiple and the live columns no multiple is to be had.
    assert all(count > live - multiple for count in odd)
    if live:
        assert counts[-1] > live - multiple


def test_candidates_lose_up_to_two_fifths():
    energy = np.array([40.0, 30.0, 20.0, 9.0, 0.95, 0.05, 0.0])
    # What goes: nothing, 0.05 %, 1 %, 10 % and 30 % of the squared saliency.
    assert candidate_counts(energy) == [2, 3, 4, 5, 6]


def test_the_best_of_each_layer_given_the_others():
    def measure(counts):
        return -((counts["a"] - 3) ** 2) - (counts["b"] - counts["a"]) ** 2

    asked = []

    def candidates(name, counts):
        asked.append((name, dict(counts)))
        return range(1, 8)

    found = search_counts(measure, {"a": 7, "b": 1}, candidates)
    best = max(measure({"a": a, "b": b}) for a, b in itertools.product(range(1, 8), repeat=2))
    assert measure(found) >= best - 2
    assert asked[0] == ("b", {"a": 7, "b": 1})
    assert asked[1] == ("a", {"a": 7, "b": 7})


def test_never_worse_than_the_start():
    assert search_counts(lambda counts: -counts["a"], {"a": 2}, lambda name, counts: [3, 4]) == {
        "a": 2
    }
