import numpy as np
import pytest
from random_networks import random_network

from darb.golden import fit_config, loading_writes, pack
from darb.golden.image import Image
from darb.golden.loading import used_words, writes_a_word
from darb.golden.memory_map import MEMORIES, depth_field, memory_shapes
from darb.golden.register_map import REGISTERS

ROOM = {"weight_depth": 999, "index_depth": 99, "row_depth": 99, "layer_depth": 50}


def carry_out(writes, config):
    """Return the memories after `writes`, as the register map says that they act."""
    shapes = memory_shapes(config)
    memories = {name: [0] * depth for name, (depth, _) in shapes.items()}
    name, word, pieces = None, 0, []
    for address, value in writes.tolist():
        if address == REGISTERS["load_place"]:
            assert not pieces
            name, word = MEMORIES[value >> 28], value & 0xFFFFFFF
            continue
        assert address == REGISTERS["load_data"]
        pieces.append(value)
        if len(pieces) == -(-shapes[name][1] // 32):
            memories[name][word] = sum(piece << 32 * n for n, piece in enumerate(pieces))
            word, pieces = word + 1, []
    assert not pieces
    return memories


@pytest.mark.parametrize("seed", range(8))
def test_the_writes_make_the_memories(seed):
    rng = np.random.default_rng(seed)
    network = random_network(rng, [17, 9, 5], weight_bits=[2, 3, 8][seed % 3], keeps=(1, 2))
    lanes, rows = 1 << seed % 3, 1 << seed // 3
    fields = {"index_word_bits": 12 + seed, **(ROOM if seed % 2 else {})}
    image = pack(network, fit_config(network, lanes=lanes, rows=rows, **fields))
    writes = loading_writes(image)
    assert writes.dtype == np.uint32
    expected = {
        name: [int.from_bytes(word.tobytes(), "little") for word in words]
        for name, words in image.memories.items()
    }
    assert carry_out(writes, image.config) == expected


def test_used_words_are_the_smallest_depths():
    network = random_network(np.random.default_rng(5), [30, 12, 6])
    smallest = fit_config(network, lanes=4, rows=2)
    used = used_words(pack(network, fit_config(network, lanes=4, rows=2, **ROOM)))
    assert used == {name: getattr(smallest, depth_field(name)) for name in MEMORIES}


def test_a_dense_network_writes_no_indices():
    network = random_network(np.random.default_rng(5), [8, 3], ks=(0,))
    image = pack(network, fit_config(network, lanes=2, rows=1))
    assert isinstance(image, Image)
    assert used_words(image)["indices"] == 0
    writes = loading_writes(image)
    places = writes[writes[:, 0] == REGISTERS["load_place"], 1] >> 28
    assert places.tolist() == [0, 2, 3]


def test_writes_a_word():
    assert [writes_a_word(width) for width in (1, 32, 33, 96)] == [1, 1, 2, 3]
