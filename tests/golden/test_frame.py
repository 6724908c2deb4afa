import doctest
import re
import zlib
from pathlib import Path

import pytest
from configs import small_config
from hypothesis import given
from hypothesis import strategies as st

import darb.golden.frame
from darb.golden import OutputMode, Storage
from darb.golden.frame import (
    COUNTER_REGISTERS,
    ERROR_REPLY,
    IDENTIFY_REGISTERS,
    REPLY,
    SILENCE_SECONDS,
    Command,
    ErrorCode,
    Frame,
    FrameError,
    frame_capacity,
    frame_size,
)
from darb.golden.register_map import REGISTERS

FRAMES = st.builds(Frame, st.integers(0, 255), st.integers(0, 255), st.binary(max_size=300))


@given(FRAMES, st.binary(max_size=20))
def test_decoding_is_the_inverse_of_encoding(frame, behind):
    encoded = frame.encode()
    assert Frame.decode(encoded) == frame
    assert frame_size(encoded + behind) == len(encoded) == 8 + len(frame.payload)
    assert encoded[:4] == bytes(
        [len(frame.payload) % 256, len(frame.payload) // 256, frame.command, frame.tag]
    )
    assert int.from_bytes(encoded[-4:], "little") == zlib.crc32(encoded[:-4])


@given(FRAMES, st.data())
def test_a_flipped_bit_is_noticed(frame, data):
    encoded = bytearray(frame.encode())
    place = data.draw(st.integers(0, 8 * len(encoded) - 1))
    encoded[place // 8] ^= 1 << place % 8
    with pytest.raises(FrameError):
        Frame.decode(bytes(encoded))


def test_what_is_no_frame_says_why():
    encoded = Frame(1, 2, b"abc").encode()
    with pytest.raises(FrameError, match=r"^a frame's header must have 4 bytes, not 3$"):
        Frame.decode(encoded[:3])
    with pytest.raises(FrameError, match=r"^the frame must have 11 bytes, not 10$"):
        Frame.decode(encoded[:-1])
    crc = zlib.crc32(encoded[:-4])
    with pytest.raises(
        FrameError, match=rf"^the frame's CRC must be 0x{crc:08x}, not 0x{crc ^ 1 << 31:08x}$"
    ):
        Frame.decode(encoded[:-1] + bytes([encoded[-1] ^ 0x80]))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((1.0, 0), TypeError, r"command must be an int, not 1\.0"),
        ((True, 0), TypeError, "command must be an int, not True"),
        ((1, None), TypeError, "tag must be an int, not None"),
        ((256, 0), ValueError, r"command must be in 0\.\.255, not 256"),
        ((1, -1), ValueError, r"tag must be in 0\.\.255, not -1"),
        ((1, 0, "abc"), TypeError, "payload must be bytes, not 'abc'"),
        ((1, 0, bytes(65536)), ValueError, "payload must hold at most 65535 bytes, not 65536"),
    ],
)
def test_fields_are_checked(arguments, error, message):
    with pytest.raises(error, match=f"^{message}$"):
        Frame(*arguments)


def test_no_reply_is_taken_for_another():
    replies = {command | REPLY for command in Command}
    assert len(replies | {ERROR_REPLY} | set(Command)) == 2 * len(Command) + 1
    assert 0 not in set(ErrorCode)


def test_what_is_told_is_contiguous():
    """The gateware walks the registers from the first to the last."""
    for names in (IDENTIFY_REGISTERS, COUNTER_REGISTERS):
        addresses = [REGISTERS[name] for name in names]
        assert addresses == list(range(addresses[0], addresses[0] + 4 * len(names), 4))


@pytest.mark.parametrize(
    ("fields", "storage", "capacity"),
    [
        ({}, Storage.ROM, 256),
        ({"input_depth": 64}, Storage.ROM, 256),
        ({"input_depth": 65}, Storage.ROM, 512),
        ({"lanes": 256, "input_depth": 128}, Storage.ROM, 32768),
        ({"lanes": 16, "rows": 16}, Storage.ROM, 256),
        # 256 multipliers take 12 bits of indices each: 384 bytes a word.
        ({"lanes": 16, "rows": 16}, Storage.RAM, 512),
    ],
)
def test_capacity_holds_a_vector_and_a_word(fields, storage, capacity):
    assert frame_capacity(small_config(**fields), storage) == capacity


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"lanes": 256, "input_depth": 129},
            r"lanes \* input_depth must be at most 32768 for a serial port, not 33024",
        ),
        (
            {"output_depth": 16384},
            "output_depth must be at most 16383 for a serial port, not 16384",
        ),
        (
            {"output_depth": 65536, "output_mode": OutputMode.ACTIVATIONS},
            "output_depth must be at most 65535 for a serial port, not 65536",
        ),
    ],
)
def test_what_does_not_fit_a_frame_is_refused(fields, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        frame_capacity(small_config(**fields), Storage.ROM)


def test_the_example_in_the_docstring():
    assert doctest.testmod(darb.golden.frame) == (0, 1)


def test_the_page_names_every_command_and_error():
    page = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text()
    commands = re.findall(r"^\| `(\w+)` \| `0x(\w\w)` \|", page, re.MULTILINE)
    assert {name: int(value, 16) for name, value in commands} == {
        command.name.lower(): command for command in Command
    }
    errors = re.findall(r"^\| `(\w+)` \| (\d+) \|", page, re.MULTILINE)
    assert {name: int(value) for name, value in errors} == {
        code.name.lower(): code for code in ErrorCode
    }
    assert f"silent for {SILENCE_SECONDS * 1000:.0f} ms" in page
    assert f"{4 * (1 + len(IDENTIFY_REGISTERS))} bytes: protocol version" in page
    assert f"the {len(IDENTIFY_REGISTERS)} registers" in page
    assert f"{4 * len(COUNTER_REGISTERS)} bytes: the registers" in page
