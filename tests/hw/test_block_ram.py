"""Finding and exchanging memory contents in block RAMs, however synthesis laid them out."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darb.hw.boards.devices import Family
from darb.hw.flow.block_ram import (
    NotInBlockRamError,
    exchange,
    locate,
    random_contents,
    read_contents,
    to_bits,
    to_words,
)
from darb.hw.flow.block_ram_text import CONTENTS_TEXTS

GEOMETRIES = {"ecp5": (512, 36), "ice40": (256, 16), "gowin": (512, 36)}


def lay_out(rng, bits, rows, columns, stride):
    """Return block RAMs in which `stride` words of `bits` share a row; columns in random order."""
    word_bits = columns // stride
    blocks = []
    for base in range(0, len(bits), rows * stride):
        for low in range(0, bits.shape[1], word_bits):
            block = np.zeros((rows, columns), dtype=bool)
            order = rng.permutation(columns)
            part = bits[base : base + rows * stride, low : low + word_bits]
            for offset in range(stride):
                words = part[offset::stride]
                for bit in range(words.shape[1]):
                    block[: len(words), order[offset * word_bits + bit]] = words[:, bit]
            blocks.append(block)
    return blocks


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 2**32 - 1),
    geometry=st.sampled_from(list(GEOMETRIES.values())),
    shapes=st.lists(
        st.tuples(st.integers(1, 1500), st.integers(1, 100), st.sampled_from([1, 2, 4, 8])),
        min_size=1,
        max_size=4,
    ),
)
def test_other_contents_go_where_the_random_ones_were(seed, geometry, shapes):
    rng = np.random.default_rng(seed)
    rows, columns = geometry
    named = {f"memory_{number}": shape[:2] for number, shape in enumerate(shapes)}
    memories = {
        name: to_bits(words, named[name][1])
        for name, words in random_contents(named, grain=rows, seed=seed).items()
    }
    blocks = [rng.integers(0, 2, (rows, columns)).astype(bool)]
    for bits, (_, _, stride) in zip(memories.values(), shapes, strict=True):
        blocks += lay_out(rng, bits, rows, columns, stride)
    order = rng.permutation(len(blocks))
    foreign = int(np.flatnonzero(order == 0)[0])
    blocks = [blocks[number] for number in order]
    before = [block.copy() for block in blocks]

    places = locate(blocks, memories)
    held = read_contents(blocks, places)
    assert all(np.array_equal(held[name], memories[name]) for name in memories), f"seed {seed}"

    real = {name: rng.integers(0, 2, shape).astype(bool) for name, shape in named.items()}
    exchange(blocks, places, real)
    held = read_contents(blocks, places)
    for name, bits in real.items():
        assert np.array_equal(held[name][: len(bits)], bits), f"seed {seed}"
        assert not held[name][len(bits) :].any(), f"seed {seed}"
    assert np.array_equal(blocks[foreign], before[foreign]), f"seed {seed}"

    exchange(blocks, places, memories)
    assert all(map(np.array_equal, blocks, before)), f"seed {seed}"


def test_a_memory_in_logic_is_named():
    memories = {
        name: to_bits(words, 20)
        for name, words in random_contents({"rows": (40, 20)}, grain=64).items()
    }
    blocks = lay_out(np.random.default_rng(1), memories["rows"][:, :19], 64, 36, 1)
    with pytest.raises(
        NotInBlockRamError,
        match=r"memory rows must be in block RAM for its contents to be exchanged, but bit 19 of "
        r"word 0 is not",
    ):
        locate(blocks, memories)


def test_one_wrong_bit_of_a_column_is_no_match():
    memories = {
        name: to_bits(words, 4)
        for name, words in random_contents({"rows": (256, 4)}, grain=256).items()
    }
    blocks = lay_out(np.random.default_rng(2), memories["rows"], 256, 16, 1)
    column = int(np.flatnonzero(blocks[0].any(axis=0))[0])
    blocks[0][200, column] ^= True
    with pytest.raises(NotInBlockRamError, match="memory rows must be in block RAM"):
        locate(blocks, memories)


def test_words_and_bits():
    words = np.random.default_rng(3).integers(0, 256, (5, 3)).astype(np.uint8)
    words[:, 2] &= 0b1111
    bits = to_bits(words, 20)
    assert bits.shape == (5, 20)
    assert bits[2, 9] == bool(words[2, 1] >> 1 & 1)
    assert np.array_equal(to_words(bits), words)


TRELLIS = (
    ".device LFE5U-25F\n\n.tile X\narc: A B\n\n.bram_init 3\n"
    + "".join(
        " ".join(f"{8 * line + word & 0x1FF:03x}" for word in range(8)) + "\n"
        for line in range(256)
    )
    + "\n.bram_init 12\n"
    + (" ".join(["1ff"] * 8) + "\n") * 256
    + "\n.tile Y\nenum: A B\n"
)
ICESTORM = (
    ".device 5k\n\n.ram_data 6 21\n"
    + "".join(f"{0x8000 + line:064x}\n" for line in range(16))
    + "\n.logic_tile 1 1\n0000\n"
)


def gowin_design(bits):
    parameters = {f"INIT_RAM_{number:02X}": "x" * (bits // 64) for number in range(64)}
    parameters["INIT_RAM_01"] = "0" * (bits // 64 - 3) + "101"
    cells = {
        "lut": {"type": "LUT4", "parameters": {"INIT": "0101"}},
        "rom": {"type": "SP", "parameters": parameters},
    }
    return json.dumps({"modules": {"top": {"attributes": {"top": "1"}, "cells": cells}}})


def test_trellis_text():
    text = CONTENTS_TEXTS[Family.ECP5]
    blocks = text.read(TRELLIS)
    assert list(blocks) == ["3", "12"]
    assert blocks["3"].shape == (512, 36)
    # Entry 5 holds 5: bits 0 and 2 of the second nine bits of row 1.
    assert np.flatnonzero(blocks["3"][1, 9:18]).tolist() == [0, 2]
    assert blocks["12"].all()
    assert text.write(TRELLIS, blocks) == TRELLIS
    blocks["12"][511, 35] = False
    changed = text.write(TRELLIS, blocks)
    assert changed.count("0ff") == TRELLIS.count("0ff") + 1
    assert not text.read(changed)["12"][511, 35]


def test_icestorm_text():
    text = CONTENTS_TEXTS[Family.ICE40]
    blocks = text.read(ICESTORM)
    assert list(blocks) == ["6 21"]
    assert blocks["6 21"].shape == (256, 16)
    # Line 2 is 0x8002: bits 1 and 15 of its lowest word, which is word 32.
    assert np.flatnonzero(blocks["6 21"][32]).tolist() == [1, 15]
    assert not blocks["6 21"][33].any()
    assert text.write(ICESTORM, blocks) == ICESTORM


@pytest.mark.parametrize(("bits", "columns"), [(18432, 36), (16384, 32)])
def test_gowin_text(bits, columns):
    text, design = CONTENTS_TEXTS[Family.GOWIN], gowin_design(bits)
    blocks = text.read(design)
    assert list(blocks) == ["rom"]
    assert blocks["rom"].shape == (512, columns)
    assert np.flatnonzero(blocks["rom"]).tolist() == [bits // 64, bits // 64 + 2]
    blocks["rom"][511, columns - 1] = True
    again = text.read(text.write(design, blocks))
    assert np.array_equal(again["rom"], blocks["rom"])
    assert json.loads(text.write(design, blocks))["modules"]["top"]["cells"]["lut"] == {
        "type": "LUT4",
        "parameters": {"INIT": "0101"},
    }
