"""What the golden model of every rival engine answers: words, clocks and what they come to."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from darb.golden.baselines.config import BaselineConfig
from darb.golden.baselines.image import BaselineImage
from darb.golden.bitfields import unpack_struct
from darb.golden.config import OutputMode
from darb.golden.fixed_point import check_vectors, requantize
from darb.golden.pipeline import FETCH, POST
from darb.golden.timeline import BUFFERS, DRAIN, START, Trace

TAKE_TO_WRITE = FETCH + POST
"""From the clock in which a row's sum is taken to the one in which its result is written."""
_SETTLED = 8
_BATCH = 512


@dataclass(frozen=True, eq=False)
class Transfers:
    """When each beat is transferred, in clocks since the first one out of reset.

    Parameters
    ----------
    inputs : ndarray of int64, shape (B, input_beats)
    outputs : ndarray of int64, shape (B, M)
    """

    inputs: NDArray[np.int64]
    outputs: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What an engine makes of its layer when both streams flow freely.

    Parameters
    ----------
    multipliers : int
    weights : int
        Weights of the layer that are not zero.
    useful : float
        Useful multiply-accumulates a vector, a mean: weight not zero, and activation not zero
        where the vectors are known; else as many as `weights`.
    stored_weights : int
        Weights that the format stores, zeros that pad it included.
    memory_bits : int
        Of all memories that hold the layer, unused words too.
    latency : int
        Clocks from the first vector's first beat to its last word, both counted.
    interval : float
        Mean clocks between vectors that follow one another without a pause.
    """

    multipliers: int
    weights: int
    useful: float
    stored_weights: int
    memory_bits: int
    latency: int
    interval: float

    @property
    def utilisation(self) -> float:
        """Useful multiply-accumulates over the multipliers' chances.

        An engine that skips zeros of the vector has fewer of both: compare `interval` too.
        """
        return self.useful / (self.multipliers * self.interval)


class Walk(Protocol):
    """A rival's core, vector after vector: what stands between its input and its output buffer."""

    def vector(self, arrived: int, output_free: int) -> tuple[int, int]:
        """Compute one more vector.

        Parameters
        ----------
        arrived : int
            First clock in which the core can know that the vector is in.
        output_free : int
            First clock in which a half of the output buffer can be reserved for it.

        Returns
        -------
        released : int
            First clock in which a beat may again enter the vector's input buffer.
        taken : int
            Clock in which its last row's sum is taken to the row post-processor.
        """


class BaselineModel(ABC):
    """Bit-exact and cycle-exact model of a rival engine, from its image's words alone.

    A rival says what matrix its memories hold (`dense`) and how its core spends clocks (`walk`);
    numbers, streams and the way from sums to results are the same for all.

    Parameters
    ----------
    image : BaselineImage
        Its config of `config_kind`.

    Raises
    ------
    TypeError
        If its config is another.
    """

    config_kind: ClassVar[type[BaselineConfig]]

    def __init__(self, image: BaselineImage) -> None:
        if not isinstance(image.config, self.config_kind):
            raise TypeError(f"image must have a {self.config_kind.__name__}, not {image.config!r}")
        self.image = image
        self.rows = unpack_struct(image.config.row_layout, image.memories["rows"], signed=("bias",))

    @abstractmethod
    def dense(self) -> NDArray[np.int64]:
        """Return the weights that the memories hold, shape (M, N), rows in packed order."""

    @abstractmethod
    def stored_weights(self) -> int:
        """Return how many weights are stored, zeros that pad included."""

    @abstractmethod
    def walk(self) -> Walk:
        """Return the core as it is out of reset; no activation of its vectors is zero."""

    def walk_through(self, vectors: NDArray[np.int64]) -> Walk:
        """Return the core as it is out of reset, to compute these vectors, shape (B, N).

        A rival whose clocks depend on them says so here.
        """
        return self.walk()

    def run(self, vectors: NDArray[np.integer]) -> NDArray[np.int64]:
        """Return what the output stream carries for each vector, shape (B, M).

        Parameters
        ----------
        vectors : ndarray of int, shape (B, N)
            Within `activation_bits`.

        Raises
        ------
        TypeError
            If the vectors are not integers.
        ValueError
            If a shape or a value does not fit.
        """
        config = self.image.config
        vectors = check_vectors(vectors, config.columns, config.activation_bits)
        weights = self.dense().T
        outputs = np.zeros((len(vectors), config.rows), dtype=np.int64)
        for start in range(0, len(vectors), _BATCH):
            batch = slice(start, start + _BATCH)
            sums = vectors[batch] @ weights + self.rows["bias"]
            if config.output_mode is OutputMode.ACTIVATIONS:
                sums = requantize(
                    sums,
                    self.rows["multiplier"],
                    self.rows["shift"],
                    bits=config.activation_bits,
                    relu=config.relu,
                )
            outputs[batch, self.rows["address"]] = sums
        return outputs

    def timeline(
        self,
        vectors: int | NDArray[np.integer],
        *,
        valid: ArrayLike | None = None,
        ready: ArrayLike | None = None,
    ) -> Transfers:
        """Predict every transfer on both streams, whatever the two ends do.

        Parameters
        ----------
        vectors : int or ndarray of int, shape (B, N)
            The vectors sent; or B of them, in which no activation is zero.
        valid, ready : array_like of bool, optional
            See `darb.golden.timeline.timeline`.

        Raises
        ------
        TypeError
            If the vectors are not integers.
        ValueError
            If a shape or a value does not fit.
        """
        config = self.image.config
        if isinstance(vectors, int):
            count, walk = vectors, self.walk()
        else:
            vectors = check_vectors(vectors, config.columns, config.activation_bits)
            count, walk = len(vectors), self.walk_through(vectors)
        source, sink = Trace(valid), Trace(ready)
        inputs = np.zeros((count, config.input_beats), dtype=np.int64)
        outputs = np.zeros((count, config.rows), dtype=np.int64)
        released: list[int] = []
        sent, arrived = -1, -1
        for v in range(count):
            held = v - BUFFERS
            full = held >= 0
            room = max(arrived + 1, released[held] if full else 0)
            inputs[v] = source.run(room, config.input_beats)
            arrived = int(inputs[v, -1])
            free = int(outputs[held, -1]) + 1 if full else 0
            gone, taken = walk.vector(arrived + START, free)
            released.append(gone)
            outputs[v] = sink.run(max(taken + TAKE_TO_WRITE + DRAIN, sent + 1), config.rows)
            sent = int(outputs[v, -1])
        return Transfers(inputs, outputs)

    def outcome(self, vectors: NDArray[np.integer] | None = None) -> Outcome:
        """Return what the engine makes of its layer.

        The vectors are sent over and over, at least 8 in all, and then as many again, of which the
        interval is the mean: intervals may alternate, and the first ones find the buffers empty.

        Parameters
        ----------
        vectors : ndarray of int, shape (B, N), optional
            By default no activation is zero.

        Raises
        ------
        TypeError
            If the vectors are not integers.
        ValueError
            If there are none, or a shape or a value does not fit.
        """
        config, weights = self.image.config, self.dense()
        half, each = _SETTLED, np.ones(config.columns)
        if vectors is not None:
            vectors = check_vectors(vectors, config.columns, config.activation_bits)
            if not len(vectors):
                raise ValueError("vectors must hold at least one vector, not 0")
            half = len(vectors) * -(-_SETTLED // len(vectors))
            each = np.count_nonzero(vectors, axis=0) / len(vectors)
            vectors = np.resize(vectors, (2 * half, config.columns))
        transfers = self.timeline(2 * half if vectors is None else vectors)
        ends = transfers.outputs[:, -1]
        return Outcome(
            multipliers=config.multipliers,
            weights=int(np.count_nonzero(weights)),
            useful=float(np.count_nonzero(weights, axis=0) @ each),
            stored_weights=self.stored_weights(),
            memory_bits=self.image.memory_bits,
            latency=int(ends[0] - transfers.inputs[0, 0] + 1),
            interval=float(ends[-1] - ends[-1 - half]) / half,
        )
