"""The engine in Amaranth's simulator: every word and every clock as golden says."""

import numpy as np
import pytest
from component_simulation import run_component
from random_networks import random_network, random_vectors, reference

from darb.golden import EngineModel, OutputMode, fit_config, pack, schedule, timeline
from darb.hw.engine import Engine
from darb.hw.stimulus import to_beats

VECTORS = 6


def run_engine(image, vectors, rng, *, idle, blocked):
    """Return the words, the clocks of every transfer and what both ends did, clock by clock."""
    engine = Engine(config=image.config, memories=image.memories)
    plan = schedule(image)
    beats = to_beats(image, vectors).view(np.int8)
    due = len(vectors) * plan.output_beats
    words, lasts, inputs, outputs, valids, readies = [], [], [], [], [], []

    async def bench(ctx):
        sent, offering, clock = 0, False, 0
        while len(words) < due or clock < outputs[-1] + 2 * plan.cycles:
            if not offering and sent < len(beats) and rng.random() >= idle:
                offering = True
                for s, value in enumerate(beats[sent]):
                    ctx.set(engine.i.payload.data[s], int(value))
                ctx.set(engine.i.payload.last, (sent + 1) % plan.input_beats == 0)
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


@pytest.mark.parametrize("seed", range(20))
def test_engine_is_golden_bit_for_bit_and_clock_for_clock(seed):
    rng = np.random.default_rng(seed)
    lanes, rows = [1, 2, 4, 8, 16][seed % 5], [1, 2, 4, 8][seed // 5]
    sizes = [int(size) for size in rng.integers(1, 30, 2 + seed % 4)]
    network = random_network(
        rng,
        sizes,
        keeps=range(1, 5),
        weight_bits=[2, 4, 8][seed % 3],
        lanes=[None, lanes][seed % 2],
        spare_columns=[0.0, 0.3][seed // 10],
    )
    mode = list(OutputMode)[seed % 3]
    image = pack(network, fit_config(network, lanes=lanes, rows=rows, output_mode=mode))
    vectors = random_vectors(rng, network, VECTORS)
    idle, blocked = [(0, 0), (0.4, 0), (0, 0.9), (0.3, 0.5)][(seed // 3) % 4]

    words, lasts, inputs, outputs, valids, readies = run_engine(
        image, vectors, rng, idle=idle, blocked=blocked
    )

    plan = schedule(image)
    predicted = timeline(plan, image, VECTORS, valid=valids, ready=readies)
    expected = EngineModel(image).run(vectors)
    assert np.array_equal(np.reshape(words, expected.shape), expected), f"seed {seed}"
    if mode is OutputMode.ACCUMULATORS:
        assert np.array_equal(expected, reference(network, vectors)), f"seed {seed}"
    assert inputs == predicted.inputs.ravel().tolist(), f"seed {seed}"
    assert outputs == predicted.outputs.ravel().tolist(), f"seed {seed}"
    ends = [0] * (plan.output_beats - 1) + [1]
    assert lasts == ends * VECTORS, f"seed {seed}"


def test_engine_refuses_what_is_no_config():
    with pytest.raises(TypeError, match="config must be an EngineConfig, not 'small'"):
        Engine(config="small")
