"""Stands in for a board behind a pseudo-terminal: the protocol from golden alone, with faults."""

from __future__ import annotations

import os
import struct
import threading
import tty

import numpy as np

from darb.golden import EngineModel, Image, Storage, check_requests, memory_crcs
from darb.golden.frame import (
    COUNTER_REGISTERS,
    ERROR_REPLY,
    HEADER_BYTES,
    IDENTIFY_REGISTERS,
    PROTOCOL_VERSION,
    REPLY,
    Command,
    ErrorCode,
    Frame,
    frame_capacity,
    frame_size,
)
from darb.golden.register_map import REGISTERS, STATUS, constant_registers


class BoardDouble:
    """A context manager that returns the name of its port.

    Parameters
    ----------
    image : Image
        Its engine's.
    storage : Storage
    faults : dict of int to callable
        For the request of that number, counted from 0: from the reply's bytes to those to send.
    loads_as : Image, optional
        What it holds once it was loaded and booted; by default `image`.
    memory_check : bool
        Its engine can check its memories.

    Attributes
    ----------
    requests : list of Frame
        In order.
    registers : dict of str to int
        What `identify` and `counters` tell.
    flipped : set of str
        Memories in which a bit has flipped.
    """

    def __init__(
        self, image, storage=Storage.ROM, *, faults=None, loads_as=None, memory_check=False
    ):
        self.memory_check, self.flipped = memory_check, set()
        self.image, self.faults = image, faults or {}
        self.loads_as, self.requests = loads_as or image, []
        self.capacity = frame_capacity(image.config, storage)
        self.registers = dict.fromkeys(REGISTERS, 0) | constant_registers(image.config, storage)
        self.registers["status"] = 1 << STATUS["booted"] | 1 << STATUS["version_differs"]
        if storage is Storage.ROM:
            self._hold(image)
        self.results: dict[bytes, bytes] = {}

    def _hold(self, image: Image) -> None:
        digest = int(image.digest, 16)
        for number in range(3):
            self.registers[f"digest_{number}"] = digest >> 32 * number & 0xFFFFFFFF
        self.registers["status"] = 1 << STATUS["booted"]

    def expect(self, image, vectors, beats):
        """Know the results of `vectors`, whose beats are `beats`, one vector a row of bytes."""
        size = image.config.output_bytes
        outputs = EngineModel(image).run(np.asarray(vectors))
        for row, words in zip(beats, outputs.tolist(), strict=True):
            self.results[row.tobytes()] = b"".join(
                (word % (1 << 8 * size)).to_bytes(size, "little") for word in words
            )

    def _answer(self, frame: Frame) -> Frame:
        def error(code):
            return Frame(ERROR_REPLY, frame.tag, bytes([code]))

        command = frame.command
        told = {Command.IDENTIFY: IDENTIFY_REGISTERS}.get(command, COUNTER_REGISTERS)
        payload = struct.pack(f"<{len(told)}I", *(self.registers[name] for name in told))
        if command == Command.IDENTIFY:
            payload = struct.pack("<HH", PROTOCOL_VERSION, self.capacity) + payload
        elif command == Command.INFER:
            if frame.payload not in self.results:
                return error(ErrorCode.BAD_LENGTH)
            payload = self.results[frame.payload]
            self.registers["vectors"] += 1
        elif command == Command.LOAD:
            payload = b""
            self.registers["status"] = 0
            self.flipped = set()
        elif command == Command.CHECK:
            if not self.memory_check:
                return error(ErrorCode.UNKNOWN_COMMAND)
            asked = struct.unpack("<I", frame.payload)[0]
            (name,) = (each for each, word in check_requests(self.image).items() if word == asked)
            payload = struct.pack("<I", memory_crcs(self.image)[name] ^ (name in self.flipped))
            self.registers["status"] = 0
        elif command == Command.BOOT:
            self._hold(self.loads_as)
        return Frame(command | REPLY, frame.tag, payload)

    def _serve(self) -> None:
        data = b""
        while True:
            try:
                data += os.read(self._master, 4096)
            except OSError:
                return
            while len(data) >= HEADER_BYTES and len(data) >= frame_size(data):
                size = frame_size(data)
                frame, data = Frame.decode(data[:size]), data[size:]
                fault = self.faults.get(len(self.requests), bytes)
                self.requests.append(frame)
                os.write(self._master, fault(self._answer(frame).encode()))

    def __enter__(self) -> str:
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return os.ttyname(self._slave)

    def __exit__(self, *exception: object) -> None:
        # With its other end closed, reading from the terminal ends in an error, and so the thread.
        os.close(self._slave)
        self._thread.join()
        os.close(self._master)
