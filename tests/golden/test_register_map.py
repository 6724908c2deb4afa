import numpy as np
import pytest
from configs import small_config
from hypothesis import given
from hypothesis import strategies as st
from random_networks import random_network

from darb.golden import EngineConfig, OutputMode, Storage, fit_config, pack
from darb.golden.config import _RANGES
from darb.golden.memory_map import FORMAT_VERSION, MEMORIES
from darb.golden.register_map import (
    ADDRESS_BITS,
    CONTROL,
    ERRORS,
    IDENTITY,
    LOAD_MEMORY,
    LOAD_MEMORY_SHIFT,
    REGISTERS,
    STATUS,
    constant_registers,
    digest_registers,
    read_config,
)


@st.composite
def configs(draw):
    """Any config at all, both ends of every range among them."""
    fields = {}
    for name, (low, high) in _RANGES.items():
        if name in ("lanes", "rows"):
            fields[name] = 1 << draw(st.integers(0, high.bit_length() - 1))
        elif name != "max_k":
            fields[name] = draw(st.integers(low, high))
    fields["max_k"] = draw(st.integers(0, min(_RANGES["max_k"][1], fields["index_word_bits"])))
    return EngineConfig(**fields, output_mode=draw(st.sampled_from(OutputMode)))


@given(configs(), st.sampled_from(Storage))
def test_an_engine_tells_its_config(config, storage):
    registers = constant_registers(config, storage)
    assert all(0 <= value < 1 << 32 for value in registers.values())
    assert registers.keys() <= REGISTERS.keys()
    assert read_config(registers) == (config, storage)


def test_the_largest_config_of_all_fits_its_fields():
    fields = {name: high for name, (_, high) in _RANGES.items()}
    config = EngineConfig(**fields, output_mode=OutputMode.ARGMAX)
    assert read_config(constant_registers(config, Storage.RAM)) == (config, Storage.RAM)


def test_fields_stand_where_the_docstring_says():
    config = small_config(accumulator_bits=24, output_mode=OutputMode.ARGMAX)
    registers = constant_registers(config, Storage.RAM)
    assert registers["shape"] == 4 | 2 << 16 | 8 << 24 | 8 << 28
    assert registers["widths"] == 24 | 12 << 8 | 6 << 16 | 2 << 24 | 1 << 28
    assert registers["weight_depth"] == 64
    assert registers["output_depth"] == 10


def test_addresses_are_words_of_their_own():
    addresses = list(REGISTERS.values())
    assert addresses == list(range(0, 4 * len(addresses), 4))
    assert addresses[-1] < 1 << ADDRESS_BITS
    for bits in (STATUS, ERRORS, CONTROL):
        assert sorted(bits.values()) == list(range(len(bits)))
    assert tuple(LOAD_MEMORY) == MEMORIES
    assert max(LOAD_MEMORY.values()) < 1 << 32 - LOAD_MEMORY_SHIFT


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("identity", 0x64617263, "identity must be 0x64617262, not 0x64617263"),
        (
            "format_version",
            FORMAT_VERSION + 1,
            f"the engine's image format must be version {FORMAT_VERSION}, not {FORMAT_VERSION + 1}",
        ),
        ("widths", 0x0306_0C18, "widths must name a mode and a storage, not 0x03060c18"),
        ("widths", 0x2006_0C18, "widths must name a mode and a storage, not 0x20060c18"),
        ("widths", 0x0006_0C98, "accumulator_bits must be in 8..32, not 152"),
        ("widths", 0x0006_8C18, "index_word_bits must be in 1..64, not 140"),
        ("widths", 0x0086_0C18, "max_k must be in 0..12, not 134"),
        ("shape", 0x8802_8004, "lanes must be in 1..256, not 32772"),
        ("shape", 0x8882_0004, "rows must be in 1..64, not 130"),
        ("shape", 0x8802_0003, "lanes must be a power of two, not 3"),
        ("layer_depth", 2, "layer_depth must be in 3..4096, not 2"),
    ],
)
def test_what_is_no_engine_of_this_release_is_refused(name, value, message):
    registers = constant_registers(small_config(), Storage.ROM)
    assert registers["identity"] == IDENTITY
    with pytest.raises(ValueError, match=f"^{message}$"):
        read_config({**registers, name: value})


def test_digest_is_spelt_as_the_images():
    network = random_network(np.random.default_rng(3), [9, 4])
    image = pack(network, fit_config(network, lanes=2, rows=1))
    value = int.from_bytes(image.memories["layers"][0].tobytes(), "little")
    registers = {f"digest_{n}": value >> 32 * n & 0xFFFFFFFF for n in range(3)}
    assert digest_registers(registers) == image.digest
    assert digest_registers(dict.fromkeys(registers, 0)) == "0" * 24
