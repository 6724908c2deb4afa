import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_networks import random_network, random_vectors, reference

from darb.golden import EngineModel, IntegerLayer, IntegerNetwork, OutputMode, fit_config, pack
from darb.golden.packing import Pattern


def expected(network, vectors, mode):
    if mode is OutputMode.ACTIVATIONS:
        return reference(network, vectors, raw=False)
    sums = reference(network, vectors)
    if mode is OutputMode.ARGMAX:
        return np.array([[row.index(max(row))] for row in sums.tolist()])
    return sums


@given(st.data())
def test_outputs_are_those_of_plain_matrix_products(data):
    lanes = data.draw(st.sampled_from([1, 2, 4, 8, 16]))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    network = random_network(
        rng,
        data.draw(st.lists(st.integers(1, 40), min_size=2, max_size=5)),
        ks=data.draw(st.sampled_from([(0,), range(7), (2,), (6,)])),
        keeps=data.draw(st.sampled_from([(1,), (1, 2, 3, 4)])),
        weight_bits=data.draw(st.sampled_from([2, 4, 8])),
        activation_bits=data.draw(st.sampled_from([2, 4, 7, 8])),
        lanes=data.draw(st.sampled_from([None, lanes])),
        spare_columns=data.draw(st.sampled_from([0.0, 0.3])),
    )
    mode = data.draw(st.sampled_from(OutputMode))
    config = fit_config(
        network, lanes=lanes, rows=data.draw(st.sampled_from([1, 2, 4, 8])), output_mode=mode
    )
    vectors = random_vectors(rng, network, 6)
    got = EngineModel(pack(network, config)).run(vectors)
    assert got.tolist() == expected(network, vectors, mode).tolist()


def test_more_vectors_than_a_batch():
    rng = np.random.default_rng(5)
    network = random_network(rng, [30, 20, 10], spare_columns=0.2)
    vectors = random_vectors(rng, network, 1100)
    model = EngineModel(pack(network, fit_config(network, lanes=4, rows=2)))
    assert (model.run(vectors) == reference(network, vectors)).all()
    assert model.run(vectors[:0]).shape == (0, 10)


def test_the_widest_sums_do_not_wrap():
    """16,384 products of the largest magnitude and a bias, just inside 32 signed bits."""
    n = 16384
    layer = IntegerLayer(
        name="fc",
        weights=np.full((2, n), 127) * np.array([[1], [-1]]),
        bias=[2**31 - 1 - 127 * 128 * n, 0],
        multiplier=[65535, 65535],
        shift=[40, 40],
        relu=False,
        patterns=(Pattern(0),) * 2,
        columns=np.arange(n),
    )
    network = IntegerNetwork(layers=(layer,))
    config = fit_config(network, lanes=4, rows=1)
    assert config.accumulator_bits == 32
    vectors = np.array([[-128] * n, [127] * n])
    got = EngineModel(pack(network, config)).run(vectors)
    assert got.tolist() == reference(network, vectors).tolist()
    largest = 127 * 128 * n
    assert got.tolist()[0] == [2**31 - 1 - 2 * largest, largest]


def test_ties_go_to_the_first_row():
    layer = IntegerLayer(
        name="fc",
        weights=[[0], [1], [1]],
        bias=[0, 0, 0],
        multiplier=[0] * 3,
        shift=[1] * 3,
        relu=False,
        patterns=(Pattern(0),) * 3,
        columns=[0],
    )
    network = IntegerNetwork(layers=(layer,))
    image = pack(network, fit_config(network, lanes=1, rows=1, output_mode=OutputMode.ARGMAX))
    assert EngineModel(image).run(np.array([[3], [-3], [0]])).tolist() == [[1], [0], [0]]


@pytest.mark.parametrize(
    ("vectors", "error", "text"),
    [
        (np.zeros((2, 3)), TypeError, "input vectors must be integers, not float64"),
        (np.zeros((2, 4), int), ValueError, "input vectors must have shape (B, 3), not (2, 4)"),
        (
            np.array([[0, 0, 128]]),
            ValueError,
            "input vector 0, column 2 must be in -128..127, not 128",
        ),
    ],
)
def test_refused_vectors(vectors, error, text):
    network = random_network(np.random.default_rng(0), [3, 2])
    model = EngineModel(pack(network, fit_config(network, lanes=1, rows=1)))
    with pytest.raises(error) as caught:
        model.run(vectors)
    assert str(caught.value) == text
