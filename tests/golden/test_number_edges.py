from dataclasses import replace

import numpy as np
import pytest
from random_networks import random_network

from darb.golden import IntegerNetwork, OutputMode, fit_config, pack, unpack
from darb.golden.fixed_point import accumulator_magnitude
from darb.golden.number_edges import (
    extreme_network,
    extreme_scales,
    extreme_vectors,
    extreme_weights,
    full_accumulators,
)
from darb.golden.random_config import common_config, random_config
from darb.golden.reference import reference


def network_of(seed):
    rng = np.random.default_rng(seed)
    return rng, random_network(rng, [23, 40, 9], weight_bits=6, activation_bits=5, lanes=4)


def test_rows_of_largest_smallest_both_and_no_weights():
    rng, network = network_of(1)
    layer = extreme_weights(rng, network.layers[0], 6)
    assert set(np.unique(layer.weights).tolist()) == {-31, 0, 31}
    kinds = {tuple(np.unique(row[row != 0]).tolist()) for row in layer.weights}
    assert kinds == {(), (31,), (-31,), (-31, 31)}
    assert not layer.weights[network.layers[0].weights == 0].any()


@pytest.mark.parametrize("bits", [None, 32])
def test_accumulators_are_full_and_extreme_vectors_fill_them(bits):
    rng, network = network_of(2)
    layer = full_accumulators(rng, extreme_weights(rng, network.layers[0], 6), 5, bits)
    reached = set()
    alone = IntegerNetwork(layers=(layer,), weight_bits=6, activation_bits=5)
    sums = reference(alone, np.full((1, 23), -16))
    for row, weights in enumerate(layer.weights):
        size = accumulator_magnitude(weights[None], layer.bias[row : row + 1], 5)
        null = layer.multiplier[row] == 0
        assert size == 0 if null else size & (size + 1) == 0
        assert null or size.bit_length() == ((bits or size.bit_length() + 1) - 1)
        # What weights of one sign fill, the smallest activation alone fills.
        if (weights >= 0).all() or (weights <= 0).all():
            assert abs(sums[0, row]) == size
        if not null and sums[0, row] == size:
            reached.add(1)
        if not null and sums[0, row] == -size:
            reached.add(-1)
    assert reached == {-1, 1}


def test_accumulators_that_cannot_hold_the_products_are_refused():
    rng, network = network_of(3)
    layer = extreme_weights(rng, network.layers[0], 6)
    with pytest.raises(ValueError, match=r"^bits must be at least \d+ for row \d+, not 8$"):
        full_accumulators(rng, layer, 5, 8)


def test_scales_at_their_limits():
    rng, network = network_of(4)
    layer = extreme_scales(rng, network.layers[0])
    assert set(layer.multiplier.tolist()) <= {0, 32768, 65535}
    changed = layer.shift != network.layers[0].shift
    assert set(layer.shift[changed].tolist()) == {1, 15, 16, 63}
    assert np.array_equal(layer.multiplier == 0, network.layers[0].multiplier == 0)


def test_vectors_hold_the_extremes_alone_and_reach_both_ends():
    rng, network = network_of(5)
    vectors = extreme_vectors(rng, network, 60)
    assert set(np.unique(vectors).tolist()) == {-16, 15}
    weights = network.layers[0].weights.astype(int)
    products = vectors @ weights.T
    most = np.where(weights > 0, 15 * weights, -16 * weights).sum(axis=1)
    least = np.where(weights > 0, -16 * weights, 15 * weights).sum(axis=1)
    assert (products == most).any()
    assert (products == least).any()


@pytest.mark.parametrize("seed", range(20))
def test_a_random_config_holds_its_networks_and_every_edge_is_packed_exactly(seed):
    rng = np.random.default_rng(seed)
    networks = [
        extreme_network(rng, random_network(rng, sizes, activation_bits=5, lanes=2))
        for sizes in ([9, 5, 4], [3, 7])
    ]
    config = random_config(rng, networks, lanes=2, rows=4)
    smallest = common_config(networks, lanes=2, rows=4, index_word_bits=config.index_word_bits)
    for name, value in smallest.to_dict().items():
        if name != "output_mode":
            assert getattr(config, name) >= value, f"seed {seed}: {name}"
    for network in networks:
        kept = network.drop_dead_rows().layers
        assert unpack(pack(network, config)).layers == kept, f"seed {seed}"


@pytest.mark.parametrize(
    ("relus", "modes"), [((False, True), {"activations"}), ((True, False), set(OutputMode))]
)
def test_a_relu_in_the_last_layer_asks_for_activations(relus, modes):
    _, network = network_of(7)
    pairs = zip(network.layers, relus, strict=True)
    network = replace(network, layers=tuple(replace(layer, relu=relu) for layer, relu in pairs))
    found = {
        random_config(np.random.default_rng(seed), [network], lanes=4, rows=2).output_mode
        for seed in range(20)
    }
    assert found == {OutputMode(mode) for mode in modes}


def test_a_common_config_is_one_networks_where_there_is_but_one():
    _, network = network_of(6)
    fitted = fit_config(network, lanes=4, rows=2)
    assert common_config([network], lanes=4, rows=2) == fitted
