import random

import pytest
from amaranth.hdl import signed
from component_simulation import run_component
from configs import small_config

from darb.hw.output_buffer import OutputBuffer

ROWS = 7


@pytest.mark.parametrize("blocked", [0.0, 0.4, 0.9])
def test_rows_leave_in_order_with_two_vectors_inside(blocked):
    buffer = OutputBuffer(config=small_config(), shape=signed(24))
    rng = random.Random(int(10 * blocked))
    vectors = [[rng.randrange(-(1 << 23), 1 << 23) for _ in range(ROWS)] for _ in range(12)]

    async def writer(ctx):
        ctx.set(buffer.last_address, ROWS - 1)
        for number, vector in enumerate(vectors):
            await ctx.tick().until(buffer.free)
            ctx.set(buffer.reserve, 1)
            await ctx.tick()
            ctx.set(buffer.reserve, 0)
            order = rng.sample(range(ROWS), ROWS)
            for place, row in enumerate(order):
                ctx.set(buffer.write_en, 1)
                ctx.set(buffer.write_half, number % 2)
                ctx.set(buffer.write_addr, row)
                ctx.set(buffer.write_data, vector[row])
                ctx.set(buffer.complete, place == ROWS - 1)
                await ctx.tick()
            ctx.set(buffer.write_en, 0)
            ctx.set(buffer.complete, 0)

    async def sink(ctx):
        for vector in vectors:
            for row, word in enumerate(vector):
                while rng.random() < blocked:
                    await ctx.tick()
                ctx.set(buffer.o.ready, 1)
                (payload,) = await ctx.tick().sample(buffer.o.payload).until(buffer.o.valid)
                ctx.set(buffer.o.ready, 0)
                assert (payload.data, payload.last) == (word, row == ROWS - 1), f"{blocked}"

    async def monitor(ctx):
        waiting = None
        samples = ctx.tick().sample(buffer.o.valid, buffer.o.ready, buffer.o.payload)
        async for _, _, valid, ready, payload in samples:
            word = (payload.data, payload.last) if valid else None
            assert waiting in (None, word), "a word that waits stays as it is"
            waiting = None if ready else word

    run_component(buffer, writer, sink, background=[monitor])
