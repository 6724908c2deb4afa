import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from sparse_matrices import sparse_matrices

from darb.golden.formats import RelativeCsc, StorageBits


@st.composite
def packed_matrices(draw):
    """A dense matrix and the same packed; few index bits make much padding."""
    weights, weight_bits = draw(sparse_matrices())
    packed = RelativeCsc.from_dense(
        weights,
        weight_bits=weight_bits,
        lanes=draw(st.sampled_from([1, 2, 3, 4, 8, 64])),
        index_bits=draw(st.sampled_from([1, 2, 4, 7])),
        by_rows=draw(st.booleans()),
    )
    return weights, packed


def parts(weights, packed):
    """Lane, number and content of each lane's part of each column, or of each row."""
    matrix = weights.T if packed.by_rows else weights
    for lane in range(packed.lanes):
        for number in range(matrix.shape[1]):
            yield lane, number, matrix[lane :: packed.lanes, number].tolist()


def entries_of(part, most):
    """The paper's rule, one place at a time."""
    entries, zeros = [], 0
    for weight in part:
        if weight == 0:
            zeros += 1
            continue
        while zeros > most:
            entries.append((0, most))
            zeros -= most + 1
        entries.append((weight, zeros))
        zeros = 0
    return entries


@given(packed_matrices())
def test_round_trip(case):
    weights, packed = case
    back = packed.to_dense()
    assert back.dtype == np.int8
    assert back.flags.c_contiguous
    assert back.tolist() == weights.tolist()
    assert packed.weight_count == np.count_nonzero(weights)


@given(packed_matrices())
def test_entries_follow_the_rule_place_by_place(case):
    weights, packed = case
    entries, pointers = [], [[] for _ in range(packed.lanes)]
    at = [0] * packed.lanes
    for lane, _number, part in parts(weights, packed):
        pointers[lane].append(at[lane])
        made = entries_of(part, 2**packed.index_bits - 1)
        entries += made
        at[lane] += len(made)
    assert list(zip(packed.values.tolist(), packed.skips.tolist(), strict=True)) == entries
    assert packed.pointers.tolist() == [
        [*line, end] for line, end in zip(pointers, at, strict=True)
    ]


@given(packed_matrices())
def test_without_its_padding_each_lane_is_what_scipy_makes_of_its_rows(case):
    weights, packed = case
    matrix = weights.T if packed.by_rows else weights
    counts = packed.weights_by_lane()
    first = 0
    for lane in range(packed.lanes):
        expected = scipy.sparse.csc_array(matrix[lane :: packed.lanes])
        after = first + packed.pointers[lane, -1]
        values = packed.values[first:after]
        assert values[values != 0].tolist() == expected.data.tolist()
        assert counts[:, lane].tolist() == np.diff(expected.indptr).tolist()
        first = after


@given(packed_matrices())
def test_counts_a_lane(case):
    weights, packed = case
    entries = np.zeros((packed.stored_shape[1], packed.lanes), dtype=int)
    useful = entries.copy()
    for lane, number, part in parts(weights, packed):
        entries[number, lane] = len(entries_of(part, 2**packed.index_bits - 1))
        useful[number, lane] = sum(1 for weight in part if weight)
    assert packed.entries_by_lane().tolist() == entries.tolist()
    assert packed.weights_by_lane().tolist() == useful.tolist()


@given(packed_matrices())
def test_storage_is_what_the_fields_take_when_written_one_by_one(case):
    weights, packed = case
    values = indices = padding = 0
    lengths, depths = [], [0] * packed.lanes
    for lane, _number, part in parts(weights, packed):
        made = entries_of(part, 2**packed.index_bits - 1)
        for weight, _skip in made:
            values += packed.weight_bits if weight else 0
            indices += packed.index_bits if weight else 0
            padding += 0 if weight else packed.weight_bits + packed.index_bits
        lengths.append(len(made))
        depths[lane] += len(made)
    if packed.by_rows:
        fields, largest = packed.lanes * len(weights), max(lengths)
    else:
        fields, largest = packed.lanes * (weights.shape[1] + 1), max(depths)
    digits = len(format(largest, "b")) if largest else 0
    assert packed.storage() == StorageBits(
        values=values, indices=indices, pointers=fields * digits, padding=padding
    )


@pytest.mark.parametrize(
    ("zeros", "values", "skips"),
    [
        (0, [9], [0]),
        (15, [9], [15]),
        (16, [0, 9], [15, 0]),
        (31, [0, 9], [15, 15]),
        (32, [0, 0, 9], [15, 15, 0]),
        (33, [0, 0, 9], [15, 15, 1]),
    ],
)
def test_the_padding_rule_at_its_edges(zeros, values, skips):
    """With 4 bits a weight skips 15 zeros; a padding zero skips 15 and is the 16th itself."""
    column = np.array([[0] * zeros + [9]]).T
    packed = RelativeCsc.from_dense(column, lanes=1)
    assert packed.values.tolist() == values
    assert packed.skips.tolist() == skips
    assert packed.pointers.tolist() == [[0, len(values)]]
    # The same run between two weights, and behind the last one, where nothing is stored.
    between = np.array([[7] + [0] * zeros + [9] + [0] * zeros]).T
    packed = RelativeCsc.from_dense(between, lanes=1)
    assert packed.values.tolist() == [7, *values]
    assert packed.skips.tolist() == [0, *skips]


def test_zeros_are_counted_within_the_part_of_a_lane():
    """32 zeros of the column before row 32, but 16 of lane 0's and none of lane 1's."""
    column = np.zeros((34, 2), dtype=int)
    column[32, 0], column[1, 0], column[33, 1] = 5, 6, 7
    packed = RelativeCsc.from_dense(column, lanes=2)
    assert packed.values.tolist() == [0, 5, 6, 0, 7]
    assert packed.skips.tolist() == [15, 0, 0, 15, 0]
    assert packed.pointers.tolist() == [[0, 2, 2], [0, 1, 3]]
    assert packed.entries_by_lane().tolist() == [[2, 1], [0, 2]]
    assert packed.weights_by_lane().tolist() == [[1, 1], [0, 1]]
    # 3 weights and 2 padding zeros of 8 + 4 bits; 2 * 3 pointers up to 3, so of 2 bits.
    assert packed.storage() == StorageBits(values=24, indices=12, pointers=12, padding=24)


def test_by_rows_the_columns_are_dealt():
    packed = RelativeCsc.from_dense([[1, 2, 0, 3], [0, 0, 4, 0]], lanes=2, by_rows=True)
    assert packed.shape == (2, 4)
    assert packed.stored_shape == (4, 2)
    assert packed.values.tolist() == [1, 4, 2, 3]
    assert packed.skips.tolist() == [0, 1, 0, 0]
    assert packed.entries_by_lane().tolist() == [[1, 2], [1, 0]]
    # 2 * 2 lengths up to 2, so of 2 bits.
    assert packed.storage() == StorageBits(values=32, indices=16, pointers=8, padding=0)


def test_the_smallest_matrix():
    full = RelativeCsc.from_dense([[-3]], lanes=2, weight_bits=3)
    empty = RelativeCsc.from_dense([[0]], lanes=2, weight_bits=3)
    assert full.storage() == StorageBits(values=3, indices=4, pointers=4, padding=0)
    assert empty.storage() == StorageBits(values=0, indices=0, pointers=0, padding=0)
    assert full.to_dense().tolist() == [[-3]]
    assert empty.to_dense().tolist() == [[0]]


def test_what_was_checked_cannot_be_changed():
    packed = RelativeCsc.from_dense([[1]], lanes=1)
    for array in (packed.values, packed.skips, packed.pointers):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"lanes": 0}, ValueError, "lanes must be at least 1, not 0"),
        ({"lanes": 1.0}, TypeError, "lanes must be an int, not 1.0"),
        ({"index_bits": 0}, ValueError, "index_bits must be in 1..16, not 0"),
        ({"index_bits": 17}, ValueError, "index_bits must be in 1..16, not 17"),
        ({"index_bits": "4"}, TypeError, "index_bits must be an int, not '4'"),
        ({"by_rows": 1}, TypeError, "by_rows must be a bool, not 1"),
        ({"weight_bits": 9}, ValueError, "weight_bits must be in 2..8, not 9"),
        ({"weights": [[1.5]]}, TypeError, "weights must be integers, not float64"),
        (
            {"weights": [[4]], "weight_bits": 3},
            ValueError,
            "row 0, column 0: weights of 3 bits must be in -3..3, not 4",
        ),
    ],
)
def test_refused_arguments(arguments, error, text):
    with pytest.raises(error) as caught:
        RelativeCsc.from_dense(**{"weights": [[1]], "lanes": 1, **arguments})
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("fields", "error", "text"),
    [
        ({"shape": (0, 2)}, ValueError, "shape must be (M, N), each at least 1, not (0, 2)"),
        ({"shape": 9}, TypeError, "shape must be a tuple of ints, not 9"),
        ({"weight_bits": 1}, ValueError, "weight_bits must be in 2..8, not 1"),
        ({"lanes": 0}, ValueError, "lanes must be at least 1, not 0"),
        ({"lanes": 3}, ValueError, "pointers must have shape (3, 3), not (2, 3)"),
        ({"index_bits": 0}, ValueError, "index_bits must be in 1..16, not 0"),
        ({"by_rows": None}, TypeError, "by_rows must be a bool, not None"),
        ({"values": [0, 5, 128, 7]}, ValueError, "values must be in -127..127, not 128"),
        ({"values": [0, 5, 6]}, ValueError, "values must have shape (4,), not (3,)"),
        ({"skips": [3, 0, 4, 1]}, ValueError, "skips must be in 0..3, not 4"),
        ({"skips": [3, 0, -1, 1]}, ValueError, "skips must be in 0..3, not -1"),
        ({"skips": [3.0, 0, 1, 1]}, TypeError, "skips must be integers, not float64"),
        (
            {"skips": [2, 0, 0, 1]},
            ValueError,
            "lane 0, column 0: a padding zero must skip 3, not 2",
        ),
        (
            {"values": [1, 5, 6, 0], "skips": [3, 0, 0, 3]},
            ValueError,
            "lane 1, column 1: the last entry must be nonzero, not 0",
        ),
        # Lane 1 of 9 rows has rows 1, 3, 5 and 7.
        (
            {"values": [0, 5, 0, 7], "skips": [3, 0, 3, 0], "pointers": [[0, 2, 2], [0, 0, 2]]},
            ValueError,
            "lane 1, column 1: entries must stay below row 9, not 9",
        ),
        (
            {"pointers": [[0, 2, 2], [1, 1, 2]]},
            ValueError,
            "pointers of lane 1 must start at 0 and never fall, not [1, 1, 2]",
        ),
        (
            {"pointers": [[0, 3, 2], [0, 1, 2]]},
            ValueError,
            "pointers of lane 0 must start at 0 and never fall, not [0, 3, 2]",
        ),
        ({"pointers": [[0, 2, 2], [0, 1, 19]]}, ValueError, "pointers must be in 0..18, not 19"),
        ({"pointers": [[0, 2, 2], [0, 1, 3]]}, ValueError, "values must have shape (5,), not (4,)"),
    ],
)
def test_refused_arrays(fields, error, text):
    good = {
        "shape": (9, 2),
        "lanes": 2,
        "index_bits": 2,
        "values": [0, 5, 6, 7],
        "skips": [3, 0, 0, 1],
        "pointers": [[0, 2, 2], [0, 1, 2]],
    }
    matrix = RelativeCsc(**good).to_dense()
    assert {(8, 0): 5, (1, 0): 6, (3, 1): 7} == {
        (int(row), int(column)): int(matrix[row, column]) for row, column in np.argwhere(matrix)
    }
    with pytest.raises(error) as caught:
        RelativeCsc(**{**good, **fields})
    assert str(caught.value) == text


def test_refused_entries_by_rows_are_named_by_row():
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the text is compared whole
        RelativeCsc(
            shape=(1, 3), lanes=1, by_rows=True, values=[5, 6], skips=[1, 1], pointers=[[0, 2]]
        )
    assert str(caught.value) == "lane 0, row 0: entries must stay below column 3, not 3"
