import dataclasses

import numpy as np
import pytest
from forging import with_field, with_memory
from hypothesis import given
from hypothesis import strategies as st
from random_networks import random_network

from darb.golden import (
    EngineModel,
    ImageError,
    IntegerLayer,
    IntegerNetwork,
    Pattern,
    fit_config,
    pack,
    unpack,
)


def layer(name, weights, patterns, **changes):
    m, n = np.shape(weights)
    fields = {
        "name": name,
        "weights": weights,
        "bias": np.arange(m),
        "multiplier": [1 << 15] * m,
        "shift": [10] * m,
        "relu": False,
        "patterns": patterns,
        "columns": np.arange(n),
    }
    return IntegerLayer(**{**fields, **changes})


@pytest.fixture(scope="module")
def image():
    """Two layers; the first has two sections, the second ends its segment inside a block."""
    first = layer(
        "a",
        [[1, 2, 3, 4, 5, 6], [7, 0, 0, 8, 0, 0], [0, 9, 0, 0, 0, 9]],
        (Pattern(0), Pattern(2), Pattern(2)),
        relu=True,
    )
    second = layer("b", [[0, 5, 6]], (Pattern(1),))
    network = IntegerNetwork(layers=(first, second), weight_bits=6)
    return pack(network, fit_config(network, lanes=2, rows=2, hidden_depth=3))


def refusal(image):
    with pytest.raises(ImageError) as caught:
        unpack(image)
    return str(caught.value)


@pytest.mark.parametrize(
    ("word", "fields", "text"),
    [
        (1, {"version": 0}, "word 1: format version must be 1, not 0"),
        (1, {"version": 2}, "word 1: format version must be 1, not 2"),
        (1, {"sections": 0}, "word 1: sections must be in 1..3, not 0"),
        (1, {"sections": 4}, "word 1: sections must be in 1..3, not 4"),
        (1, {"input_beats": 2}, "word 1: input_beats must be 3, not 2"),
        (1, {"input_beats": 4}, "word 1: input_beats must be 3, not 4"),
        (1, {"outputs": 0}, "word 1: outputs must be 1, not 0"),
        (1, {"outputs": 2}, "word 1: outputs must be 1, not 2"),
        (1, {"spare": 1}, "word 1 is not what packing its own content gives"),
        (1, {"sections": 2}, "word 4: layer b must end with a section, not 'no more words'"),
        (2, {"k": 3}, "word 2: k must be at most 2, not 3"),
        (2, {"keep": 1}, "word 2: keep must be at most 1, not 2"),
        (2, {"period": 2}, "word 2: period must be 3, not 2"),
        (2, {"period": 4}, "word 2: period must be 3, not 4"),
        (2, {"lead": 0}, "word 2: lead must be 1, not 0"),
        (2, {"lead": 2}, "word 2: lead must be 1, not 2"),
        (2, {"per_word": 3}, "word 2: per_word must be 0, not 3"),
        (2, {"first_of_layer": 0}, "word 2: first_of_layer must be True, not 0"),
        (3, {"first_of_layer": 1}, "word 3: first_of_layer must be False, not 1"),
        (2, {"reads_input": 0}, "word 2: reads_input must be True, not 0"),
        (4, {"writes_output": 0}, "word 4: writes_output must be True, not 0"),
        (3, {"relu": 0}, "word 3: relu must be True, not 0"),
        (2, {"last_of_layer": 1}, "word 3: first_of_layer must be True, not 0"),
        (3, {"last_of_layer": 0}, "word 4: first_of_layer must be False, not 1"),
        (4, {"last_of_layer": 0}, "word 5: layer b must end with a section, not 'no more words'"),
        (3, {"spare": 1 << 28}, "word 3 is not what packing its own content gives"),
    ],
)
def test_layer_words(image, word, fields, text):
    assert refusal(with_field(image, "layers", word, **fields)) == f"layers.mem: {text}"


def test_a_section_longer_than_the_memories(image):
    text = refusal(with_field(image, "layers", 2, groups=1, period=2, lead=0))
    assert text == "weights.mem: the descriptors need 6 words, not 5"


@pytest.mark.parametrize(
    ("word", "fields", "text"),
    [
        (0, {"multiplier": 5}, "word 0: multiplier must be 0 or in 32768..65535, not 5"),
        (0, {"multiplier": 32767}, "word 0: multiplier must be 0 or in 32768..65535, not 32767"),
        (2, {"shift": 0}, "word 2: shift must be in 1..63, not 0"),
        (
            0,
            {"address": 3},
            "word 0: the destination must lie in the buffer after layer a, not at bank 0, addre",
        ),
        (0, {"bank": 1, "address": 1}, "word 0: the destination must lie in the buffer after lay"),
        (3, {"bank": 1, "address": 1}, "word 3: the destination must lie in the buffer after lay"),
        (0, {"bank": 1, "address": 0}, "word 3: the destination must be this row's own, not an e"),
        (2, {"address": 0}, "word 2: the destination must be this row's own, not an earlier row's"),
        (3, {"bank": 0, "address": 1}, "word 3: the destination must be this row's own, not an e"),
        (0, {"store": 0}, "layer a must store 3 rows, not 2"),
        (
            4,
            {"address": 1},
            "word 4: the destination must lie in the buffer after layer b, not at bank 0, addre",
        ),
        (4, {"bank": 1}, "word 4 is not what packing its own content gives"),
        (1, {"bias": 7}, "word 1 is not what packing its own content gives"),
        (5, {"bias": 1}, "word 5 is not what packing its own content gives"),
    ],
)
def test_row_words(image, word, fields, text):
    assert refusal(with_field(image, "rows", word, **fields)).startswith(f"rows.mem: {text}")


def test_where_a_destination_lies(image):
    text = refusal(with_field(image, "rows", 3, bank=1, address=2))
    assert text == (
        "rows.mem: word 3: the destination must lie in the buffer after layer a, "
        "not at bank 1, address 2"
    )


def test_more_weights_a_block_than_a_pattern_can_keep():
    """The descriptor's field, which counts less one, could say 256 where blocks are that large."""
    network = random_network(np.random.default_rng(0), [300, 2], ks=[8], keeps=[255], lanes=1)
    image = pack(network, fit_config(network, lanes=1, rows=1))
    assert unpack(image) == network.drop_dead_rows()
    forged = with_field(image, "layers", 2, keep=255)
    for read in (unpack, EngineModel):
        with pytest.raises(
            ImageError, match=r"^layers\.mem: word 2: keep must be at most 255, not 256$"
        ):
            read(forged)


def test_a_last_layer_whose_relu_would_be_lost(image):
    (last,) = image.layers[1:]
    layers = (image.layers[0], dataclasses.replace(last, relu=True))
    text = refusal(with_field(dataclasses.replace(image, layers=layers), "layers", 4, relu=1))
    assert text.startswith("the image contradicts itself: layer b: the last layer must be without")


def test_the_weight_code_that_is_not_used(image):
    words = image.memories["weights"].copy()
    words[3] = [0, 0, 0b100000 << 2 & 255]
    text = refusal(with_memory(image, "weights", words))
    assert text == "weights.mem: word 3: weight 3 must be in -31..31, not -32"


def test_an_index_past_its_segment(image):
    """Block 0 of the 3-column segments has room for indices up to 3."""
    words = image.memories["indices"].copy()
    words[0, 0] |= 3
    text = refusal(with_memory(image, "indices", words))
    assert text == (
        "indices.mem: layer a, packed row 0, lane 0, slot 0: index must stay below column 3, not 3"
    )


def test_an_index_past_the_activation_buffer(image):
    """Layer a has blocks of 4 in two segments of 3 columns: index 3 of the last is a seventh."""
    words = image.memories["indices"].copy()
    words[0] = 255
    text = r"^indices\.mem: layer a: a slot's column must be in 0\.\.5, not 6$"
    with pytest.raises(ImageError, match=text):
        EngineModel(with_memory(image, "indices", words)).run(np.zeros((1, 6), dtype=int))


def test_an_index_in_a_padding_slot(image):
    words = image.memories["indices"].copy()
    words[-1, -1] |= 0x80
    text = refusal(with_memory(image, "indices", words))
    assert text == "indices.mem: word 1 is not what packing its own content gives"


def test_a_digest_of_something_else(image):
    words = image.memories["layers"].copy()
    words[0, 0] ^= 1
    forged = dataclasses.replace(image, memories={**image.memories, "layers": words})
    assert refusal(forged) == "layers.mem: word 0 is not what packing its own content gives"


@given(st.data())
def test_whatever_the_words_say_they_are_refused_or_are_a_network(data):
    """Flip some bits, make the checksum right: never another exception, never a wrong reading."""
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    wide = data.draw(st.booleans())
    sizes = [300, 2] if wide else data.draw(st.lists(st.integers(1, 9), min_size=2, max_size=4))
    network = random_network(
        rng,
        sizes,
        ks=[8] if wide else range(4),
        keeps=[255] if wide else (1, 2),
        weight_bits=4,
        spare_columns=0.3,
    )
    image = pack(network, fit_config(network, lanes=2, rows=2))
    name = data.draw(st.sampled_from(sorted(image.memories)))
    words = image.memories[name].copy()
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, words.size - 1))
        words.flat[at] ^= 1 << data.draw(st.integers(0, 7))
    forged = with_memory(image, name, words)
    try:
        found = unpack(forged)
    except ImageError:
        return
    for memory, content in pack(found, image.config).memories.items():
        assert (content == forged.memories[memory]).all()


def test_the_engine_model_refuses_what_the_walk_refuses(image):
    with pytest.raises(ImageError, match=r"^layers\.mem: word 2: k must be at most 2, not 3$"):
        EngineModel(with_field(image, "layers", 2, k=3))
