"""Masks: exact counts in every block, exact budgets, stable ties."""

import re

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from darb.golden.pattern import Pattern, Segments
from darb.sw.pruning import Structured, block_mask, mask
from darb.sw.pruning.masking import check_columns
from darb.sw.pruning.regular_blocks import RegularBlocks

ALL = "darb, bmwm, irregular, structured, block, n_m, bank_balanced"


def blocks(row, columns, pattern, lanes):
    """Yield the original columns of each block of a row: written out, with no array tricks."""
    length = Segments(len(columns), lanes or 1).length
    for start in range(0, len(columns), length):
        segment = columns[start : start + length]
        for first in range(0, len(segment), pattern.block_size):
            yield segment[first : first + pattern.block_size]


@st.composite
def matrices(draw):
    """Return small matrices with many ties, a column order and lanes."""
    rows, columns = draw(st.integers(1, 12)), draw(st.integers(1, 70))
    seed = draw(st.integers(0, 2**32 - 1))
    generator = np.random.default_rng(seed)
    kind = draw(st.sampled_from(["normal", "ties", "zero rows"]))
    weights = generator.normal(size=(rows, columns))
    if kind == "ties":
        weights = generator.integers(-2, 3, size=(rows, columns))
    elif kind == "zero rows":
        weights[generator.random(rows) < 0.5] = 0
    kept = draw(st.integers(1, columns))
    order = generator.permutation(columns)[:kept]
    return weights, order, draw(st.sampled_from([None, 1, 2, 4, 8, 16]))


@given(matrices(), st.data())
def test_block_mask_keeps_exactly_the_best_of_every_block(case, data):
    weights, order, lanes = case
    scores = np.abs(weights)
    patterns = []
    for _ in scores:
        k = data.draw(st.integers(0, 6))
        patterns.append(Pattern(k, data.draw(st.integers(1, 1 << k))))
    kept = block_mask(scores, patterns, columns=order, lanes=lanes)
    for row, pattern in enumerate(patterns):
        expected = np.zeros(scores.shape[1], dtype=bool)
        for block in blocks(scores[row], order, pattern, lanes):
            ranked = sorted(range(len(block)), key=lambda i: (-scores[row, block[i]], i))
            expected[[block[i] for i in ranked[: pattern.keep]]] = True
        assert (kept[row] == expected).all()


@given(
    matrices(),
    st.floats(1, 40),
    st.sampled_from(["darb", "bmwm"]),
    st.sampled_from(["energy", "density"]),
    st.none() | st.sampled_from([1, 2, 4]),
    st.integers(1, 5),
)
def test_mask_meets_the_budget_and_its_own_patterns(
    case, ratio, method, assignment, rows, max_keep
):
    weights, order, lanes = case
    settings = {"method": method, "assignment": assignment, "lanes": lanes, "rows": rows}
    if assignment == "energy":
        settings["max_keep"] = max_keep
    groups = -(-len(weights) // (rows or 1)) * (rows or 1)
    length = Segments(order.size, lanes or 1).length
    if ratio > 1 and groups * (lanes or 1) * Pattern(6).slots(length) > weights.size / ratio:
        with pytest.raises(ValueError, match=r"^ratio must be at most "):
            mask(weights, ratio=ratio, columns=order, **settings)
        return
    pruned = mask(weights, ratio=ratio, columns=order, **settings)
    if ratio > 1:
        assert pruned.slots(rows or 1) <= weights.size / ratio
    assert pruned.stored <= pruned.slots(rows or 1)
    assert (pruned.columns == order).all()
    assert pruned.live.all()
    assert pruned.align == (1 if lanes else max(p.block_size for p in pruned.patterns))
    for row, pattern in enumerate(pruned.patterns):
        for block in blocks(weights[row], order, pattern, lanes):
            assert pruned.mask[row, block].sum() == min(pattern.keep, len(block))
    left_out = np.setdiff1d(np.arange(weights.shape[1]), order)
    assert not pruned.mask[:, left_out].any()
    assert (
        block_mask(np.abs(weights), pruned.patterns, columns=order, lanes=lanes) == pruned.mask
    ).all()


@given(matrices(), st.floats(1.001, 20), st.sampled_from(["energy", "density"]))
def test_no_row_could_take_a_smaller_block_within_the_budget(case, ratio, assignment):
    weights, order, lanes = case
    length = Segments(order.size, lanes or 1).length
    assume(len(weights) * (lanes or 1) * Pattern(6).slots(length) <= weights.size / ratio)
    pruned = mask(weights, ratio=ratio, columns=order, lanes=lanes, assignment=assignment)
    left = weights.size / ratio - pruned.slots()
    for pattern in pruned.patterns:
        if pattern.k:
            step = Pattern(pattern.k - 1).slots(length) - pattern.slots(length)
            assert step * (lanes or 1) > left


@pytest.mark.parametrize("assignment", ["energy", "density"])
def test_power_of_two_ratio_is_met_to_the_last_slot(assignment):
    weights = np.random.default_rng(3).normal(size=(60, 256))
    pruned = mask(weights, ratio=16, assignment=assignment)
    assert pruned.stored == pruned.slots() == weights.size // 16


def test_segments_and_row_groups_leave_no_slot_empty():
    weights = np.random.default_rng(4).normal(size=(64, 256)) ** 3
    pruned = mask(weights, ratio=12.3, lanes=8, rows=4)
    assert len(pruned.sections()) > 1
    assert all(count % 4 == 0 for count in pruned.sections().values())
    assert pruned.stored == pruned.slots(4)


def test_rows_that_matter_more_get_smaller_blocks():
    weights = np.random.default_rng(5).normal(size=(32, 256))
    weights[:8] *= 8
    for assignment in ("energy", "density"):
        sizes = [p.k for p in mask(weights, ratio=16, assignment=assignment).patterns]
        assert max(sizes[:8]) < min(sizes[8:])


def test_bmwm_is_one_block_size_a_matrix():
    weights = np.random.default_rng(6).normal(size=(20, 100))
    pruned = mask(weights, ratio=5, method="bmwm")
    assert set(pruned.patterns) == {Pattern(3)}


def test_equal_scores_keep_the_first_stored():
    kept = block_mask(np.ones((1, 8)), [Pattern(2, 2)], columns=[7, 6, 5, 4, 3, 2, 1, 0])
    assert np.flatnonzero(kept).tolist() == [2, 3, 6, 7]


@pytest.mark.parametrize("method", ["darb", "bmwm"])
@pytest.mark.parametrize("assignment", ["energy", "density"])
@pytest.mark.parametrize("shape", [(1, 1), (5, 1), (1, 9), (3, 20)])
@pytest.mark.parametrize("engine", [{}, {"lanes": 8, "rows": 4}])
def test_ratio_one_keeps_everything(shape, method, assignment, engine):
    pruned = mask(np.zeros(shape), ratio=1, method=method, assignment=assignment, **engine)
    assert pruned.mask.all()
    assert set(pruned.patterns) == {Pattern(0)}
    if assignment == "energy":
        pruned = mask(np.ones(shape), ratio=1, method=method, max_keep=4, **engine)
        assert pruned.mask.all()


def test_one_column_is_one_block_whatever_its_size():
    pruned = mask(np.ones((4, 1)), ratio=1, max_k=6)
    assert set(pruned.patterns) == {Pattern(0)}


@pytest.mark.parametrize(
    ("change", "kind", "text"),
    [
        ({"ratio": 0}, ValueError, "ratio must be finite and at least 1, not 0"),
        (
            {"method": "x"},
            ValueError,
            f"method must be one of {ALL}, not 'x'",
        ),
        ({"assignment": "x"}, ValueError, "assignment must be one of energy, density, not 'x'"),
        ({"lanes": 0}, ValueError, "lanes must be in 1..256, not 0"),
        ({"lanes": 3}, ValueError, "lanes must be a power of two, not 3"),
        ({"rows": 1.5}, TypeError, "rows must be an int, not 1.5"),
        ({"max_k": -1}, ValueError, "max_k must be in 0..12, not -1"),
        ({"scores": np.ones((2, 3))}, ValueError, "scores must have shape (2, 8), not (2, 3)"),
        ({"scores": -np.ones((2, 8))}, ValueError, "scores must be at least 0, not -1.0"),
        ({"columns": [0, 8]}, ValueError, "columns must be in 0..7, not 8"),
        ({"columns": [0, -1]}, ValueError, "columns must be in 0..7, not -1"),
        ({"columns": [3, 3]}, ValueError, "columns must name a column once, not 3 twice"),
        ({"columns": [0.0]}, TypeError, "columns must be integers, not float64"),
        (
            {"columns": np.array([], dtype=int)},
            ValueError,
            "columns must name at least one column, not shape (0,)",
        ),
        (
            {"ratio": 9, "max_k": 3},
            ValueError,
            (
                "ratio must be at most 8.0, for blocks of at most 8 columns take 2 slots in "
                "layer 0, not 9"
            ),
        ),
        (
            {"method": "irregular", "max_keep": 4},
            ValueError,
            "max_keep must be left out for method irregular, not 4",
        ),
        (
            {"method": "irregular", "lanes": 4},
            ValueError,
            "lanes must be left out for method irregular, not 4",
        ),
        (
            {"method": Structured(), "rows": 2},
            ValueError,
            "rows must be left out for method structured, not 2",
        ),
        (
            {"method": RegularBlocks()},
            TypeError,
            (
                "method must be 'darb' or 'bmwm' by name, with its settings beside the name, not "
                "RegularBlocks(name='darb', assignment='energy', budget='normalized', max_k=6, "
                "max_keep=1)"
            ),
        ),
    ],
)
def test_refused(change, kind, text):
    with pytest.raises(kind, match=f"^{re.escape(text)}$"):
        mask(np.ones((2, 8)), **{"ratio": 4, **change})


def test_nan_is_refused():
    weights = np.ones((2, 8))
    weights[1, 5] = np.nan
    text = "weights must be finite: row 1, column 5 is not, not nan"
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        mask(weights, ratio=2)


def test_patterns_refused():
    with pytest.raises(ValueError, match=r"^patterns must name 2 rows, not 1$"):
        block_mask(np.ones((2, 8)), [Pattern(1)])
    with pytest.raises(TypeError, match=r"^patterns must be of Pattern, not 1$"):
        block_mask(np.ones((2, 8)), [Pattern(1), 1])


def test_columns_default_to_all():
    assert check_columns(None, 3).tolist() == [0, 1, 2]
