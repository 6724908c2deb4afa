import numpy as np
import pytest
from random_networks import random_network


@pytest.mark.parametrize("seed", range(3))
def test_some_rows_take_the_extreme_shifts_and_some_are_null(seed):
    network = random_network(np.random.default_rng(seed), [6, 500])
    (layer,) = network.layers
    values, counts = np.unique(layer.shift, return_counts=True)
    assert values[0] == 1, f"seed {seed}"
    assert values[-1] == 63, f"seed {seed}"
    # What the sums ask for lies between.
    assert counts[1:-1].sum() > 400, f"seed {seed}"
    null = layer.multiplier == 0
    assert 0 < null.sum() < 100, f"seed {seed}"
    assert not layer.weights[null].any(), f"seed {seed}"
    assert not layer.bias[null].any(), f"seed {seed}"


@pytest.mark.parametrize("bits", [2, 5, 8])
def test_weights_take_every_value(bits):
    network = random_network(np.random.default_rng(bits), [60, 400], ks=[0], weight_bits=bits)
    most = 2 ** (bits - 1) - 1
    assert np.unique(network.layers[0].weights).tolist() == list(range(-most, most + 1))
