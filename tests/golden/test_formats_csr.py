import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from sparse_matrices import sparse_matrices

from darb.golden.formats import Csr, StorageBits


@given(sparse_matrices())
def test_round_trip_and_the_same_arrays_as_scipy(case):
    weights, weight_bits = case
    csr = Csr.from_dense(weights, weight_bits=weight_bits)
    back = csr.to_dense()
    assert back.dtype == np.int8
    assert (back == weights).all()
    expected = scipy.sparse.csr_array(weights)
    assert csr.values.tolist() == expected.data.tolist()
    assert csr.columns.tolist() == expected.indices.tolist()
    assert csr.row_pointers().tolist() == expected.indptr.tolist()
    assert csr.entry_rows().tolist() == expected.tocoo().row.tolist()
    assert csr.weight_count == expected.nnz


@given(sparse_matrices())
def test_storage_is_what_the_fields_take_when_written_one_by_one(case):
    weights, weight_bits = case
    n = weights.shape[1]
    # Digits of the largest number a field must hold; an index into one column needs none.
    index = len(format(n - 1, "b")) if n > 1 else 0
    longest = max(int((row != 0).sum()) for row in weights)
    length = len(format(longest, "b")) if longest else 0
    values = indices = pointers = 0
    for row in weights:
        pointers += length
        for weight in row:
            values += weight_bits if weight else 0
            indices += index if weight else 0
    found = Csr.from_dense(weights, weight_bits=weight_bits).storage()
    assert found == StorageBits(values=values, indices=indices, pointers=pointers, padding=0)
    assert found.total == values + indices + pointers
    assert found.overhead == indices + pointers


@given(sparse_matrices())
def test_lengths_never_take_more_than_pointers(case):
    csr = Csr.from_dense(case[0], weight_bits=case[1])
    assert csr.length_bits <= int(csr.row_pointers().max()).bit_length()


@given(sparse_matrices(), st.integers(1, 50))
def test_lengths_by_lane(case, lanes):
    weights, weight_bits = case
    table = Csr.from_dense(weights, weight_bits=weight_bits).lengths_by_lane(lanes)
    expected = np.zeros((-(-len(weights) // lanes), lanes), dtype=int)
    for row in range(len(weights)):
        expected[row // lanes, row % lanes] = sum(1 for weight in weights[row] if weight)
    assert table.tolist() == expected.tolist()


@given(sparse_matrices(), st.integers(1, 20), st.booleans())
def test_bank_counts(case, count, in_turn):
    weights, weight_bits = case
    m, n = weights.shape
    banks = np.arange(n) % count if in_turn else np.arange(n) // -(-n // count)
    found = Csr.from_dense(weights, weight_bits=weight_bits).bank_counts(banks)
    expected = np.zeros((m, banks.max() + 1), dtype=int)
    for row, column in np.argwhere(weights):
        expected[row, banks[column]] += 1
    assert found.tolist() == expected.tolist()


def test_the_smallest_matrix():
    full, empty = Csr.from_dense([[-3]], weight_bits=3), Csr.from_dense([[0]], weight_bits=3)
    assert full.storage() == StorageBits(values=3, indices=0, pointers=1, padding=0)
    assert empty.storage() == StorageBits(values=0, indices=0, pointers=0, padding=0)
    assert full.to_dense().tolist() == [[-3]]
    assert empty.to_dense().tolist() == [[0]]


def test_what_was_checked_cannot_be_changed():
    given = np.array([[1, 0], [0, 2]], dtype=np.int8)
    csr = Csr.from_dense(given)
    for array in (csr.values, csr.columns, csr.lengths):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    given[:] = 0
    assert csr.to_dense().tolist() == [[1, 0], [0, 2]]


def test_an_argument_array_may_change_later():
    columns = np.array([0, 1])
    csr = Csr(shape=(2, 2), values=np.array([1, 2]), columns=columns, lengths=np.array([1, 1]))
    columns[:] = 0
    assert csr.to_dense().tolist() == [[1, 0], [0, 2]]


@pytest.mark.parametrize(
    ("weights", "bits", "error", "text"),
    [
        ([[1.0]], 8, TypeError, "weights must be integers, not float64"),
        ([[True]], 8, TypeError, "weights must be integers, not bool"),
        ([1, 2], 8, ValueError, "weights must have shape (M, N), not (2,)"),
        (np.zeros((3, 0), int), 8, ValueError, "weights must have shape (M, N), not (3, 0)"),
        (
            [[0, 127], [1, -128]],
            8,
            ValueError,
            "row 1, column 1: weights of 8 bits must be in -127..127, not -128",
        ),
        ([[2]], 2, ValueError, "row 0, column 0: weights of 2 bits must be in -1..1, not 2"),
        ([[1]], 1, ValueError, "weight_bits must be in 2..8, not 1"),
        ([[1]], 9, ValueError, "weight_bits must be in 2..8, not 9"),
        ([[1]], 8.0, TypeError, "weight_bits must be an int, not 8.0"),
    ],
)
def test_refused_matrices(weights, bits, error, text):
    with pytest.raises(error) as caught:
        Csr.from_dense(weights, weight_bits=bits)
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("fields", "error", "text"),
    [
        ({"shape": [2, 4]}, TypeError, "shape must be a tuple of ints, not [2, 4]"),
        ({"shape": (2, 4.0)}, TypeError, "shape must be a tuple of ints, not (2, 4.0)"),
        ({"shape": (2,)}, ValueError, "shape must be (M, N), each at least 1, not (2,)"),
        ({"shape": (0, 4)}, ValueError, "shape must be (M, N), each at least 1, not (0, 4)"),
        ({"weight_bits": 1}, ValueError, "weight_bits must be in 2..8, not 1"),
        ({"values": [1.0, 2.0, 3.0]}, TypeError, "values must be integers, not float64"),
        ({"values": [1, 2, 128]}, ValueError, "values must be in -127..127, not 128"),
        ({"values": [1, 2]}, ValueError, "values must have shape (3,), not (2,)"),
        (
            {"values": [1, 0, 3]},
            ValueError,
            "row 0, column 3: a stored weight must be nonzero, not 0",
        ),
        ({"columns": [0, 3, -1]}, ValueError, "columns must be in 0..3, not -1"),
        ({"columns": [0, 4, 2]}, ValueError, "columns must be in 0..3, not 4"),
        ({"columns": [[0, 3, 2]]}, ValueError, "columns must have shape (3,), not (1, 3)"),
        ({"columns": [3, 3, 2]}, ValueError, "row 0: columns must ascend after 3, not 3"),
        ({"columns": [3, 1, 2]}, ValueError, "row 0: columns must ascend after 3, not 1"),
        ({"lengths": [2, 0]}, ValueError, "values must have shape (2,), not (3,)"),
        ({"lengths": [3]}, ValueError, "lengths must have shape (2,), not (1,)"),
        ({"lengths": [5, -2]}, ValueError, "lengths must be in 0..4, not 5"),
        ({"lengths": [4, -1]}, ValueError, "lengths must be in 0..4, not -1"),
        ({"lengths": [2.0, 1.0]}, TypeError, "lengths must be integers, not float64"),
    ],
)
def test_refused_arrays(fields, error, text):
    good = {"shape": (2, 4), "values": [1, 2, 3], "columns": [0, 3, 2], "lengths": [2, 1]}
    assert Csr(**good).to_dense().tolist() == [[1, 0, 0, 2], [0, 0, 3, 0]]
    with pytest.raises(error) as caught:
        Csr(**{**good, **fields})
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("lanes", "error", "text"),
    [
        (0, ValueError, "lanes must be at least 1, not 0"),
        (2.0, TypeError, "lanes must be an int, not 2.0"),
        (True, TypeError, "lanes must be an int, not True"),
    ],
)
def test_refused_lanes(lanes, error, text):
    with pytest.raises(error) as caught:
        Csr.from_dense([[1]]).lengths_by_lane(lanes)
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("banks", "error", "text"),
    [
        ([0, 1], ValueError, "banks must have shape (3,), not (2,)"),
        ([0, -1, 1], ValueError, "banks must be in 0..2147483647, not -1"),
        ([0.0, 1.0, 1.0], TypeError, "banks must be integers, not float64"),
    ],
)
def test_refused_banks(banks, error, text):
    with pytest.raises(error) as caught:
        Csr.from_dense([[1, 0, 2]]).bank_counts(banks)
    assert str(caught.value) == text
