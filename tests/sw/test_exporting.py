import math
import re
from dataclasses import replace

import numpy as np
import pytest
from random_networks import random_network, random_vectors, reference

from darb.golden import OutputMode, fit_config, read_image, read_vectors, schedule, unpack
from darb.sw.exporting import export


@pytest.fixture
def network():
    return random_network(np.random.default_rng(7), (20, 12, 6), ks=(0, 1, 2))


def test_the_image_holds_the_network_and_its_golden_vectors(network, tmp_path):
    inputs = random_vectors(np.random.default_rng(8), network, 5)
    written = export(network, tmp_path / "image", lanes=4, rows=2, vectors=inputs)
    image = read_image(written)
    assert unpack(image) == network.drop_dead_rows()
    stored = read_vectors(written)
    assert np.array_equal(stored["inputs"], inputs)
    assert np.array_equal(stored["outputs"], reference(network, inputs))
    assert np.array_equal(stored["cycles"], np.full(5, schedule(image).cycles))


def test_a_network_that_ends_in_a_relu_needs_a_mode_that_keeps_it(network, tmp_path):
    *others, last = network.layers
    ending = replace(network, layers=(*others, replace(last, relu=True)))
    for mode in ("accumulators", "argmax"):
        with pytest.raises(ValueError) as caught:  # noqa: PT011 - the text is compared whole
            export(ending, tmp_path / "image", lanes=2, rows=2, output_mode=mode)
        assert str(caught.value) == (
            f"layer {last.name}: the last layer must be without a ReLU, which only output_mode "
            f"activations applies, not {mode!r}"
        )
        assert not (tmp_path / "image").exists()
    inputs = random_vectors(np.random.default_rng(9), ending, 4)
    written = export(
        ending, tmp_path / "image", lanes=2, rows=2, output_mode="activations", vectors=inputs
    )
    outputs = read_vectors(written)["outputs"]
    assert np.array_equal(outputs, reference(ending, inputs, raw=False))


def test_without_vectors_random_ones_are_stored(network, tmp_path):
    stored = read_vectors(export(network, tmp_path / "image", lanes=2, rows=2))
    assert stored["inputs"].shape == (16, 20)
    assert np.array_equal(stored["outputs"], reference(network, stored["inputs"]))


def test_real_vectors_are_scaled(network, tmp_path):
    real = np.linspace(-1, 1, 40).reshape(2, 4, 5)
    stored = read_vectors(export(network, tmp_path / "image", lanes=2, rows=2, vectors=real))
    scaled = np.clip(np.rint(real.reshape(2, 20) / network.input_scale), -128, 127)
    assert np.array_equal(stored["inputs"], scaled)


def test_the_output_mode_and_the_formats_are_passed_on(network, tmp_path):
    written = export(
        network, tmp_path / "image", lanes=2, rows=1, output_mode="argmax", formats=["coe", "bin"]
    )
    assert read_image(written).config.output_mode is OutputMode.ARGMAX
    assert {path.name for path in written.iterdir()} == {
        *("image.json", "vectors.npz"),
        *(
            f"{name}.{kind}"
            for name in ("weights", "indices", "rows", "layers")
            for kind in ("mem", "coe", "bin")
        ),
    }


def test_like_takes_the_config_of_another_image(network, tmp_path):
    first = export(network, tmp_path / "first", lanes=4, rows=2)
    other = random_network(np.random.default_rng(9), (20, 12, 6), ks=(2,))
    second = export(other, tmp_path / "second", like=first)
    assert read_image(second).config == read_image(first).config
    assert unpack(read_image(second)) == other.drop_dead_rows()


def test_room_makes_an_engine_for_larger_networks(network, tmp_path):
    first = export(network, tmp_path / "first", lanes=4, rows=2, room=1.6)
    tight, roomy = fit_config(network, lanes=4, rows=2), read_image(first).config
    assert roomy.weight_depth == math.ceil(1.6 * tight.weight_depth)
    assert (roomy.accumulator_bits, roomy.max_k) == (32, 6)
    wider = random_network(np.random.default_rng(9), (28, 16, 9), ks=(1, 2))
    second = export(wider, tmp_path / "second", like=first)
    stored = read_vectors(second)
    assert np.array_equal(stored["outputs"], reference(wider, stored["inputs"]))


def test_a_network_that_does_not_fit_is_refused_and_nothing_written(network, tmp_path):
    first = export(network, tmp_path / "first", lanes=4, rows=2)
    wider = random_network(np.random.default_rng(9), (40, 12, 6), ks=(2,))
    with pytest.raises(ValueError, match=r"input_depth must be at least 12 for this network, not"):
        export(wider, tmp_path / "second", like=first)
    assert [path.name for path in tmp_path.iterdir()] == ["first"]


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({}, TypeError, "lanes and rows must be given where no config is"),
        ({"lanes": 4}, TypeError, "lanes and rows must be given where no config is"),
        ({"lanes": 3, "rows": 1}, ValueError, "lanes must be a power of two, not 3"),
        (
            {"lanes": 2, "rows": 1, "room": 0.5},
            ValueError,
            "room must be in 1..16, not 0.5",
        ),
        ({"lanes": 2, "rows": 1, "room": "2"}, TypeError, "room must be a number, not '2'"),
        (
            {"lanes": 2, "rows": 1, "output_mode": "floats"},
            ValueError,
            "output_mode must be one of activations, accumulators, argmax, not 'floats'",
        ),
        (
            {"lanes": 2, "rows": 1, "formats": ("elf",)},
            ValueError,
            "formats must be among ['bin', 'coe', 'mif'], not 'elf'",
        ),
        (
            {"lanes": 2, "rows": 1, "vectors": np.zeros((3, 19), dtype=int)},
            ValueError,
            "inputs must have shape (B, 20), not (3, 19)",
        ),
        (
            {"lanes": 2, "rows": 1, "vectors": np.full((1, 20), 128)},
            ValueError,
            "input vector 0, column 0 must be in -128..127, not 128",
        ),
        (
            {"lanes": 2, "rows": 1, "vectors": np.array([["a"] * 20])},
            TypeError,
            "inputs must be real numbers, not <U1",
        ),
    ],
)
def test_refusals_write_nothing(network, tmp_path, settings, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        export(network, tmp_path / "image", **settings)
    assert list(tmp_path.iterdir()) == []


def test_a_config_excludes_what_contradicts_it(network, tmp_path):
    config = fit_config(network, lanes=4, rows=2)
    with pytest.raises(TypeError, match=r"^config and like exclude each other$"):
        export(network, tmp_path / "image", config=config, like=tmp_path)
    with pytest.raises(ValueError, match=r"^lanes must be the config's 4, not 2$"):
        export(network, tmp_path / "image", config=config, lanes=2)
    with pytest.raises(
        ValueError, match=r"^output_mode must be the config's accumulators, not 'argmax'$"
    ):
        export(network, tmp_path / "image", config=config, output_mode="argmax")
    assert export(network, tmp_path / "image", config=config, lanes=4).is_dir()


def test_something_that_is_no_network_is_refused(tmp_path):
    with pytest.raises(TypeError, match=r"^network must be an IntegerNetwork, not 'dict'$"):
        export({}, tmp_path / "image", lanes=1, rows=1)


def test_a_directory_with_something_else_in_it_is_left_alone(network, tmp_path):
    (tmp_path / "precious.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"must be a new directory, an empty one or one"):
        export(network, tmp_path, lanes=1, rows=1)
    assert [path.name for path in tmp_path.iterdir()] == ["precious.txt"]


def test_room_and_a_config_exclude_each_other(tmp_path):
    network = random_network(np.random.default_rng(0), (8, 4))
    config = fit_config(network, lanes=2, rows=1)
    text = r"^room must be left out where a config is given, not 2$"
    with pytest.raises(ValueError, match=text):
        export(network, tmp_path / "image", config=config, room=2)
