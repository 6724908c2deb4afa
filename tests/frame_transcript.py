"""What went over a board's serial line, for a reader: each frame in hex, and what it means."""

from __future__ import annotations

import struct
import textwrap
from collections.abc import Iterable, Sequence

from darb.golden.frame import (
    COUNTER_REGISTERS,
    ERROR_REPLY,
    HEADER_BYTES,
    IDENTIFY_REGISTERS,
    REPLY,
    Command,
    ErrorCode,
    Frame,
    FrameError,
    frame_size,
)
from darb.golden.memory_map import MEMORIES
from darb.golden.register_map import LOAD_MEMORY_SHIFT, digest_registers, read_config

_WIDTH = 32
_ARROWS = {"host": "host -> board", "board": "board -> host"}


def _words(payload: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(payload) // 4}I", payload[: len(payload) // 4 * 4])


def _reply_meaning(command: Command, payload: bytes) -> str:
    if command is Command.IDENTIFY:
        first, *values = _words(payload)
        registers = dict(zip(IDENTIFY_REGISTERS, values, strict=True))
        config, storage = read_config(registers)
        return (
            f"protocol {first & 0xFFFF}, frames of {first >> 16} bytes, {config.lanes} lanes x "
            f"{config.rows} rows, storage {storage}, image {digest_registers(registers)}"
        )
    if command is Command.INFER:
        return f"{len(payload)} bytes of results"
    if command in (Command.COUNTERS, Command.BOOT):
        pairs = zip(COUNTER_REGISTERS, _words(payload), strict=True)
        return ", ".join(f"{name} {value}" for name, value in pairs)
    return "done"


def meaning(frame: Frame) -> str:
    """Return what a frame says."""
    if frame.command == ERROR_REPLY:
        return f"error {ErrorCode(frame.payload[0]).name.lower()}, tag {frame.tag}"
    command = frame.command & ~REPLY
    if command not in set(Command):
        return f"unknown command 0x{frame.command:02x}, tag {frame.tag}"
    name = f"{Command(command).name.lower()}, tag {frame.tag}"
    if frame.command & REPLY:
        return f"reply to {name}: {_reply_meaning(Command(command), frame.payload)}"
    if command == Command.INFER:
        return f"{name}: a vector of {len(frame.payload)} bytes"
    if command == Command.LOAD and len(frame.payload) >= 4:
        place, *data = _words(frame.payload)
        memory = MEMORIES[place >> LOAD_MEMORY_SHIFT]
        return f"{name}: {len(data)} writes to {memory}, word {place % (1 << LOAD_MEMORY_SHIFT)} on"
    return name


def _frames(bytes_: Sequence[tuple[int, int]], gap: int) -> Iterable[tuple[int, bytes, str]]:
    """Cut one direction's (clock, byte) into frames; yields clock, bytes and meaning."""
    at = 0
    while at < len(bytes_):
        # A silence ends a frame, however much it has announced.
        end = at + 1
        while end < len(bytes_) and bytes_[end][0] - bytes_[end - 1][0] <= gap:
            end += 1
        data = bytes(byte for _, byte in bytes_[at:end])
        size = frame_size(data) if len(data) >= HEADER_BYTES else len(data) + 1
        part = data[:size]
        try:
            said = meaning(Frame.decode(part))
        except FrameError as error:
            said = f"broken: {error}"
        yield bytes_[at][0], part, said
        at += len(part)


def transcript(log: Sequence[tuple[int, str, int]], *, gap: int) -> str:
    """Return the text of a log of (clock, direction, byte).

    Parameters
    ----------
    gap : int
        Clocks of silence after which an unfinished frame is over.
    """
    entries = []
    for direction, arrow in _ARROWS.items():
        mine = [(clock, byte) for clock, sender, byte in log if sender == direction]
        entries += [(clock, arrow, data, said) for clock, data, said in _frames(mine, gap)]
    lines = []
    for clock, arrow, data, said in sorted(entries):
        lines.append(f"clock {clock:>9,}  {arrow}  {said}")
        lines += textwrap.wrap(
            data.hex(" "), 8 + 3 * _WIDTH, initial_indent=" " * 8, subsequent_indent=" " * 8
        )
    return "\n".join(lines) + "\n"
