import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darb.golden.vendor_formats import FORMATS, write_memory


def parse_coe(text):
    head, body = text.split("memory_initialization_vector=")
    assert re.fullmatch(r"memory_initialization_radix=16;\s*", head)
    values = body.strip()
    assert values.endswith(";")
    return [int(word, 16) for word in values[:-1].split(",")]


def parse_mif(text):
    settings = dict(re.findall(r"^(\w+) = (\w+);$", text, re.MULTILINE))
    assert settings["ADDRESS_RADIX"] == settings["DATA_RADIX"] == "HEX"
    body = text.split("CONTENT BEGIN\n")[1].removesuffix("END;\n")
    pairs = [line.removesuffix(";").split(" : ") for line in body.splitlines()]
    assert [int(address, 16) for address, _ in pairs] == list(range(int(settings["DEPTH"])))
    return int(settings["WIDTH"]), [int(word, 16) for _, word in pairs]


@given(st.integers(1, 90), st.data())
def test_every_format_holds_the_same_words(width, data):
    values = data.draw(st.lists(st.integers(0, (1 << width) - 1), min_size=1, max_size=20))
    size = -(-width // 8)
    words = np.array([list(value.to_bytes(size, "little")) for value in values], dtype=np.uint8)
    assert parse_coe(write_memory("coe", words, width).decode()) == values
    assert parse_mif(write_memory("mif", words, width).decode()) == (width, values)
    raw = write_memory("bin", words, width)
    assert [
        int.from_bytes(raw[at : at + size], "little") for at in range(0, len(raw), size)
    ] == values


def test_no_other_format():
    assert sorted(FORMATS) == ["bin", "coe", "mif"]
    with pytest.raises(KeyError):
        write_memory("hex", np.zeros((1, 1), dtype=np.uint8), 8)
