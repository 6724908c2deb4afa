"""What a host may send to a board, and what the board must answer to it.

The board is of storage `ram` and has the memory check.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

import numpy as np
from board_images import board_images
from delayed_registers import DelayedRegisters
from random_networks import random_vectors, reference

from darb.golden import (
    EngineConfig,
    Image,
    IntegerNetwork,
    Storage,
    check_requests,
    memory_crcs,
    schedule,
)
from darb.golden.frame import (
    COUNTER_REGISTERS,
    ERROR_REPLY,
    IDENTIFY_REGISTERS,
    PLACE_BYTES,
    PROTOCOL_VERSION,
    REPLY,
    Command,
    ErrorCode,
    Frame,
    frame_capacity,
)
from darb.golden.loading import used_words, writes_a_word
from darb.golden.memory_map import SECTION, memory_shapes
from darb.golden.register_map import (
    CONTROL,
    LOAD_MEMORY,
    LOAD_MEMORY_SHIFT,
    STATUS,
    constant_registers,
    digest_registers,
)
from darb.hw.board_core import BoardCore
from darb.hw.stimulus import to_beats
from darb.sw.board_client import load_requests

CLOCK_HZ, BAUD, TIMEOUT = 8192, 2048, 300
"""Seconds are short here, so that a test can wait for some."""
DIVISOR = CLOCK_HZ // BAUD
_BYTE = 10 * DIVISOR
_QUIET = 2 * TIMEOUT
_SOON = 1000


class Script:
    """Frames for a board, each with its replies, in order.

    Parameters
    ----------
    config : EngineConfig
        Of the board.
    images : sequence of (IntegerNetwork, Image)
        Of that config.
    seed : int
        Of the vectors.

    Attributes
    ----------
    steps : list of dict
        For `board_frames_bench`.
    """

    def __init__(
        self, config: EngineConfig, images: Sequence[tuple[IntegerNetwork, Image]], seed: int
    ) -> None:
        self.config, self.steps, self._tag = config, [], 0
        self.rng = np.random.default_rng(seed)
        self.images = images
        self.capacity = frame_capacity(config, Storage.RAM)
        self.registers = dict.fromkeys(IDENTIFY_REGISTERS, 0)
        self.registers |= constant_registers(config, Storage.RAM)
        self.registers["status"] = 1 << STATUS["booted"] | 1 << STATUS["version_differs"]

    def tag(self) -> int:
        """Return the next tag."""
        self._tag = (self._tag + 37) % 256
        return self._tag

    def step(self, name, send, expect, *, quiet=_BYTE, loose=False, earliest=None, latest=_SOON):
        """Add a step: parts to send, and the whole replies to them, then clocks without any.

        The first reply begins between `earliest` and `latest` clocks after the last part. Of a
        `loose` reply only the header, the length and that its CRC is right are told.
        """
        replies = [reply.encode() for reply in expect]
        self.steps.append(
            {
                "name": f"{name}, step {len(self.steps)}",
                "send": [part.hex() if isinstance(part, bytes) else part for part in send],
                "expect": [reply.hex() for reply in replies],
                "quiet": quiet,
                "loose": loose,
                "earliest": -1_000_000 if earliest is None else earliest,
                "latest": latest,
                "error": int(expect[-1].command == ERROR_REPLY) if expect else None,
            }
        )

    def ask(self, command, payload=b"", reply=b"", **fields):
        """Send a whole frame, carried out."""
        tag = self.tag()
        frame, answer = Frame(command, tag, payload), Frame(command | REPLY, tag, reply)
        self.step(Command(command).name, [frame.encode()], [answer], **fields)

    def refuse(self, command, payload, code, **fields):
        """Send a whole frame that is answered with an error."""
        tag = self.tag()
        told = Frame(ERROR_REPLY, tag, bytes([code]))
        name = f"{command} is {code.name}"
        self.step(name, [Frame(command, tag, payload).encode()], [told], **fields)

    def identify(self):
        values = [self.registers[name] for name in IDENTIFY_REGISTERS]
        head = struct.pack("<HH", PROTOCOL_VERSION, self.capacity)
        self.ask(Command.IDENTIFY, b"", head + struct.pack(f"<{len(values)}I", *values))

    def counted(self) -> bytes:
        """Return the counters as replies tell them."""
        values = [self.registers[name] for name in COUNTER_REGISTERS]
        return struct.pack(f"<{len(values)}I", *values)

    def counters(self, **fields):
        self.ask(Command.COUNTERS, b"", self.counted(), **fields)

    def load(self, image: Image):
        """Halt the engine and write an image; nothing of it is known before `boot`."""
        for command, payload in load_requests(image, self.capacity):
            self.ask(command, payload)
        self._halted()
        layers = LOAD_MEMORY["layers"] << LOAD_MEMORY_SHIFT
        self.registers["load_place"] = layers | used_words(image)["layers"]

    def check(self, number: int):
        """Let the engine compute the CRC of each memory, which halts it."""
        image = self.images[number][1]
        crcs = memory_crcs(image)
        for name, request in check_requests(image).items():
            self.ask(Command.CHECK, struct.pack("<I", request), struct.pack("<I", crcs[name]))
        self._halted()

    def _halted(self):
        self.registers |= dict.fromkeys(
            ("status", "input_beats", "outputs", "digest_0", "digest_1", "digest_2"), 0
        )
        self.registers["control"] = 1 << CONTROL["halt"]

    def boot(self, number: int, **fields):
        """Let the engine go, with image `number`."""
        image = self.images[number][1]
        digest = int(image.digest, 16)
        self.registers |= {f"digest_{n}": digest >> 32 * n & 0xFFFFFFFF for n in range(3)}
        assert digest_registers(self.registers) == image.digest
        plan = schedule(image)
        self.registers |= {
            "status": 1 << STATUS["booted"],
            "control": 0,
            "input_beats": plan.input_beats,
            "outputs": image.layers[-1].rows,
        }
        self.ask(Command.BOOT, b"", self.counted(), **fields)

    def vectors(self, number: int, count: int) -> list[tuple[Frame, Frame]]:
        """Return frames of vectors for image `number`, each with its reply; they are counted."""
        network, image = self.images[number]
        vectors = random_vectors(self.rng, network, count)
        beats = to_beats(image, vectors).reshape(count, -1)
        results = reference(network, vectors).astype("<i4")
        self.registers["vectors"] += count
        self.registers["cycles"] += count * schedule(image).cycles
        pairs = []
        for payload, result in zip(beats, results, strict=True):
            tag = self.tag()
            pairs.append(
                (
                    Frame(Command.INFER, tag, payload.tobytes()),
                    Frame(Command.INFER | REPLY, tag, result.tobytes()),
                )
            )
        return pairs

    def infer(self, number: int, count: int = 1, **fields):
        """Send vectors, two at a time without a pause."""
        pairs = self.vectors(number, count)
        for first in range(0, count, 2):
            two = pairs[first : first + 2]
            send = [frame.encode() for frame, _ in two]
            self.step(f"vectors of image {number}", send, [reply for _, reply in two], **fields)


def board_core(config: EngineConfig, *, delays: bool) -> BoardCore:
    """Return a board core for `board_job`; with `delays` the engine's registers are slow."""
    core = BoardCore(
        config=config,
        storage=Storage.RAM,
        memory_check=True,
        clock_hz=CLOCK_HZ,
        baud=BAUD,
        timeout=TIMEOUT,
    )
    if delays:
        core._engine = DelayedRegisters(core._engine, config)
    return core


def _without_an_end(image: Image) -> bytes:
    """Return layers with which an engine computes for ever: no section is of a last layer."""
    layers = image.memories["layers"].copy()
    # It goes round through all words, the digest too.
    layers[0] = 0
    place = list(SECTION).index("writes_output")
    place = sum(list(SECTION.values())[:place])
    layers[2:, place // 8] &= 0xFF ^ 1 << place % 8
    return layers.tobytes()


def _wrong_frames(script: Script, number: int) -> None:
    """Add frames that are refused, each followed by a vector that must be exact."""
    size = script.registers["input_beats"] * script.config.lanes
    wrong = [(Command.INFER, length) for length in (0, 1, size - 2, size + 2, 2 * size, 256)]
    wrong += [(command, 1) for command in (Command.IDENTIFY, Command.COUNTERS, Command.BOOT)]
    wrong += [(Command.CHECK, length) for length in (0, 3, 5, 8)]
    wrong += [(Command.BOOT, 256), *((Command.LOAD, length) for length in (0, 3, 5, 6, 255))]
    for command, length in wrong:
        script.refuse(command, bytes(length), ErrorCode.BAD_LENGTH)
    for command in (0, 7, 9, 0x12, 0x22, 0x42, 0x82, 0xFF):
        script.refuse(command, b"ab", ErrorCode.UNKNOWN_COMMAND)
    script.infer(number)
    good = Frame(Command.INFER, 0xC5, bytes(size)).encode()
    told = Frame(ERROR_REPLY, 0xC5, bytes([ErrorCode.CRC]))
    for place in (2, 4, *range(len(good) - 4, len(good))):
        flipped = bytearray(good)
        flipped[place] ^= 1 << place % 8
        script.step(f"bit of byte {place} flipped", [bytes(flipped)], [told])
    for place in (3, 6, len(good) - 1):
        bits = [[good[place] >> bit & 1, DIVISOR] for bit in range(8)]
        broken = [[0, DIVISOR], *bits, [0, DIVISOR], [1, _BYTE]]
        send = [good[:place], *broken, good[place + 1 :]]
        script.step(f"byte {place} without a stop bit", send, [told])
    script.infer(number)
    times = {"earliest": TIMEOUT - DIVISOR, "latest": TIMEOUT + 2 * _BYTE}
    for cut in (1, 2, 3):
        told = Frame(ERROR_REPLY, 0, bytes([ErrorCode.TIMEOUT]))
        script.step(f"{cut} bytes of a frame", [good[:cut]], [told], quiet=_QUIET, **times)
    for cut in (4, 6, len(good) - 4, len(good) - 1):
        told = Frame(ERROR_REPLY, 0xC5, bytes([ErrorCode.TIMEOUT]))
        script.step(f"{cut} bytes of a frame", [good[:cut]], [told], **times)
    for claimed in (257, 258, 512, 0x8000 + size, 0xFFFF):
        head = struct.pack("<HBB", claimed, Command.INFER, 0x3A)
        told = Frame(ERROR_REPLY, 0x3A, bytes([ErrorCode.TOO_LONG]))
        script.step(f"{claimed} bytes", [head, good, good], [told], quiet=_QUIET)
    script.infer(number)


def _pauses(script: Script, number: int) -> None:
    """Add frames with silence in them, a disturbed line, and more frames than there is room for."""
    ((frame, reply),) = script.vectors(number, 1)
    data, pause = frame.encode(), [1, TIMEOUT - 2 * _BYTE]
    parts = [piece for place in range(len(data)) for piece in (data[place : place + 1], pause)]
    script.step("silence just short of too long", parts[:-1], [reply])
    for first in range(1, DIVISOR - 1):
        ((frame, reply),) = script.vectors(number, 1)
        send = [
            part
            for byte in frame.encode()
            for level in (0, *(byte >> bit & 1 for bit in range(8)), 1)
            for part in ([level, first], [1 - level, 1], [level, DIVISOR - 1 - first])
        ]
        script.step(f"clock {first} of every bit disturbed", send, [reply])
    for low in (1, DIVISOR // 2):
        script.step(f"the line is 0 for {low} clocks", [[0, low], [1, _QUIET]], [], quiet=_QUIET)
        script.infer(number)
    script.step("a break", [[0, 20 * _BYTE], [1, _BYTE]], [], quiet=_QUIET)
    script.infer(number)
    values = [script.registers[name] for name in IDENTIFY_REGISTERS]
    head = struct.pack("<HH", PROTOCOL_VERSION, script.capacity)
    long = head + struct.pack(f"<{len(values)}I", *values)
    ((frame, reply),) = script.vectors(number, 1)
    # The long reply is made while the rest comes in: the vector waits, the others are lost.
    send = [Frame(Command.IDENTIFY, 1).encode(), frame.encode()]
    send += [Frame(Command.COUNTERS, tag).encode() for tag in (3, 4, 5)]
    told = Frame(ERROR_REPLY, 3, bytes([ErrorCode.OVERRUN]))
    script.step("five frames", send, [Frame(Command.IDENTIFY | REPLY, 1, long), reply, told])
    script.counters(quiet=CLOCK_HZ // 4)
    script.infer(number)


def _halted(script: Script, number: int) -> None:
    """Add writes that the engine refuses, which halt it."""
    vector = bytes(script.registers["input_beats"] * script.config.lanes)
    for place in (4 << LOAD_MEMORY_SHIFT, 15 << LOAD_MEMORY_SHIFT, script.config.weight_depth):
        script.refuse(Command.LOAD, struct.pack("<I", place) + bytes(8), ErrorCode.REFUSED)
        script.refuse(Command.INFER, vector, ErrorCode.NOT_READY)
        script.boot(number)
        script.infer(number)
    requests = check_requests(script.images[number][1])
    depths = script.config.weight_depth + 1, script.config.layer_depth + 1
    too_many = [depths[0], LOAD_MEMORY["layers"] << LOAD_MEMORY_SHIFT | depths[1]]
    for request in (0, *too_many, 4 << LOAD_MEMORY_SHIFT | 1, requests["rows"] + 0x1000000):
        script.refuse(Command.CHECK, struct.pack("<I", request), ErrorCode.REFUSED)
    script.check(number)
    script.identify()
    script.boot(number)
    script.infer(number)


def _filled(script: Script) -> None:
    """Fill each memory to its last word with anything, and let the engine compute its CRC."""
    for name, (depth, width) in memory_shapes(script.config).items():
        size, pieces = -(-width // 8), writes_a_word(width)
        words = script.rng.integers(0, 256, (depth, size), dtype=np.uint8)
        words[:, -1] &= 0xFF >> 8 * size - width
        padded = np.pad(words, ((0, 0), (0, 4 * pieces - size)))
        at_once = (script.capacity - PLACE_BYTES) // (4 * pieces)
        place = LOAD_MEMORY[name] << LOAD_MEMORY_SHIFT
        for first in range(0, depth, at_once):
            part = padded[first : first + at_once].tobytes()
            script.ask(Command.LOAD, struct.pack("<I", place | first) + part)
        crc = zlib.crc32(words.tobytes())
        script.ask(Command.CHECK, struct.pack("<I", place | depth), struct.pack("<I", crc))


def _stuck(script: Script, number: int) -> None:
    """Add an image that gives no result, which is told after three seconds, and its cure."""
    image = script.images[number][1]
    vector = bytes(schedule(image).input_beats * script.config.lanes)
    script.load(image)
    layers = struct.pack("<I", LOAD_MEMORY["layers"] << LOAD_MEMORY_SHIFT)
    script.ask(Command.LOAD, layers + _without_an_end(image))
    script.registers["status"] = 1 << STATUS["booted"]
    script.ask(Command.BOOT, b"", script.counted())
    patience = {"earliest": 2 * CLOCK_HZ, "latest": 3 * CLOCK_HZ + _SOON}
    script.refuse(Command.INFER, vector, ErrorCode.NOT_READY, **patience)
    script.refuse(Command.INFER, vector, ErrorCode.NOT_READY)
    script.refuse(Command.BOOT, b"", ErrorCode.NOT_READY, **patience)
    # The cycles that it has lost are in no model.
    script.load(image)
    script.boot(number, loose=True)
    script.infer(number, 2)


def board_job(seed: int) -> tuple[EngineConfig, dict]:
    """Return the config of a board, and a job for `board_frames_bench` that uses all of it."""
    config, images = board_images(seed)
    script = Script(config, images, seed)
    script.identify()
    script.refuse(Command.INFER, bytes(4), ErrorCode.NOT_READY)
    script.counters()
    script.load(images[0][1])
    script.identify()
    script.check(0)
    script.refuse(Command.INFER, bytes(4), ErrorCode.NOT_READY)
    script.boot(0)
    script.identify()
    script.infer(0, 5)
    script.counters()
    _wrong_frames(script, 0)
    _pauses(script, 0)
    script.load(images[1][1])
    script.boot(1)
    script.infer(1, 3)
    _halted(script, 1)
    script.identify()
    _filled(script)
    _stuck(script, 0)
    job = {
        "divisor": DIVISOR,
        "second": CLOCK_HZ,
        # Bits without the replies that are due: the board's own patience is three seconds.
        "patience": 5 * BAUD,
        "steps": script.steps,
    }
    return config, job
