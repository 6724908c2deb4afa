import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_networks import random_network

from darb.golden import (
    IntegerLayer,
    IntegerNetwork,
    Pattern,
    PatternMisfitError,
    fit_config,
    pack,
    unpack,
)
from darb.golden.formats import Csr, StorageBits, packed_storage
from darb.golden.memory_map import HEADER_WORDS, LAYER_WORD_BITS


def one_layer(weights, patterns):
    m, n = np.shape(weights)
    layer = IntegerLayer(
        name="fc",
        weights=weights,
        bias=[0] * m,
        multiplier=[0] * m,
        shift=[1] * m,
        relu=False,
        patterns=tuple(patterns),
        columns=np.arange(n),
    )
    return IntegerNetwork(layers=(layer,))


@st.composite
def cases(draw):
    """A network and the arguments of an engine."""
    seed = draw(st.integers(0, 2**32))
    sizes = draw(st.lists(st.integers(1, 40), min_size=2, max_size=4))
    arguments = {
        "lanes": draw(st.sampled_from([1, 2, 4, 8])),
        "rows": draw(st.sampled_from([1, 2, 4])),
        "index_word_bits": draw(st.sampled_from([5, 12, 13])),
    }
    network = random_network(
        np.random.default_rng(seed),
        sizes,
        ks=draw(st.lists(st.integers(0, 5), min_size=1, max_size=3)),
        keeps=draw(st.sampled_from([[1], [1, 2, 3]])),
        weight_bits=draw(st.integers(2, 8)),
        spare_columns=draw(st.sampled_from([0.0, 0.3])),
    )
    return network, arguments


@given(cases())
def test_the_items_add_up_to_the_memories(case):
    """The smallest engine has no word to spare, so its memories are what the layers take."""
    network, arguments = case
    config = fit_config(network, **arguments)
    total = sum(storage.total for storage in packed_storage(network, **arguments))
    # An engine without indices has one word for them all the same.
    index_words = config.index_depth if config.max_k else 0
    assert total == (
        config.weight_depth * config.multipliers * config.weight_bits
        + index_words * config.multipliers * config.index_word_bits
        + (config.layer_depth - HEADER_WORDS) * LAYER_WORD_BITS
    )


@given(cases())
def test_weights_and_their_indices_are_counted_in_what_the_image_gives_back(case):
    network, arguments = case
    stored = unpack(pack(network, fit_config(network, **arguments)))
    storages = packed_storage(network, **arguments)
    for layer, storage in zip(stored.layers, storages, strict=True):
        counts = [sum(1 for weight in row if weight) for row in layer.weights]
        assert storage.values == sum(counts) * network.weight_bits
        assert storage.indices == sum(
            count * pattern.k for count, pattern in zip(counts, layer.patterns, strict=True)
        )


def test_a_layer_worked_by_hand():
    """Two lanes of four columns, two rows at once, blocks of four: k = 2, one slot a lane."""
    weights = [
        [0, 1, 0, 0, 2, 0, 0, 0],
        [3, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 4, 0, 0, 5, 0],
    ]
    (found,) = packed_storage(one_layer(weights, [Pattern(2)] * 3), lanes=2, rows=2)
    # Two groups of two rows: 8 slots of 8 bits, and one index word of 4 fields of 12 bits.
    assert found == StorageBits(
        values=5 * 8, indices=5 * 2, pointers=96, padding=8 * 8 + 48 - 5 * 8 - 5 * 2
    )


def test_a_dense_layer_is_padding_where_it_is_zero():
    weights = np.zeros((4, 8), dtype=int)
    weights[1, 3:6] = 1
    (found,) = packed_storage(one_layer(weights, [Pattern(0)] * 4), lanes=2, rows=2)
    assert found == StorageBits(values=24, indices=0, pointers=96, padding=29 * 8)
    assert found.values == Csr.from_dense(weights).storage().values


def test_refusals_are_those_of_the_packer():
    network = one_layer([[1, 1]], [Pattern(1)])
    with pytest.raises(PatternMisfitError, match=r"^row 0, columns 0\.\.1 must hold at most 1"):
        packed_storage(network, lanes=1, rows=1)
    with pytest.raises(ValueError, match=r"^lanes must be a power of two, not 3$"):
        packed_storage(network, lanes=3, rows=1)
    with pytest.raises(TypeError, match=r"^rows must be an int, not 1\.0$"):
        packed_storage(network, lanes=1, rows=1.0)
