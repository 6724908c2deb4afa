import dataclasses

import numpy as np
import pytest
from random_networks import random_network, random_vectors, reference

from darb.golden import (
    EngineModel,
    ImageError,
    IntegerNetwork,
    OutputMode,
    PatternMisfitError,
    fit_config,
    pack,
    repack,
    unpack,
)


@pytest.fixture
def network():
    return random_network(np.random.default_rng(6), [40, 20, 7], keeps=(1, 2))


@pytest.fixture
def image(network):
    return pack(network, fit_config(network, lanes=4, rows=2))


def roomy(network, **fields):
    """Return the config of an engine with room for more than `network`."""
    room = {"weight_depth": 900, "index_depth": 300, "row_depth": 90, "layer_depth": 40}
    room |= {"input_depth": 200, "hidden_depth": 100, "output_depth": 50, "accumulator_bits": 32}
    return fit_config(network, **{"lanes": 4, "rows": 2, "max_k": 9, **room, **fields})


def test_the_same_engine_gives_the_same_image(image):
    again = repack(image, image.config)
    assert again.digest == image.digest
    assert all(
        np.array_equal(again.memories[name], image.memories[name]) for name in again.memories
    )


@pytest.mark.parametrize(
    "fields", [{}, {"lanes": 1, "rows": 1}, {"lanes": 8, "rows": 4}, {"index_word_bits": 31}]
)
def test_an_engine_with_room_computes_the_same(network, image, fields):
    config = roomy(network, **fields)
    again = repack(image, config)
    assert again.config == config
    assert unpack(again) == network.drop_dead_rows()
    vectors = random_vectors(np.random.default_rng(1), network, 5)
    assert np.array_equal(EngineModel(again).run(vectors), reference(network, vectors))


def test_narrow_weights_fit_wider_multipliers():
    network = random_network(np.random.default_rng(2), [12, 5], weight_bits=3)
    image = pack(network, fit_config(network, lanes=2, rows=1))
    again = repack(image, dataclasses.replace(image.config, weight_bits=8))
    vectors = random_vectors(np.random.default_rng(1), network, 4)
    assert np.array_equal(EngineModel(again).run(vectors), reference(network, vectors))


def test_the_engines_output_mode_holds(network, image):
    again = repack(image, dataclasses.replace(image.config, output_mode=OutputMode.ARGMAX))
    vectors = random_vectors(np.random.default_rng(1), network, 5)
    expected = reference(network, vectors).argmax(axis=1)
    assert EngineModel(again).run(vectors).ravel().tolist() == expected.tolist()


def test_all_that_does_not_fit_is_listed(network, image):
    fields = {"accumulator_bits": 8, "max_k": 2, "weight_depth": 3, "index_depth": 2}
    fields |= {"row_depth": 4, "layer_depth": 3, "input_depth": 5, "hidden_depth": 4}
    fields |= {"output_depth": 6}
    small = dataclasses.replace(image.config, **fields, activation_bits=7, weight_bits=6)
    with pytest.raises(ValueError, match=r"^the image does not fit the engine: ") as failure:
        repack(image, small)
    needs = {**image.config.to_dict(), "weight_bits": 8}
    said = str(failure.value).split(": ", 1)[1].split("; ")
    expected = {f"{name} needs {needs[name]}, has {value}" for name, value in fields.items()}
    assert set(said) == expected | {
        "weight_bits needs 8, has 6",
        "activation_bits needs exactly 8, has 7",
    }


def test_activations_of_fewer_bits_do_not_fit_either():
    network = random_network(np.random.default_rng(1), [6, 3], activation_bits=5)
    image = pack(network, fit_config(network, lanes=2, rows=1))
    wider = dataclasses.replace(image.config, activation_bits=6)
    with pytest.raises(ValueError, match=r": activation_bits needs exactly 5, has 6$"):
        repack(image, wider)


def test_one_word_less_does_not_fit_and_one_more_does(image):
    for name in ("weight_depth", "index_depth", "row_depth", "layer_depth", "output_depth"):
        need = getattr(image.config, name)
        assert repack(image, dataclasses.replace(image.config, **{name: need + 1}))
        message = rf"^the image does not fit the engine: {name} needs {need}, has {need - 1}$"
        with pytest.raises(ValueError, match=message):
            repack(image, dataclasses.replace(image.config, **{name: need - 1}))


def test_blocks_larger_than_index_words_allow(image):
    tiny = dataclasses.replace(image.config, index_word_bits=1, max_k=1, index_depth=5000)
    with pytest.raises(
        ValueError, match=r"^the image does not fit the engine: max_k needs 6, has 1$"
    ):
        repack(image, tiny)


def test_a_relu_that_the_engine_would_lose():
    network = random_network(np.random.default_rng(2), [12, 5])
    layer = dataclasses.replace(network.layers[0], relu=True)
    network = IntegerNetwork(layers=(layer,))
    config = fit_config(network, lanes=2, rows=1, output_mode=OutputMode.ACTIVATIONS)
    image = pack(network, config)
    message = "output_mode needs activations for the last layer's ReLU, has argmax$"
    with pytest.raises(ValueError, match=message):
        repack(image, dataclasses.replace(config, output_mode=OutputMode.ARGMAX))


def test_blocks_of_other_lanes():
    network = random_network(np.random.default_rng(4), [52, 9], ks=(3,), lanes=8)
    image = pack(network, fit_config(network, lanes=8, rows=1))
    with pytest.raises(
        PatternMisfitError, match=r"row \d+, columns \d+\.\.\d+ must hold at most 1"
    ):
        repack(image, dataclasses.replace(image.config, lanes=1, input_depth=52, weight_depth=999))


def test_refusals(image):
    with pytest.raises(TypeError, match=r"^config must be an EngineConfig, not {}$"):
        repack(image, {})
    image.memories["weights"][0, 0] ^= 1
    with pytest.raises(ImageError, match=r"layers\.mem: word 0 is not what packing"):
        repack(image, image.config)
