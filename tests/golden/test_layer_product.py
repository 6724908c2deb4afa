import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darb.golden import layer_product
from darb.golden.layer_product import LayerProduct, _pieces

EXACT = 1 << 24


def plain(sections, columns, activations):
    """The sums by one matrix of Python-sized integers, slot after slot."""
    sums = []
    for weights, positions in sections:
        for row, places in zip(weights.tolist(), positions.tolist(), strict=True):
            dense = np.zeros(columns, dtype=np.int64)
            for weight, place in zip(row, places, strict=True):
                dense[place] += weight
            sums.append(dense @ activations.astype(np.int64))
    return np.array(sums, dtype=np.int64).reshape(len(sums), activations.shape[1])


@given(st.data())
def test_the_product_of_any_slots(data):
    """Few and many slots a column, several on one column, rows in one piece and in many."""
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    columns, batch = data.draw(st.integers(1, 80)), data.draw(st.integers(0, 5))
    bits = data.draw(st.sampled_from([2, 4, 8]))
    limit = data.draw(st.sampled_from([1, 7, 127]))
    half = 1 << (bits - 1)
    sections = []
    for _ in range(data.draw(st.integers(1, 4))):
        shape = data.draw(st.integers(0, 5)), data.draw(st.integers(1, 40))
        weights = rng.choice([-limit, 0, limit, int(rng.integers(-limit, limit + 1))], shape)
        sections.append((weights.astype(np.int8), rng.integers(0, columns, shape)))
    activations = rng.choice([-half, half - 1, 0, -1], (columns, batch)).astype(np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layer_product, "_EXACT", data.draw(st.sampled_from([EXACT, half << 8])))
        patch.setattr(layer_product, "_MOST_CELLS", data.draw(st.sampled_from([1, 64, 1 << 17])))
        product = LayerProduct(sections, columns=columns, activation_bits=bits)
        got = product @ activations
    assert got.dtype == np.int64
    assert got.tolist() == plain(sections, columns, activations).tolist()


@given(st.data())
def test_no_piece_can_leave_what_is_exact(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    bits = data.draw(st.sampled_from([2, 8]))
    shape = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 60))
    weights = rng.integers(-127, 128, shape).astype(np.int8)
    exact = 256 << (bits - 1) << data.draw(st.integers(0, 6))
    total = np.zeros(shape, dtype=np.int64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layer_product, "_EXACT", exact)
        for piece in _pieces(weights, np.zeros(shape, dtype=int), bits):
            magnitude = np.abs(piece.weights.astype(np.int64)).sum(axis=1).max() << (bits - 1)
            assert magnitude <= exact
            total[piece.rows] += piece.weights
    assert (total == weights).all()


@pytest.mark.parametrize(
    ("apart", "kind"), [(1, "_DenseRows"), (16, "_DenseRows"), (17, "_SlotRows")]
)
@pytest.mark.parametrize("sign", [-1, 1])
def test_sums_around_the_last_integer_that_float32_holds(apart, kind, sign):
    """Sums of 2**24 - 1, 2**24 and 2**24 + 1; the last is what float32 alone gets wrong."""
    columns = 20000
    assert int(np.float32(EXACT + 1)) == EXACT
    weights = np.full((3, 1034), 127)
    weights[:, 1032:] = [[8, -1], [8, 0], [8, 1]]
    activations = np.full((columns, 2), -128, dtype=np.float32)
    activations[1033 * apart] = -1
    positions = np.broadcast_to(np.arange(1034) * apart, weights.shape)
    product = LayerProduct(
        [((sign * weights).astype(np.int8), positions)], columns=columns, activation_bits=8
    )
    assert {type(part).__name__ for part in product._parts} == {kind}
    expected = [-sign * (EXACT + more) for more in (-1, 0, 1)]
    assert (product @ activations).tolist() == [[value] * 2 for value in expected]


@pytest.mark.parametrize(("last", "pieces"), [(0, 1), (1, 2)])
def test_a_row_is_cut_only_where_it_must_be(last, pieces):
    weights = np.full((2, 1033), 127, dtype=np.int8)
    weights[:, 1031:] = [[7, last], [0, 0]]
    found = list(_pieces(weights, np.zeros(weights.shape, dtype=int), 8))
    assert np.abs(weights[0].astype(int)).sum() == (EXACT >> 7) - 128 + last
    assert [piece.number for piece in found] == [0, 1][:pieces]
    assert [piece.rows.tolist() for piece in found] == [[0, 1], [0]][:pieces]
    assert (found[0].weights[1] == weights[1]).all()


def test_rows_without_a_weight():
    nothing = np.zeros((2, 3), dtype=np.int8), np.zeros((2, 3), dtype=int)
    something = np.array([[0, -5]], dtype=np.int8), np.array([[0, 2]])
    product = LayerProduct([nothing, something, nothing], columns=40, activation_bits=8)
    sums = product @ np.full((40, 2), 7, dtype=np.float32)
    assert sums.tolist() == [[0, 0], [0, 0], [-35, -35], [0, 0], [0, 0]]


def test_a_column_that_there_is_not():
    slots = np.ones((1, 2), dtype=np.int8), np.array([[0, 3]])
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the text is compared whole
        LayerProduct([slots], columns=3, activation_bits=8)
    assert str(caught.value) == "a slot's column must be in 0..2, not 3"
