"""The engine, clock for clock: when every beat enters and leaves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from darb.golden.config import OutputMode
from darb.golden.image import Image
from darb.golden.image_walk import PackedLayer, read_layers
from darb.golden.pipeline import BOOT, layer_gap, step_to_read, step_to_write

START = 2
"""Clocks from the last beat of a vector to the sequencer's first step."""
DRAIN = 3
"""Clocks from the last result's write to the first output beat."""
BUFFERS = 2
"""Vectors that the input side, and the output side, can hold."""


@dataclass(frozen=True)
class VectorSchedule:
    """The clocks that one vector spends in the sequencer, stalls left out.

    Parameters
    ----------
    starts, ends : tuple of int
        First and last clock of each layer, counted from the vector's first step.
    steps : int
        Clocks that issue a step.
    input_beats, output_beats : int
        Beats of one vector on either stream.
    """

    starts: tuple[int, ...]
    ends: tuple[int, ...]
    steps: int
    input_beats: int
    output_beats: int

    @property
    def cycles(self) -> int:
        """Clocks from the first step to the last, both counted."""
        return self.ends[-1] + 1


def schedule(image: Image, layers: tuple[PackedLayer, ...] | None = None) -> VectorSchedule:
    """Return the schedule of one vector through `image`.

    Parameters
    ----------
    image : Image
    layers : tuple of PackedLayer, optional
        The image's walk, where the caller has it already.
    """
    layers = read_layers(image) if layers is None else layers
    gap = layer_gap(image.config)
    starts, ends, clock, steps = [], [], 0, 0
    for layer in layers:
        starts.append(clock)
        for section in layer.sections:
            clock += section.groups * section.period
            steps += section.groups * section.steps
        ends.append(clock - 1)
        clock += gap
    argmax = image.config.output_mode is OutputMode.ARGMAX
    return VectorSchedule(
        tuple(starts),
        tuple(ends),
        steps,
        layers[0].segments.length,
        1 if argmax else layers[-1].info.rows,
    )


class Trace:
    """A per-clock line: the given levels, then high for ever."""

    def __init__(self, levels: ArrayLike | None) -> None:
        self.levels = np.asarray([] if levels is None else levels, dtype=bool)
        self.high = np.flatnonzero(self.levels)

    def next_high(self, clock: int) -> int:
        """Return the first clock at or after `clock` at which the line is high."""
        if clock >= len(self.levels):
            return clock
        at = np.searchsorted(self.high, clock)
        return int(self.high[at]) if at < len(self.high) else len(self.levels)

    def run(self, clock: int, count: int) -> NDArray[np.int64]:
        """Return the first `count` high clocks from `clock` on."""
        begin = np.searchsorted(self.high, clock)
        inside = self.high[begin : begin + count]
        rest = np.arange(count - len(inside)) + max(clock, len(self.levels))
        return np.concatenate([inside, rest]).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Timeline:
    """When each beat is transferred, in clocks since the first one out of reset.

    Parameters
    ----------
    inputs : ndarray of int64, shape (B, input_beats)
    outputs : ndarray of int64, shape (B, output_beats)
    starts : ndarray of int64, shape (B,)
        Clock of each vector's first step in the sequencer.
    busy : ndarray of int64, shape (B,)
        Clocks from the first step to the last.
    stalls : ndarray of int64, shape (B,)
        Clocks that the last layer waited for a free output buffer; part of `busy` unless the last
        layer is also the first.
    """

    inputs: NDArray[np.int64]
    outputs: NDArray[np.int64]
    starts: NDArray[np.int64]
    busy: NDArray[np.int64]
    stalls: NDArray[np.int64]


def timeline(
    plan: VectorSchedule,
    image: Image,
    vectors: int,
    *,
    valid: ArrayLike | None = None,
    ready: ArrayLike | None = None,
) -> Timeline:
    """Predict every transfer on both streams, whatever the two ends do.

    Parameters
    ----------
    plan : VectorSchedule
        From `schedule`.
    image : Image
    vectors : int
        B, the vectors sent.
    valid : array_like of bool, optional
        For each clock, whether the source offers a beat; from its end on, and by default, always.
    ready : array_like of bool, optional
        For each clock, whether the sink takes a beat; likewise.

    Returns
    -------
    Timeline

    Notes
    -----
    Two vectors fit the input banks and two the output buffer, so with F the last input beat of a
    vector and D its last output beat, vector v starts after F[v] and the end of v - 1, its last
    layer waits for D[v - 2], and its first beat for vector v - 2 to leave the input banks.
    """
    config = image.config
    source, sink = Trace(valid), Trace(ready)
    argmax = config.output_mode is OutputMode.ARGMAX
    results = image.layers[-1].rows
    release, written = step_to_read(config) + 1, step_to_write(config) + DRAIN
    inputs = np.zeros((vectors, plan.input_beats), dtype=np.int64)
    outputs = np.zeros((vectors, plan.output_beats), dtype=np.int64)
    starts, busy, stalls = (np.zeros(vectors, dtype=np.int64) for _ in range(3))
    drained = np.zeros(vectors, dtype=np.int64)
    released = np.zeros(vectors, dtype=np.int64)
    end = -1
    for v in range(vectors):
        free = int(inputs[v - 1, -1]) + 1 if v else BOOT
        if v >= BUFFERS:
            free = max(free, int(released[v - BUFFERS]))
        inputs[v] = source.run(free, plan.input_beats)
        start = max(int(inputs[v, -1]) + START, end + 1)
        last_layer = start + plan.starts[-1]
        if v >= BUFFERS:
            stalls[v] = max(0, int(drained[v - BUFFERS]) + 2 - last_layer)
        wait = int(stalls[v])
        if len(plan.starts) == 1:
            start, wait = start + wait, 0
        starts[v] = start
        end = start + plan.ends[-1] + wait
        busy[v] = end - start + 1
        released[v] = start + plan.ends[0] + release
        ready_at = end + written
        if argmax:
            free = int(outputs[v - 1, -1]) + 1 if v else 0
            drained[v] = max(ready_at, free) + results - 1
            outputs[v] = sink.next_high(int(drained[v]) + 1)
        else:
            free = int(drained[v - 1]) + 1 if v else 0
            outputs[v] = sink.run(max(ready_at, free), results)
            drained[v] = outputs[v, -1]
    return Timeline(inputs, outputs, starts, busy, stalls)


def steady_interval(plan: VectorSchedule, image: Image) -> float:
    """Return the mean clocks between vectors that follow one another without a pause.

    The slowest of four loops sets it: the input stream and the sequencer, each once a vector; the
    input banks and the output buffers, each once in two vectors, which is why the intervals of a
    short network can alternate and their mean can end in a half. The output stream is never the
    slowest, for each row that it sends took the sequencer a clock.
    """
    config = image.config
    banks = plan.ends[0] + step_to_read(config) + plan.input_beats + START
    last_layer = plan.ends[-1] - plan.starts[-1]
    buffers = last_layer + step_to_write(config) + DRAIN + image.layers[-1].rows + 1
    return max(plan.input_beats, plan.cycles, banks / BUFFERS, buffers / BUFFERS)


def utilisation(image: Image, layers: tuple[PackedLayer, ...], cycles: int) -> float:
    """Return the useful multiply-accumulates over the multipliers' chances in `cycles` clocks."""
    useful = sum(layer.stored_weights() for layer in layers)
    return useful / (image.config.multipliers * cycles)
