"""A board with an engine on it, over its serial port."""

from __future__ import annotations

import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from darb.golden.config import EngineConfig
from darb.golden.fixed_point import check_vectors
from darb.golden.frame import (
    COUNTER_REGISTERS,
    IDENTIFY_REGISTERS,
    PLACE_BYTES,
    PROTOCOL_VERSION,
    Command,
)
from darb.golden.image import Image
from darb.golden.loading import loading_writes, writes_a_word
from darb.golden.memory_check import check_requests, memory_crcs
from darb.golden.memory_map import MEMORIES, memory_shapes
from darb.golden.register_map import (
    LOAD_MEMORY_SHIFT,
    REGISTERS,
    STATUS,
    Storage,
    digest_registers,
    read_config,
)
from darb.golden.repacking import repack
from darb.golden.timeline import schedule
from darb.sw.frame_link import BoardError, FrameLink

BAUD = 1_000_000
_TIMEOUT_SECONDS = 5.0

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class BoardIdentity:
    """What a board says of itself.

    Parameters
    ----------
    capacity : int
        Bytes of payload in the longest frame that it takes.
    config : EngineConfig
    storage : Storage
    digest : str
        Of the image in the engine, spelt as `Image.digest`; zeros where there is none.
    booted, version_differs : bool
        The engine has read its image's header; it is of another format.
    """

    capacity: int
    config: EngineConfig
    storage: Storage
    digest: str
    booted: bool
    version_differs: bool

    @property
    def ready(self) -> bool:
        """Whether the engine holds an image that it can run."""
        return self.booted and not self.version_differs


@dataclass
class BoardClient:
    """Talks to a board by the protocol of docs/protocol.md; a context manager.

    Parameters
    ----------
    port : str
        Name of the serial port, such as ``/dev/ttyUSB1`` or ``COM3``.
    baud : int
        As the board's bitstream was built.
    timeout : float
        Seconds to wait for a reply.

    Raises
    ------
    ModuleNotFoundError
        On entry, if pyserial is not installed.
    BoardError
        On entry, if the port cannot be opened; in any method, if the board does not answer or
        refuses.

    Examples
    --------
    ::

        with BoardClient("/dev/ttyUSB1") as board:
            outputs = board.infer(image, inputs)
    """

    port: str
    baud: int = BAUD
    timeout: float = _TIMEOUT_SECONDS
    _link: FrameLink | None = field(default=None, init=False, repr=False)

    def __enter__(self) -> BoardClient:
        self._link = FrameLink(self.port, baud=self.baud, timeout=self.timeout)
        return self

    def __exit__(self, *exception: object) -> None:
        self._open_link().close()
        self._link = None

    @property
    def repeats(self) -> int:
        """How often requests had to be sent again; the engine may have computed them twice."""
        return self._open_link().repeats

    def _open_link(self) -> FrameLink:
        if self._link is None:
            raise BoardError("the board's port must be open: use `with BoardClient(...) as board`")
        return self._link

    def _ask(self, command: Command, payload: bytes = b"") -> bytes:
        (reply,) = self._exchange([(command, payload)])
        return reply

    def _exchange(
        self, requests: list[tuple[Command, bytes]], progress: Progress | None = None
    ) -> list[bytes]:
        replies = []
        for reply in self._open_link().exchange(requests):
            replies.append(reply)
            if progress is not None:
                progress(len(replies), len(requests))
        return replies

    def _words(self, reply: bytes, count: int, what: str) -> tuple[int, ...]:
        if len(reply) != 4 * count:
            raise BoardError(f"{what} must have {4 * count} bytes, not {len(reply)!r}")
        return struct.unpack(f"<{count}I", reply)

    def identify(self) -> BoardIdentity:
        """Return what the board is.

        Raises
        ------
        BoardError
            If it is none of darb's, or of another release.
        """
        reply = self._ask(Command.IDENTIFY)
        version = int.from_bytes(reply[:2], "little")
        if version != PROTOCOL_VERSION:
            raise BoardError(
                f"the board's protocol must be version {PROTOCOL_VERSION}, not {version!r}: "
                "build its bitstream with this release of darb"
            )
        first, *values = self._words(reply, 1 + len(IDENTIFY_REGISTERS), "the identity")
        registers = dict(zip(IDENTIFY_REGISTERS, values, strict=True))
        try:
            config, storage = read_config(registers)
        except ValueError as error:
            raise BoardError(f"the board is not of this release of darb: {error}") from None
        return BoardIdentity(
            capacity=first >> 16,
            config=config,
            storage=storage,
            digest=digest_registers(registers),
            booted=bool(registers["status"] >> STATUS["booted"] & 1),
            version_differs=bool(registers["status"] >> STATUS["version_differs"] & 1),
        )

    def counters(self) -> dict[str, int]:
        """Return the registers status, errors, vectors, cycles and stalls."""
        return self._counters(self._ask(Command.COUNTERS))

    def boot(self) -> dict[str, int]:
        """Let a halted engine go; returns the counters."""
        return self._counters(self._ask(Command.BOOT))

    def _counters(self, reply: bytes) -> dict[str, int]:
        values = self._words(reply, len(COUNTER_REGISTERS), "the counters")
        return dict(zip(COUNTER_REGISTERS, values, strict=True))

    def infer(
        self, image: Image, inputs: NDArray[np.integer], *, progress: Progress | None = None
    ) -> NDArray[np.int64]:
        """Run vectors through the engine, which must hold `image`.

        Parameters
        ----------
        image : Image
            As it was loaded or built: of the engine's own config.
        inputs : ndarray of int, shape (B, N)
            In the network's own column order.
        progress : callable, optional
            Called with vectors done and vectors in all.

        Returns
        -------
        ndarray of int64, shape (B, words)

        Raises
        ------
        TypeError, ValueError
            If the inputs do not fit the network.
        BoardError
            If the board holds another image; tells both digests.
        """
        # Stands here because darb.hw brings Amaranth, which takes a while to import.
        from darb.hw.stimulus import from_words, to_beats

        config = image.config
        inputs = check_vectors(inputs, image.layers[0].columns, config.activation_bits)
        self._check_image(self.identify(), image)
        plan = schedule(image)
        beats = to_beats(image, inputs).reshape(len(inputs), plan.input_beats * config.lanes)
        requests = [(Command.INFER, vector.tobytes()) for vector in beats]
        replies = self._exchange(requests, progress)
        size = plan.output_beats * config.output_bytes
        for number, reply in enumerate(replies):
            if len(reply) != size:
                raise BoardError(f"result {number} must have {size} bytes, not {len(reply)!r}")
        words = np.frombuffer(b"".join(replies), dtype=f"<u{config.output_bytes}")
        return from_words(image, words).reshape(len(inputs), plan.output_beats)

    def check(
        self, image: Image, *, progress: Progress | None = None
    ) -> dict[str, tuple[int, int]]:
        """Let the engine compute the CRC-32 of its memories; it is halted meanwhile, and goes on.

        Parameters
        ----------
        image : Image
            As the engine should hold it, of the engine's own config.
        progress : callable, optional
            Called with memories done and memories in all.

        Returns
        -------
        dict of str to (int, int)
            For each memory what the engine found and what `golden.memory_crcs` expects; a bit has
            flipped where they differ.

        Raises
        ------
        BoardError
            If the engine was built without the check.
        """
        expected = memory_crcs(image)
        requests = check_requests(image)
        payloads = [(Command.CHECK, struct.pack("<I", word)) for word in requests.values()]
        try:
            replies = self._exchange(payloads, progress)
        except BaseException:
            # A board that does not answer cannot be let go either.
            with suppress(BoardError):
                self.boot()
            raise
        self.boot()
        found = [self._words(reply, 1, "a CRC")[0] for reply in replies]
        return {name: (crc, expected[name]) for name, crc in zip(requests, found, strict=True)}

    def _check_image(self, board: BoardIdentity, image: Image) -> None:
        if board.ready and board.digest == image.digest:
            return
        held = f"image {board.digest}" if board.ready else "no image that it can run"
        way_out = (
            "load the image first"
            if board.storage is Storage.RAM
            else "build and program a bitstream of this image, or one with --storage ram"
        )
        raise BoardError(
            f"the board on {self.port} holds {held}, not image {image.digest}: {way_out}"
        )

    def load(self, image: Image, *, progress: Progress | None = None) -> Image:
        """Bring an image into an engine of storage `ram`, and let it go.

        Parameters
        ----------
        image : Image
            Of any config; it is packed again for the engine's.
        progress : callable, optional
            Called with frames done and frames in all.

        Returns
        -------
        Image
            As the engine holds it.

        Raises
        ------
        ValueError
            If the image does not fit the engine; nothing of it was sent then.
        BoardError
            If the engine is of storage `rom`, or does not hold the image in the end.
        """
        board = self.identify()
        if board.storage is not Storage.RAM:
            raise BoardError(
                f"the board on {self.port} holds image {board.digest} for good: "
                "build and program a bitstream with --storage ram"
            )
        fitted = fit_image(image, board.config)
        self._exchange(load_requests(fitted, board.capacity), progress)
        self.boot()
        self._check_image(self.identify(), fitted)
        return fitted


def fit_image(image: Image, config: EngineConfig) -> Image:
    """Return `image` for an engine of `config`: itself, or packed again.

    Raises
    ------
    ValueError
        If it does not fit; see `darb.golden.repack`.
    """
    return image if image.config == config else repack(image, config)


def load_requests(image: Image, capacity: int) -> list[tuple[Command, bytes]]:
    """Return the frames that load `image`: each a place, and whole words for it.

    Whole words, because a place drops the pieces of a word that was not finished.
    """
    shapes = memory_shapes(image.config)
    requests = []
    writes = loading_writes(image)
    starts = np.flatnonzero(writes[:, 0] == REGISTERS["load_place"])
    for start, end in zip(starts, [*starts[1:], len(writes)], strict=True):
        place, data = int(writes[start, 1]), writes[start + 1 : end, 1].astype("<u4")
        pieces = writes_a_word(shapes[MEMORIES[place >> LOAD_MEMORY_SHIFT]][1])
        words = (capacity - PLACE_BYTES) // (4 * pieces)
        for first in range(0, len(data) // pieces, words):
            part = data[first * pieces : (first + words) * pieces]
            requests.append((Command.LOAD, struct.pack("<I", place + first) + part.tobytes()))
    return requests
