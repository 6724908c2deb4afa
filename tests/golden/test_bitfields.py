import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darb.golden.bitfields import (
    from_hex,
    pack_array,
    pack_struct,
    to_hex,
    unpack_array,
    unpack_struct,
)


@st.composite
def arrays(draw):
    bits = draw(st.integers(1, 63))
    depth, fields = draw(st.integers(1, 5)), draw(st.integers(1, 9))
    signed = draw(st.booleans())
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    row = st.lists(st.integers(low, high), min_size=fields, max_size=fields)
    return bits, signed, draw(st.lists(row, min_size=depth, max_size=depth))


def as_int(fields, widths):
    """One word as a Python integer, first field lowest."""
    word, low = 0, 0
    for field, bits in zip(fields, widths, strict=True):
        word |= (field & ((1 << bits) - 1)) << low
        low += bits
    return word


@given(arrays())
def test_arrays_against_python_integers(case):
    bits, signed, rows = case
    words = pack_array(np.array(rows), bits)
    width = bits * len(rows[0])
    assert words.shape == (len(rows), -(-width // 8))
    for word, row in zip(words, rows, strict=True):
        assert int.from_bytes(word.tobytes(), "little") == as_int(row, [bits] * len(row))
    assert unpack_array(words, bits, len(rows[0]), signed=signed).tolist() == rows


@given(st.data())
def test_structs_against_python_integers(data):
    widths = data.draw(st.lists(st.integers(0, 40), min_size=1, max_size=8).filter(any))
    layout = {f"field{number}": bits for number, bits in enumerate(widths)}
    signed = tuple(name for name, bits in layout.items() if bits and data.draw(st.booleans()))
    depth = data.draw(st.integers(1, 4))

    def value(name):
        bits = layout[name]
        half = 1 << bits >> 1
        return st.integers(-half, half - 1) if name in signed else st.integers(0, (1 << bits) - 1)

    values = {name: [data.draw(value(name)) for _ in range(depth)] for name in layout}
    words = pack_struct(layout, values)
    for number, word in enumerate(words):
        fields = [values[name][number] for name in layout]
        assert int.from_bytes(word.tobytes(), "little") == as_int(fields, widths)
    got = unpack_struct(layout, words, signed=signed)
    assert {name: column.tolist() for name, column in got.items()} == values


@given(st.integers(1, 70), st.data())
def test_hex_text_is_what_python_prints(width, data):
    values = data.draw(st.lists(st.integers(0, (1 << width) - 1), min_size=1, max_size=6))
    size = -(-width // 8)
    words = np.array([list(value.to_bytes(size, "little")) for value in values], dtype=np.uint8)
    text = to_hex(words, width)
    digits = -(-width // 4)
    assert text.decode() == "".join(f"{value:0{digits}x}\n" for value in values)
    assert from_hex(text, width, len(values)).tolist() == words.tolist()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"1ff\n", "must hold 2 words of 3 digits (8 bytes), not 4 bytes"),
        (b"1ff\n0000", "word 1 must be 3 hexadecimal digits, not b'0000'"),
        (b"1ff\n0G0\n", "word 1 must be 3 hexadecimal digits, not b'0G0\\n'"),
        (b"1FF\n000\n", "word 0 must be 3 hexadecimal digits, not b'1FF\\n'"),
        (b"1ff\n200\n", "word 1 must fit 9 bits"),
        (b"000\n200\n", "word 1 must fit 9 bits"),
        (b"200\nfff\n", "word 0 must fit 9 bits"),
    ],
)
def test_refused_hex(text, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the text is compared whole
        from_hex(text, 9, 2)
    assert str(caught.value) == message
