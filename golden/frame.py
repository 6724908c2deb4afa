"""Frames: how a host and a board talk over a serial port.

The gateware, the client and their tests take every number from here; docs/protocol.md explains.
"""

from __future__ import annotations

import enum
import struct
import zlib
from dataclasses import dataclass

from darb.golden.config import EngineConfig
from darb.golden.loading import writes_a_word
from darb.golden.memory_map import memory_shapes
from darb.golden.register_map import REGISTERS, Storage

PROTOCOL_VERSION = 1
HEADER_BYTES = 4
"""Length, command and tag."""
CRC_BYTES = 4
MAX_PAYLOAD = (1 << 16) - 1
MIN_CAPACITY, MAX_CAPACITY = 1 << 8, 1 << 15
SILENCE_SECONDS = 0.05
"""Silence on the line after which a board gives an unfinished frame up."""
PLACE_BYTES = 4
"""`load` begins with what goes to register ``load_place``."""

REPLY = 0x80
"""Set in the command of a reply."""
ERROR_REPLY = 0xFF
"""Command of a reply that tells an error; its payload is one byte, an `ErrorCode`."""


class Command(enum.IntEnum):
    """What a host can ask a board for."""

    IDENTIFY = 1
    INFER = 2
    COUNTERS = 3
    LOAD = 4
    BOOT = 5
    CHECK = 6


class ErrorCode(enum.IntEnum):
    """Why a frame was not carried out."""

    CRC = 1
    TOO_LONG = 2
    TIMEOUT = 3
    UNKNOWN_COMMAND = 4
    BAD_LENGTH = 5
    NOT_READY = 6
    REFUSED = 7
    OVERRUN = 8


IDENTIFY_REGISTERS = tuple(REGISTERS)
"""In the reply to `identify`, behind the protocol's version and the capacity, 16 bits each."""
COUNTER_REGISTERS = ("status", "errors", "vectors", "cycles", "stalls")
"""The reply to `counters`, and that to `boot`."""

_HEADER = struct.Struct("<HBB")
_CRC = struct.Struct("<I")


class FrameError(ValueError):
    """Bytes that are no whole frame."""


@dataclass(frozen=True)
class Frame:
    """A frame: 16 bits length of the payload, command, tag, payload, 32 bits CRC, low bytes first.

    The CRC is that of ISO HDLC, as `zlib.crc32`, over everything before it.

    Parameters
    ----------
    command : int
        0..255: a `Command`, with `REPLY` set in a reply, or `ERROR_REPLY`.
    tag : int
        0..255; a reply has the tag of what it answers.
    payload : bytes
        At most `MAX_PAYLOAD` bytes.

    Raises
    ------
    TypeError
        If a field is of the wrong kind.
    ValueError
        If a field is out of its range.

    Examples
    --------
    >>> Frame(Command.COUNTERS, 7).encode().hex(" ")
    '00 00 03 07 7c 19 0d 94'
    """

    command: int
    tag: int
    payload: bytes = b""

    def __post_init__(self) -> None:
        for name in ("command", "tag"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int):
                raise TypeError(f"{name} must be an int, not {value!r}")
            if not 0 <= value <= 0xFF:
                raise ValueError(f"{name} must be in 0..255, not {value!r}")
        if not isinstance(self.payload, bytes):
            raise TypeError(f"payload must be bytes, not {self.payload!r}")
        if len(self.payload) > MAX_PAYLOAD:
            raise ValueError(
                f"payload must hold at most {MAX_PAYLOAD} bytes, not {len(self.payload)!r}"
            )

    def encode(self) -> bytes:
        """Return the frame as it goes over the line."""
        body = _HEADER.pack(len(self.payload), self.command, self.tag) + self.payload
        return body + _CRC.pack(zlib.crc32(body))

    @classmethod
    def decode(cls, encoded: bytes) -> Frame:
        """Return the frame that `encoded` is; the inverse of `encode`.

        Raises
        ------
        FrameError
            If it has another length than it says, or its CRC is wrong.
        """
        size = frame_size(encoded)
        if len(encoded) != size:
            raise FrameError(f"the frame must have {size} bytes, not {len(encoded)!r}")
        body, (crc,) = encoded[:-CRC_BYTES], _CRC.unpack(encoded[-CRC_BYTES:])
        if crc != zlib.crc32(body):
            raise FrameError(f"the frame's CRC must be 0x{zlib.crc32(body):08x}, not 0x{crc:08x}")
        _, command, tag = _HEADER.unpack(body[:HEADER_BYTES])
        return cls(command, tag, bytes(body[HEADER_BYTES:]))


def frame_size(header: bytes) -> int:
    """Return how many bytes the frame has that begins with `header`.

    Raises
    ------
    FrameError
        If `header` is too short to tell.
    """
    if len(header) < HEADER_BYTES:
        raise FrameError(f"a frame's header must have {HEADER_BYTES} bytes, not {len(header)!r}")
    return HEADER_BYTES + _HEADER.unpack(header[:HEADER_BYTES])[0] + CRC_BYTES


def frame_capacity(config: EngineConfig, storage: Storage) -> int:
    """Return the payload that a board's frame buffer has room for: a power of two, in bytes.

    It holds any input vector of the engine and, with storage `ram`, a word of any image memory
    behind its place.

    Raises
    ------
    ValueError
        If it would be over `MAX_CAPACITY`, or a vector's results do not fit a frame.
    """
    results = config.output_depth * config.output_bytes
    if results > MAX_PAYLOAD:
        raise ValueError(
            f"output_depth must be at most {MAX_PAYLOAD // config.output_bytes} for a serial port, "
            f"not {config.output_depth!r}"
        )
    needs = [MIN_CAPACITY, config.lanes * config.input_depth]
    if storage is Storage.RAM:
        widths = [width for _, width in memory_shapes(config).values()]
        needs.append(PLACE_BYTES + 4 * max(map(writes_a_word, widths)))
    capacity = 1 << (max(needs) - 1).bit_length()
    if capacity > MAX_CAPACITY:
        raise ValueError(
            f"lanes * input_depth must be at most {MAX_CAPACITY} for a serial port, "
            f"not {config.lanes * config.input_depth!r}"
        )
    return capacity
