"""Vectors through a board, held against the golden model."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from darb.golden.engine_model import EngineModel
from darb.golden.image import Image
from darb.golden.register_map import Storage
from darb.golden.timeline import schedule
from darb.sw.board_client import BoardClient, BoardIdentity, fit_image
from darb.sw.frame_link import BoardError

Progress = Callable[[str, int, int], None]


class FlippedBitsError(BoardError):
    """A memory of the engine does not hold what was put into it; names it, and the way out."""


@dataclass(frozen=True, eq=False)
class BoardRun:
    """What a board did, and what it should have done.

    Parameters
    ----------
    image : Image
        As the engine holds it.
    storage : Storage
    outputs, expected : ndarray of int64, shape (B, words)
        Of the board and of the golden model.
    cycles, predicted_cycles : int
        That the engine was busy, counted on the board, modulo 2**32, and predicted.
    repeats : int
        Requests that were sent again; then the board may have counted more.
    seconds : float
        For all vectors, with both ways over the serial port.
    memories_checked : bool
        Every image memory was found to hold the image's words before the run.
    """

    image: Image
    storage: Storage
    outputs: NDArray[np.int64]
    expected: NDArray[np.int64]
    cycles: int
    predicted_cycles: int
    repeats: int
    seconds: float
    memories_checked: bool = False

    @property
    def mismatches(self) -> int:
        """Vectors with any wrong word."""
        return int((self.outputs != self.expected).any(axis=1).sum())

    @property
    def exact(self) -> bool:
        """Whether every word, and the count of cycles where nothing was repeated, is right."""
        return self.mismatches == 0 and (self.right_cycles or self.repeats > 0)

    @property
    def right_cycles(self) -> bool:
        """Whether as many cycles were counted as predicted; the counter wraps."""
        return self.cycles == self.predicted_cycles % (1 << 32)


def run_on_board(
    board: BoardClient,
    image: Image,
    inputs: NDArray[np.integer],
    *,
    memory_check: bool = False,
    progress: Progress | None = None,
) -> BoardRun:
    """Run `inputs` on `board`, which is loaded first where it can be and holds another image.

    Parameters
    ----------
    board : BoardClient
        Entered.
    image : Image
    inputs : ndarray of int, shape (B, N)
    memory_check : bool
        Let the engine compute the CRC of its memories first.
    progress : callable, optional
        Called with ``load``, ``check`` or ``run``, what is done and how much there is.

    Raises
    ------
    ValueError
        If image or inputs do not fit.
    FlippedBitsError
        If `memory_check` finds a memory that does not hold the image's words. An engine of storage
        `ram` is loaded again then.
    BoardError
        See `BoardClient`.
    """

    def stage(name: str) -> Callable[[int, int], None] | None:
        return None if progress is None else lambda done, total: progress(name, done, total)

    identity = board.identify()
    if not identity.booted:
        # Somebody has halted the engine and gone.
        board.boot()
        identity = board.identify()
    if identity.storage is Storage.RAM:
        image = fit_image(image, identity.config)
        if not identity.ready or identity.digest != image.digest:
            image = board.load(image, progress=stage("load"))
    if memory_check:
        _check_memories(board, identity, image, stage("check"))
    before, repeats = board.counters(), board.repeats
    began = time.perf_counter()
    outputs = board.infer(image, inputs, progress=stage("run"))
    seconds = time.perf_counter() - began
    counted = board.counters()["cycles"] - before["cycles"]
    return BoardRun(
        image=image,
        storage=identity.storage,
        outputs=outputs,
        expected=EngineModel(image).run(np.asarray(inputs)),
        cycles=counted % (1 << 32),
        # One vector is in the engine at a time, so that none waits for another.
        predicted_cycles=schedule(image).cycles * len(outputs),
        repeats=board.repeats - repeats,
        seconds=seconds,
        memories_checked=memory_check,
    )


def _check_memories(
    board: BoardClient,
    identity: BoardIdentity,
    image: Image,
    progress: Callable[[int, int], None] | None,
) -> None:
    """Refuse to go on with memories that do not hold the words of `image`."""
    if not identity.ready or identity.digest != image.digest:
        # It holds something else, and nothing of that could be right; `infer` tells.
        return
    crcs = board.check(image, progress=progress)
    flipped = [name for name, (found, expected) in crcs.items() if found != expected]
    if not flipped:
        return
    names = ", ".join(flipped)
    if identity.storage is Storage.RAM:
        board.load(image)
        raise FlippedBitsError(
            f"bits had flipped in {names} of the board on {board.port}: the image was loaded "
            "again, run once more"
        )
    raise FlippedBitsError(
        f"bits have flipped in {names} of the board on {board.port}: program its bitstream again"
    )
