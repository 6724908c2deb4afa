import random

import numpy as np
from component_simulation import run_component
from configs import small_config

from darb.hw.arg_max import ArgMax


def test_first_largest_word_wins_under_any_pauses():
    stage = ArgMax(config=small_config())
    rng = random.Random(7)
    vectors = [[rng.randrange(-3, 4) for _ in range(rng.randrange(1, 6))] for _ in range(60)]
    vectors += [[-(1 << 23), -(1 << 23)], [(1 << 23) - 1, -(1 << 23), (1 << 23) - 1]]

    async def source(ctx):
        for vector in vectors:
            for number, word in enumerate(vector):
                while rng.random() < 0.3:
                    await ctx.tick()
                ctx.set(stage.i.valid, 1)
                ctx.set(stage.i.payload.data, word)
                ctx.set(stage.i.payload.last, number == len(vector) - 1)
                await ctx.tick().until(stage.i.ready)
                ctx.set(stage.i.valid, 0)

    async def sink(ctx):
        for vector in vectors:
            while rng.random() < 0.5:
                await ctx.tick()
            ctx.set(stage.o.ready, 1)
            (payload,) = await ctx.tick().sample(stage.o.payload).until(stage.o.valid)
            ctx.set(stage.o.ready, 0)
            assert (payload.data, payload.last) == (int(np.argmax(vector)), 1), "seed 7"

    run_component(stage, source, sink)
