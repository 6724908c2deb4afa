"""Both stream ends of an engine in Amaranth's simulator."""

from __future__ import annotations

import numpy as np
from component_simulation import run_component
from numpy.typing import NDArray


def run_streams(
    engine: object,
    stimulus: NDArray[np.int8],
    rng: np.random.Generator,
    *,
    beats: int,
    due: int,
    tail: int,
    idle: float = 0.0,
    blocked: float = 0.0,
) -> tuple[list[int], list[int], list[int], list[int], list[bool], list[bool]]:
    """Send `stimulus`, shape (count, lanes), `beats` a vector, until `due` words and `tail` clocks.

    Returns the words and their `last`, the clocks of every transfer on either stream, and what
    both ends did, clock by clock.
    """
    words, lasts, inputs, outputs, valids, readies = [], [], [], [], [], []

    async def bench(ctx):
        sent, offering, clock = 0, False, 0
        while len(words) < due or clock < outputs[-1] + tail:
            if not offering and sent < len(stimulus) and rng.random() >= idle:
                offering = True
                for s, value in enumerate(stimulus[sent]):
                    ctx.set(engine.i.payload.data[s], int(value))
                ctx.set(engine.i.payload.last, (sent + 1) % beats == 0)
            ready = bool(rng.random() >= blocked)
            ctx.set(engine.i.valid, offering)
            ctx.set(engine.o.ready, ready)
            valids.append(offering)
            readies.append(ready)
            if offering and ctx.get(engine.i.ready):
                inputs.append(clock)
                sent, offering = sent + 1, False
            if ready and ctx.get(engine.o.valid):
                outputs.append(clock)
                words.append(ctx.get(engine.o.payload.data))
                lasts.append(ctx.get(engine.o.payload.last))
            await ctx.tick()
            clock += 1

    run_component(engine, bench)
    return words, lasts, inputs, outputs, valids, readies
