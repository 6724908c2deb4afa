import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from sparse_matrices import sparse_matrices

from darb.golden.formats import Bsr, Csr, StorageBits

sizes = st.sampled_from([2, 4, 8])


def padded(weights, b):
    (m, n), whole = weights.shape, np.zeros([-(-side // b) * b for side in weights.shape], np.int8)
    whole[:m, :n] = weights
    return whole


@given(sparse_matrices(), sizes)
def test_round_trip_and_the_same_arrays_as_scipy(case, b):
    weights, weight_bits = case
    bsr = Bsr.from_dense(weights, weight_bits=weight_bits, block_size=b)
    back = bsr.to_dense()
    assert back.dtype == np.int8
    assert back.flags.c_contiguous
    assert back.tolist() == weights.tolist()
    whole = padded(weights, b)
    expected = scipy.sparse.bsr_array(scipy.sparse.csr_array(whole), blocksize=(b, b))
    expected.sort_indices()
    assert bsr.padded_shape == whole.shape
    assert bsr.values.tolist() == expected.data.tolist()
    assert bsr.columns.tolist() == expected.indices.tolist()
    assert bsr.row_pointers().tolist() == expected.indptr.tolist()
    assert bsr.weight_count == np.count_nonzero(weights)


@given(sparse_matrices(), sizes)
def test_scipy_reads_the_arrays(case, b):
    weights, weight_bits = case
    bsr = Bsr.from_dense(weights, weight_bits=weight_bits, block_size=b)
    arrays = (bsr.values, bsr.columns, bsr.row_pointers())
    read = scipy.sparse.bsr_array(arrays, shape=bsr.padded_shape, blocksize=(b, b))
    read.check_format(full_check=True)
    assert read.toarray().tolist() == padded(weights, b).tolist()


@given(sparse_matrices(), sizes)
def test_storage_is_what_the_fields_take_when_written_one_by_one(case, b):
    weights, weight_bits = case
    whole = padded(weights, b)
    wide = whole.shape[1] // b
    index = len(format(wide - 1, "b")) if wide > 1 else 0
    values = indices = padding = 0
    lengths = []
    for top in range(0, whole.shape[0], b):
        lengths.append(0)
        for left in range(0, whole.shape[1], b):
            block = whole[top : top + b, left : left + b].ravel().tolist()
            if not any(block):
                continue
            lengths[-1] += 1
            indices += index
            for weight in block:
                values += weight_bits if weight else 0
                padding += 0 if weight else weight_bits
    length = len(format(max(lengths), "b")) if any(lengths) else 0
    bsr = Bsr.from_dense(weights, weight_bits=weight_bits, block_size=b)
    assert bsr.lengths.tolist() == lengths
    assert bsr.storage() == StorageBits(
        values=values, indices=indices, pointers=length * len(lengths), padding=padding
    )


@given(sparse_matrices(), sizes, st.integers(1, 12))
def test_blocks_by_lane(case, b, lanes):
    weights, weight_bits = case
    bsr = Bsr.from_dense(weights, weight_bits=weight_bits, block_size=b)
    whole = padded(weights, b)
    rows = len(whole) // b
    expected = np.zeros((-(-rows // lanes), lanes), dtype=int)
    counts = []
    for row in range(rows):
        blocks = [
            np.count_nonzero(whole[row * b : row * b + b, left : left + b])
            for left in range(0, whole.shape[1], b)
        ]
        counts += [count for count in blocks if count]
        expected[row // lanes, row % lanes] = sum(1 for count in blocks if count)
    assert bsr.lengths_by_lane(lanes).tolist() == expected.tolist()
    assert bsr.block_weights().tolist() == counts


def test_a_full_matrix_has_no_padding_and_the_weights_of_csr():
    weights = np.full((16, 24), -7)
    for b in (2, 4, 8):
        found = Bsr.from_dense(weights, block_size=b).storage()
        assert found.padding == 0
        assert found.values == Csr.from_dense(weights).storage().values == 16 * 24 * 8


@pytest.mark.parametrize("b", [2, 4, 8])
def test_the_smallest_matrix(b):
    full = Bsr.from_dense([[-3]], weight_bits=3, block_size=b)
    empty = Bsr.from_dense([[0]], weight_bits=3, block_size=b)
    assert full.padded_shape == empty.padded_shape == (b, b)
    assert full.storage() == StorageBits(values=3, indices=0, pointers=1, padding=3 * (b * b - 1))
    assert empty.storage() == StorageBits(values=0, indices=0, pointers=0, padding=0)
    assert full.to_dense().tolist() == [[-3]]
    assert empty.to_dense().tolist() == [[0]]


def test_what_was_checked_cannot_be_changed():
    bsr = Bsr.from_dense([[1]], block_size=2)
    for array in (bsr.values, bsr.columns, bsr.lengths):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"block_size": 3}, ValueError, "block_size must be one of (2, 4, 8), not 3"),
        ({"block_size": 2.0}, TypeError, "block_size must be an int, not 2.0"),
        ({"block_size": True}, TypeError, "block_size must be an int, not True"),
        ({"weight_bits": 1}, ValueError, "weight_bits must be in 2..8, not 1"),
        ({"weights": [1]}, ValueError, "weights must have shape (M, N), not (1,)"),
        ({"weights": [[0.0]]}, TypeError, "weights must be integers, not float64"),
    ],
)
def test_refused_arguments(arguments, error, text):
    with pytest.raises(error) as caught:
        Bsr.from_dense(**{"weights": [[1]], "block_size": 2, **arguments})
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("fields", "error", "text"),
    [
        ({"shape": (3, 0)}, ValueError, "shape must be (M, N), each at least 1, not (3, 0)"),
        ({"shape": [3, 5]}, TypeError, "shape must be a tuple of ints, not [3, 5]"),
        ({"weight_bits": 9}, ValueError, "weight_bits must be in 2..8, not 9"),
        ({"block_size": 16}, ValueError, "block_size must be one of (2, 4, 8), not 16"),
        ({"block_size": 4}, ValueError, "lengths must have shape (1,), not (2,)"),
        ({"lengths": [1, 1]}, ValueError, "values must have shape (2, 2, 2), not (3, 2, 2)"),
        ({"lengths": [4, -1]}, ValueError, "lengths must be in 0..3, not 4"),
        ({"columns": [0, 2]}, ValueError, "columns must have shape (3,), not (2,)"),
        ({"columns": [0, 3, 1]}, ValueError, "columns must be in 0..2, not 3"),
        ({"columns": [0.0, 2.0, 1.0]}, TypeError, "columns must be integers, not float64"),
        ({"columns": [2, 2, 1]}, ValueError, "block row 0: columns must ascend after 2, not 2"),
        ({"columns": [2, 1, 1]}, ValueError, "block row 0: columns must ascend after 2, not 1"),
        (
            {"values": [[[1, 0], [0, 2]], [[3, 0], [0, 0]], [[0, 0], [0, 0]]]},
            ValueError,
            "block row 1, column 1: a stored block must hold a nonzero weight, not 0 alone",
        ),
        (
            {"values": [[[1, 0], [0, 2]], [[3, 4], [0, 0]], [[5, 0], [0, 0]]]},
            ValueError,
            "row 0, column 5: padding outside (3, 5) must be 0, not 4",
        ),
        (
            {"values": [[[1, 0], [0, 2]], [[3, 0], [0, 0]], [[5, 0], [6, 0]]]},
            ValueError,
            "row 3, column 2: padding outside (3, 5) must be 0, not 6",
        ),
        (
            {"values": [[[1, 0], [0, 2]], [[3, 0], [0, 0]], [[-128, 0], [0, 0]]]},
            ValueError,
            "values must be in -127..127, not -128",
        ),
    ],
)
def test_refused_arrays(fields, error, text):
    good = {
        "shape": (3, 5),
        "block_size": 2,
        "values": [[[1, 0], [0, 2]], [[3, 0], [0, 0]], [[5, 0], [0, 0]]],
        "columns": [0, 2, 1],
        "lengths": [2, 1],
    }
    expected = [[1, 0, 0, 0, 3], [0, 2, 0, 0, 0], [0, 0, 5, 0, 0]]
    assert Bsr(**good).to_dense().tolist() == expected
    with pytest.raises(error) as caught:
        Bsr(**{**good, **fields})
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("lanes", "error", "text"),
    [
        (0, ValueError, "lanes must be at least 1, not 0"),
        ("2", TypeError, "lanes must be an int, not '2'"),
    ],
)
def test_refused_lanes(lanes, error, text):
    with pytest.raises(error) as caught:
        Bsr.from_dense([[1]], block_size=2).lengths_by_lane(lanes)
    assert str(caught.value) == text
