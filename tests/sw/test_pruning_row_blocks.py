"""N:M and bank-balanced pruning: exact counts in every block, shares of a ratio, patterns."""

import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from darb.golden.pattern import Pattern
from darb.sw.networks import mlp
from darb.sw.pruning import (
    BankBalanced,
    FreeMask,
    Mask,
    NOfM,
    bank_balanced_mask,
    block_mask,
    mask,
    n_of_m_mask,
    prune,
)
from darb.sw.pruning.block_shares import kept_of_each


def expected_mask(scores, runs, keep):
    """Keep the best of each run of columns of each row: written out."""
    kept = np.zeros(scores.shape, dtype=bool)
    for row, values in enumerate(scores):
        for run in runs:
            ranked = sorted(range(len(run)), key=lambda i: (-values[run[i]], i))
            kept[row, [run[i] for i in ranked[:keep]]] = True
    return kept


@st.composite
def matrices(draw):
    """Return small matrices with many ties and a column order."""
    seed = draw(st.integers(0, 2**32 - 1))
    generator = np.random.default_rng(seed)
    columns = draw(st.integers(1, 40))
    scores = generator.integers(0, 4, size=(draw(st.integers(1, 5)), columns))
    scores[generator.random(len(scores)) < 0.3] = 0
    return scores, generator.permutation(columns)[: draw(st.integers(1, columns))]


@given(matrices(), st.integers(1, 18), st.data())
def test_n_of_every_m(case, m, data):
    scores, order = case
    n = data.draw(st.integers(1, m))
    lanes = data.draw(st.sampled_from([None, 1, 2, 3, 4]))
    length = -(-order.size // (lanes or 1))
    runs = [
        order[start : min(start + m, first + length)]
        for first in range(0, order.size, length)
        for start in range(first, min(first + length, order.size), m)
    ]
    got = n_of_m_mask(scores, n=n, m=m, columns=order, lanes=lanes)
    assert (got == expected_mask(scores, runs, n)).all()
    if m & (m - 1) == 0:
        patterns = [Pattern(m.bit_length() - 1, n)] * len(scores)
        assert (got == block_mask(scores, patterns, columns=order, lanes=lanes)).all()


@given(matrices(), st.integers(1, 12), st.integers(1, 50))
def test_k_of_every_bank(case, banks, keep):
    scores, order = case
    length = -(-order.size // banks)
    runs = [order[start : start + length] for start in range(0, order.size, length)]
    got = bank_balanced_mask(scores, keep=keep, banks=banks, columns=order)
    assert (got == expected_mask(scores, runs, keep)).all()


@given(
    st.lists(st.tuples(st.integers(1, 40), st.integers(1, 60)), min_size=1, max_size=4),
    st.floats(1, 60),
)
def test_shares_of_a_ratio(layers, ratio):
    sizes, counts = (list(part) for part in zip(*layers, strict=True))
    weights = sum(size * count for size, count in layers)
    assume(ratio == 1 or sum(counts) <= weights / ratio)
    kept = kept_of_each(sizes, counts, weights=weights, ratio=ratio, what="block")
    spent = sum(keep * count for keep, count in zip(kept, counts, strict=True))
    assert spent <= weights / ratio
    assert all(1 <= keep <= size for keep, size in zip(kept, sizes, strict=True))
    # In exact fractions, every share tried: the largest that fits, then one more where it fits.
    best = [1] * len(sizes)
    for share in sorted({Fraction(n, size) for size in sizes for n in range(1, size + 1)}):
        tried = [max(1, int(share * size)) for size in sizes]
        if sum(keep * count for keep, count in zip(tried, counts, strict=True)) <= weights / ratio:
            best = tried
    left = weights / ratio - sum(k * count for k, count in zip(best, counts, strict=True))
    for layer in sorted(range(len(sizes)), key=lambda i: -counts[i]):
        if ratio > 1 and best[layer] < sizes[layer] and counts[layer] <= left:
            best[layer] += 1
            left -= counts[layer]
    assert kept == best


@pytest.mark.parametrize(("m", "ratio", "n"), [(4, 2, 2), (16, 4, 4), (16, 16, 1), (64, 13, 4)])
def test_a_ratio_that_divides_is_met_exactly(m, ratio, n):
    scores = np.random.default_rng(0).random((20, 256))
    pruned = mask(scores, ratio=ratio, method=NOfM(m=m))
    assert set(pruned.patterns) == {Pattern(m.bit_length() - 1, n)}
    assert pruned.stored == pruned.slots() == 20 * 256 * n // m


def test_groups_that_no_pattern_names_are_free():
    scores = np.random.default_rng(0).random((8, 60))
    pruned = mask(scores, ratio=3, method=NOfM(m=6))
    assert isinstance(pruned, FreeMask)
    assert (pruned.mask == n_of_m_mask(scores, n=2, m=6)).all()
    assert pruned.slots() == pruned.stored == 160
    large = mask(np.random.default_rng(0).random((2, 1024)), ratio=2, method=NOfM(m=1024))
    assert isinstance(large, FreeMask)
    assert large.stored == 1024


def test_banks_are_lanes_or_power_of_two_blocks():
    scores = np.random.default_rng(0).random((6, 300))
    lanes = mask(scores, ratio=10, method=BankBalanced(banks=8))
    assert (lanes.lanes, lanes.align, set(lanes.patterns)) == (8, 1, {Pattern(6, 3)})
    assert (lanes.mask == bank_balanced_mask(scores, keep=3, banks=8)).all()
    free = mask(scores, ratio=10, method=BankBalanced(banks=7))
    assert isinstance(free, FreeMask)
    assert free.slots() == free.stored == 6 * 7 * 4
    power = mask(scores[:, :256], ratio=8, method=BankBalanced(banks=8))
    assert (power.lanes, power.align, set(power.patterns)) == (None, 32, {Pattern(5, 4)})


@pytest.mark.parametrize("method", [NOfM(m=16), BankBalanced(banks=4)])
def test_spread_order_and_dead_rows(method):
    generator = np.random.default_rng(0)
    x = generator.random((50, 64)).astype(np.float32)
    pruned = prune(
        mlp((64, 48, 32), seed=1),
        ratio=4,
        method=method,
        order="spread",
        left_out=0.25,
        calibration=x,
        rows=4,
    ).finalize()
    first, second = pruned.layers.values()
    assert isinstance(first, Mask)
    assert first.columns.size == 48
    assert sorted(second.columns) == np.flatnonzero(first.live).tolist()
    assert not first.mask[~first.live].any()
    assert pruned.report.slots <= pruned.report.weights / 4


@pytest.mark.parametrize(
    ("call", "kind", "text"),
    [
        (lambda: NOfM(m=0), ValueError, "m must be in 1..4096, not 0"),
        (lambda: BankBalanced(banks=True), TypeError, "banks must be an int, not True"),
        (lambda: n_of_m_mask(np.ones((2, 8)), n=5, m=4), ValueError, "n must be in 1..4, not 5"),
        (
            lambda: bank_balanced_mask(np.ones((2, 8)), keep=0, banks=2),
            ValueError,
            "keep must be at least 1, not 0",
        ),
        (
            lambda: mask(np.ones((2, 8)), ratio=5, method=NOfM(m=4)),
            ValueError,
            (
                "ratio must be at most 4.0, for one weight of each group of 4 columns takes "
                "4 slots, not 5"
            ),
        ),
        (
            lambda: mask(np.ones((2, 8)), ratio=5, method=BankBalanced(banks=4)),
            ValueError,
            "ratio must be at most 2.0, for one weight of each of 4 banks takes 8 slots, not 5",
        ),
        (
            lambda: mask(np.ones((2, 8)), ratio=2, method=BankBalanced(banks=4), lanes=4),
            ValueError,
            "lanes must be left out for method bank_balanced, not 4",
        ),
    ],
)
def test_refused(call, kind, text):
    with pytest.raises(kind, match=f"^{re.escape(text)}$"):
        call()
