"""Requests to a board over a serial port, and its replies: in order, checked, tried again."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator, Sequence

from darb.golden.frame import (
    ERROR_REPLY,
    HEADER_BYTES,
    REPLY,
    SILENCE_SECONDS,
    Command,
    ErrorCode,
    Frame,
    FrameError,
    frame_size,
)

WINDOW = 2
"""Requests on the way at once: one is carried out while the next comes in."""
TRIES = 3
"""How often a request is sent before it is given up."""

_SETTLE_SECONDS = 2 * SILENCE_SECONDS
# Errors of the line: the request was not carried out, and may be sent again.
_TRANSIENT = {ErrorCode.CRC, ErrorCode.TOO_LONG, ErrorCode.TIMEOUT, ErrorCode.OVERRUN}
_MEANING = {
    ErrorCode.UNKNOWN_COMMAND: "does not know the command",
    ErrorCode.BAD_LENGTH: "expects another length of the payload",
    ErrorCode.NOT_READY: "holds no image that it can run, or its engine gives no result",
    ErrorCode.REFUSED: "refuses the write; an engine of storage rom is not to be loaded",
}


class BoardError(RuntimeError):
    """A board that cannot be reached, answers wrongly or refuses; says what and why."""


class _BrokenReply(Exception):
    """A reply that did not come, or not whole; says how."""


class FrameLink:
    """A serial port on which a board listens.

    Parameters
    ----------
    port : str
        Name of the serial port.
    baud : int
    timeout : float
        Seconds to wait for a reply.

    Attributes
    ----------
    repeats : int
        How often requests had to be sent again.

    Raises
    ------
    ModuleNotFoundError
        If pyserial is not installed.
    ValueError
        If `timeout` is not positive.
    BoardError
        If the port cannot be opened.
    """

    def __init__(self, port: str, *, baud: int, timeout: float) -> None:
        import serial

        if not timeout > 0:
            raise ValueError(f"timeout must be positive, not {timeout!r}")
        self.port, self._timeout = port, timeout
        self._failure = serial.SerialException
        self._tag, self.repeats = 0, 0
        try:
            self._serial = serial.Serial(port, baud, write_timeout=timeout, exclusive=True)
        except (OSError, ValueError) as error:
            raise BoardError(f"port {port} cannot be opened: {_reason(error)}") from None
        try:
            # An FTDI bridge keeps short replies back for 16 ms otherwise.
            self._serial.set_low_latency_mode(True)
        except (AttributeError, NotImplementedError, OSError, ValueError):
            pass
        # Whether nothing is on the way; a client before this one may have stopped in mid-frame.
        self._clean = False

    def close(self) -> None:
        """Close the port."""
        self._serial.close()

    def exchange(self, requests: Sequence[tuple[Command, bytes]]) -> Iterator[bytes]:
        """Send requests, two at a time, and yield the payload of each one's reply.

        Parameters
        ----------
        requests : sequence of (Command, bytes)

        Raises
        ------
        BoardError
            If the board refuses one, or gives no whole reply to `TRIES` attempts.
        """
        done, failures = 0, 0
        clean, waiting = self._clean, []
        while done < len(requests):
            self._clean = False
            try:
                if not clean:
                    waiting.clear()
                    self._settle()
                    clean = True
                while len(waiting) < min(WINDOW, len(requests) - done):
                    waiting.append(self._send(*requests[done + len(waiting)]))
                reply = self._reply_to(waiting[0])
            except (OSError, self._failure) as error:
                raise BoardError(f"port {self.port} fails: {_reason(error)}") from None
            except _BrokenReply as error:
                clean, failures = False, failures + 1
                self.repeats += 1
                if failures >= TRIES:
                    command = requests[done][0].name.lower()
                    raise BoardError(
                        f"the board on {self.port} gives no good reply to {command} in {TRIES} "
                        f"tries: {error}"
                    ) from None
                continue
            waiting.pop(0)
            done, failures = done + 1, 0
            self._clean = not waiting
            yield reply

    def _send(self, command: Command, payload: bytes) -> Frame:
        # A new tag each time, so that a late reply to an earlier try is not taken for this one's.
        self._tag = (self._tag + 1) % 256
        frame = Frame(command, self._tag, payload)
        self._serial.write(frame.encode())
        return frame

    def _settle(self) -> None:
        """Drop what still comes, until the line was silent long enough for both ends to forget."""
        end = time.monotonic() + self._timeout
        self._serial.timeout = _SETTLE_SECONDS
        while self._serial.read(1) and time.monotonic() < end:
            self._serial.reset_input_buffer()

    def _read(self, count: int, end: float) -> bytes:
        self._serial.timeout = max(0.0, end - time.monotonic())
        data = self._serial.read(count)
        if len(data) < count:
            raise _BrokenReply(f"nothing more for {self._timeout:g} s")
        return data

    def _next_frame(self, end: float) -> Frame:
        header = self._read(HEADER_BYTES, end)
        encoded = header + self._read(frame_size(header) - HEADER_BYTES, end)
        try:
            return Frame.decode(encoded)
        except FrameError as error:
            raise _BrokenReply(str(error)) from None

    def _reply_to(self, request: Frame) -> bytes:
        """Return the payload of the next reply, which must be the one to `request`."""
        end = time.monotonic() + self._timeout
        reply = self._next_frame(end)
        # A slow board answers an earlier try after the line was silent for long enough.
        while reply.command & REPLY and 0 < (request.tag - reply.tag) % 256 <= 2 * TRIES:
            reply = self._next_frame(end)
        if reply.command == ERROR_REPLY and len(reply.payload) == 1:
            code = reply.payload[0]
            if code in _TRANSIENT or code not in _MEANING or reply.tag != request.tag:
                name = ErrorCode(code).name if code in set(ErrorCode) else f"{code}"
                raise _BrokenReply(f"it tells error {name.lower()}")
            meaning = _MEANING[code]
            if (request.command, code) == (Command.CHECK, ErrorCode.UNKNOWN_COMMAND):
                meaning += ": build its bitstream with --memory-check"
            command = Command(request.command).name.lower()
            raise BoardError(f"the board on {self.port}, asked to {command}, {meaning}")
        if (reply.command, reply.tag) != (request.command | REPLY, request.tag):
            raise _BrokenReply(
                f"a reply 0x{reply.command:02x} with tag {reply.tag} instead of tag {request.tag}"
            )
        return reply.payload


def _reason(error: Exception) -> str:
    """Return what the system says, without what pyserial repeats around it."""
    number = getattr(error, "errno", None)
    if number == errno.EAGAIN:
        return "another program uses it"
    return os.strerror(number) if number else str(error)
