import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darb.golden import IntegerLayer, Pattern, PatternMisfitError, Segments, packing
from darb.golden.packing import Slots, empty_slots, fill_slots, pack_layer


@st.composite
def fitting_rows(draw):
    """Rows of weights that fit a pattern under some segments."""
    k = draw(st.integers(0, 6))
    pattern = Pattern(k, draw(st.integers(1, min(4, 1 << k))))
    segments = Segments(
        draw(st.integers(1, 90)),
        draw(st.sampled_from([1, 2, 4, 8, 16])),
        draw(st.sampled_from([1, pattern.block_size])),
    )
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    stored = np.zeros((draw(st.integers(1, 4)), segments.columns), dtype=np.int8)
    for row in stored:
        for block in blocks(pattern, segments):
            chosen = rng.permutation(block)[: rng.integers(0, pattern.keep + 1)]
            row[chosen] = rng.integers(-127, 128, chosen.size)
    return stored, pattern, segments


def blocks(pattern, segments):
    """The stored columns of every block, block by block, segment by segment."""
    for lane in range(segments.lanes):
        columns = range(lane * segments.length, min((lane + 1) * segments.length, segments.columns))
        for first in range(0, len(columns), 1 << pattern.k):
            yield list(columns[first : first + (1 << pattern.k)])


@given(fitting_rows())
def test_slots_give_back_the_rows(case):
    stored, pattern, segments = case
    slots = fill_slots(stored, pattern, segments)
    shape = (len(stored), segments.lanes, pattern.slots(segments.length))
    assert slots.weights.shape == slots.indices.shape == shape
    assert (empty_slots(slots, pattern, segments) == stored).all()


@given(fitting_rows(), st.integers(1, 300))
def test_rows_laid_out_a_few_at_a_time_give_the_same(case, cells):
    stored, pattern, segments = case
    whole = fill_slots(stored, pattern, segments)
    crowded = np.ones_like(stored)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packing, "_MOST_CELLS", cells)
        parts = fill_slots(stored, pattern, segments)
        assert (parts.weights == whole.weights).all()
        assert (parts.indices == whole.indices).all()
        wide = [block for block in blocks(pattern, segments) if len(block) > pattern.keep]
        if wide:
            crowded[:-1] = 0
            with pytest.raises(PatternMisfitError, match=rf"^row {len(stored) - 1}, columns "):
                fill_slots(crowded, pattern, segments)


@given(fitting_rows(), st.integers(0, 2**32), st.integers(1, 300))
def test_rows_and_columns_in_an_order_of_their_own(case, seed, cells):
    stored, pattern, segments = case
    rng = np.random.default_rng(seed)
    width = segments.columns + int(rng.integers(0, 5))
    columns = rng.permutation(width)[: segments.columns]
    rows = rng.permutation(len(stored) + 2)[: len(stored)]
    weights = np.zeros((len(stored) + 2, width), dtype=np.int8)
    weights[rows[:, None], columns] = stored
    whole = fill_slots(stored, pattern, segments)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packing, "_MOST_CELLS", cells)
        slots = fill_slots(weights, pattern, segments, rows=rows, columns=columns)
    assert (slots.weights == whole.weights).all()
    assert (slots.indices == whole.indices).all()
    back = empty_slots(slots, pattern, segments, columns=columns, width=width)
    assert (back == weights[rows]).all()


def test_the_first_misfit_is_named_by_its_place_among_the_rows_asked_for():
    weights = np.zeros((4, 5), dtype=np.int8)
    weights[1, [4, 0, 2]] = weights[3, [1, 3]] = 1
    segments = Segments(4, 1)
    with pytest.raises(PatternMisfitError) as caught:
        fill_slots(
            weights, Pattern(1), segments, rows=np.array([0, 3, 1]), columns=np.array([4, 0, 3, 1])
        )
    assert str(caught.value) == (
        "row 1, columns 2..3 must hold at most 1 nonzero weight (pattern 1 of 2), not 2"
    )
    with pytest.raises(PatternMisfitError, match=r"^row 0, columns 0..3 must hold at most 2 "):
        fill_slots(
            weights, Pattern(2, 2), segments, rows=np.array([1]), columns=np.array([4, 0, 3, 2])
        )


@given(fitting_rows())
def test_every_slot_points_at_its_weight(case):
    stored, pattern, segments = case
    slots = fill_slots(stored, pattern, segments)
    assert (slots.indices >= 0).all()
    assert (slots.indices < pattern.block_size).all()
    assert (slots.indices[slots.weights == 0] == 0).all()
    positions = slots.positions(pattern, segments)
    for row, lane, slot in np.argwhere(slots.weights):
        at = positions[row, lane, slot]
        assert stored[row, at] == slots.weights[row, lane, slot]
        assert lane * segments.length <= at < (lane + 1) * segments.length
        block = (at - lane * segments.length) >> pattern.k
        assert slot // pattern.keep == block


@given(fitting_rows(), st.randoms(use_true_random=False))
def test_one_weight_too_many_is_refused_by_row_and_columns(case, random):
    stored, pattern, segments = case
    crowded = [block for block in blocks(pattern, segments) if len(block) > pattern.keep]
    if not crowded:
        return
    block = random.choice(crowded)
    row = random.randrange(len(stored))
    stored[row, block[: pattern.keep + 1]] = 1
    stored[row, block[pattern.keep + 1 :]] = 0
    plural = "s" if pattern.keep > 1 else ""
    with pytest.raises(PatternMisfitError) as caught:
        fill_slots(stored, pattern, segments)
    assert caught.value.row == row
    assert str(caught.value) == (
        f"row {row}, columns {block[0]}..{block[-1]} must hold at most {pattern.keep} nonzero "
        f"weight{plural} (pattern {pattern}), not {pattern.keep + 1}"
    )


def test_one_block_over_a_whole_segment():
    stored = np.zeros((1, 10), dtype=np.int8)
    stored[0, [1, 3, 4, 7]] = [5, -6, 7, 8]
    segments = Segments(10, 2)
    slots = fill_slots(stored, Pattern(3, 3), segments)
    assert slots.weights.tolist() == [[[5, -6, 7], [8, 0, 0]]]
    assert slots.indices.tolist() == [[[1, 3, 4], [2, 0, 0]]]


@pytest.mark.parametrize(
    ("weights", "indices", "text"),
    [
        ([1, 1], [3, 1], "row 0, lane 0, slot 1: index must stay below column 5, not 5"),
        ([1, 0], [3, 1], "row 0, lane 0, slot 1: index must stay below column 5, not 5"),
    ],
)
def test_an_index_past_the_columns(weights, indices, text):
    slots = Slots(np.array([[weights]], dtype=np.int8), np.array([[indices]], dtype=np.int16))
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the text is compared whole
        empty_slots(slots, Pattern(2), Segments(5, 1))
    assert str(caught.value) == text


def test_two_weights_on_one_column():
    slots = Slots(np.array([[[1, 2]]], dtype=np.int8), np.array([[[3, 3]]], dtype=np.int16))
    for columns in (None, np.array([3, 2, 1, 0])):
        with pytest.raises(ValueError, match=r"^row 0: stored column 3 must be claimed once, not "):
            empty_slots(slots, Pattern(2, 2), Segments(4, 1), columns=columns)


def test_two_weights_on_one_column_of_a_later_row():
    indices = np.array([[[0, 2]], [[1, 1]]], dtype=np.int16)
    slots = Slots(np.ones((2, 1, 2), dtype=np.int8), indices)
    with pytest.raises(
        ValueError, match=r"^row 1: stored column 1 must be claimed once, not twice$"
    ):
        empty_slots(slots, Pattern(2, 2), Segments(4, 1))


def layer(weights, patterns, columns):
    m = len(weights)
    return IntegerLayer(
        name="fc",
        weights=weights,
        bias=[0] * m,
        multiplier=[0] * m,
        shift=[1] * m,
        relu=False,
        patterns=tuple(patterns),
        columns=columns,
    )


def test_rows_are_sorted_by_pattern_and_stay_in_order_within_one():
    patterns = [Pattern(1), Pattern(0), Pattern(1, 2), Pattern(1), Pattern(0)]
    made = layer(np.zeros((5, 4), dtype=int), patterns, [0, 1, 2, 3])
    sections = pack_layer(made, np.array([0, 1, 2, 3, 4]), 2)
    assert [(section.pattern, section.rows.tolist()) for section in sections] == [
        (Pattern(0), [1, 4]),
        (Pattern(1), [0, 3]),
        (Pattern(1, 2), [2]),
    ]


def test_dead_rows_are_not_stored():
    made = layer(np.ones((3, 2), dtype=int), [Pattern(0)] * 3, [0, 1])
    (section,) = pack_layer(made, np.array([0, 2]), 1)
    assert section.rows.tolist() == [0, 2]


def test_the_first_row_of_the_layer_is_named_not_the_first_of_a_section():
    weights = np.zeros((3, 4), dtype=int)
    weights[1, [2, 3]] = 1
    weights[2, [0, 1]] = 1
    made = layer(weights, [Pattern(1), Pattern(2), Pattern(1)], [0, 1, 2, 3])
    with pytest.raises(PatternMisfitError) as caught:
        pack_layer(made, np.arange(3), 1)
    assert str(caught.value) == (
        "row 1, columns 0..3 must hold at most 1 nonzero weight (pattern 1 of 4), not 2 in layer fc"
    )
