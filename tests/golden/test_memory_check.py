"""The CRC of image memories, from the words one by one."""

import zlib

import numpy as np
from random_networks import random_network

from darb.golden import check_clocks, check_requests, fit_config, memory_crcs, pack
from darb.golden.memory_map import MEMORIES, memory_shapes


def image_of(seed, ks, **fields):
    network = random_network(np.random.default_rng(seed), [20, 9, 5], ks=ks)
    return pack(network, fit_config(network, lanes=2, rows=2, **fields))


def test_words_that_the_engine_reads_and_no_other_count():
    image = image_of(1, (1, 3))
    roomy = image_of(1, (1, 3), weight_depth=500, index_depth=300, row_depth=90, layer_depth=40)
    # The digest, in the layer memory, is that of the config too.
    assert {**memory_crcs(image), "layers": 0} == {**memory_crcs(roomy), "layers": 0}
    assert check_requests(image) == check_requests(roomy)
    for name, words in roomy.memories.items():
        before = memory_crcs(roomy)
        count = check_requests(roomy)[name] & 0xFFFFFFF
        assert before[name] == zlib.crc32(b"".join(w.tobytes() for w in words[:count]))
        words[count] ^= 1
        assert memory_crcs(roomy) == before
        if name == "layers":
            continue
        words[count - 1, 0] ^= 1
        changed = memory_crcs(roomy)
        assert [each for each in MEMORIES if changed[each] != before[each]] == [name]
        words[count - 1, 0] ^= 1


def test_clocks_and_requests():
    image = image_of(2, (2,))
    shapes = memory_shapes(image.config)
    for number, (name, request) in enumerate(check_requests(image).items()):
        assert request >> 28 == number == MEMORIES.index(name)
        size = image.memories[name].shape[1]
        assert size == -(-shapes[name][1] // 8)
        assert check_clocks(image)[name] == (request & 0xFFFFFFF) * (size + 3)


def test_a_memory_of_which_nothing_is_read_is_left_out():
    image = image_of(3, (0,))
    expected = ["weights", "rows", "layers"]
    assert [*memory_crcs(image)] == [*check_requests(image)] == [*check_clocks(image)] == expected
