import random

import pytest
from component_simulation import run_component
from configs import small_config

from darb.golden.memory_map import MEMORIES, memory_shapes
from darb.golden.register_map import LOAD_MEMORY, LOAD_MEMORY_SHIFT
from darb.hw.image_loader import ImageLoader

CONFIGS = {
    "several pieces": small_config(),
    "one piece": small_config(lanes=1, rows=1, max_k=0, index_word_bits=1, weight_bits=2),
    "odd depths": small_config(weight_depth=37, index_depth=1, row_depth=19, layer_depth=3),
}


class Host:
    """Says to a loader what the registers would, and keeps what it writes."""

    def __init__(self, loader, config):
        self.loader, self.shapes, self.written = loader, memory_shapes(config), []

    async def watch(self, ctx):
        """Note every write of a memory."""
        o = self.loader.o
        signals = (o.en, o.addr, *(getattr(o, name) for name in MEMORIES))
        async for _, _, en, address, *words in ctx.tick().sample(*signals):
            for number, name in enumerate(MEMORIES):
                if en >> number & 1:
                    self.written.append((name, address, words[number]))

    async def write(self, ctx, name, word):
        """Ask as register `name`; returns whether it was accepted."""
        i = self.loader.i
        ctx.set(i.word, word)
        accepted = ctx.get(getattr(i, f"{name}_okay"))
        ctx.set(getattr(i, f"{name}_en"), accepted)
        await ctx.tick()
        ctx.set(getattr(i, f"{name}_en"), 0)
        return bool(accepted)

    async def place(self, ctx, name, address):
        return await self.write(ctx, "place", LOAD_MEMORY[name] << LOAD_MEMORY_SHIFT | address)

    def pieces(self, name, value):
        """Return the writes of one word."""
        count = -(-self.shapes[name][1] // 32)
        return [value >> 32 * n & 0xFFFFFFFF for n in range(count)]


@pytest.fixture(params=CONFIGS.values(), ids=CONFIGS)
def host(request):
    return Host(ImageLoader(config=request.param), request.param)


def run(host, bench):
    run_component(host.loader, bench, background=[host.watch])


def test_every_word_of_every_memory_without_a_pause(host):
    rng = random.Random(1)
    expected = [
        (name, address, rng.getrandbits(width))
        for name, (depth, width) in host.shapes.items()
        for address in range(depth)
    ]

    async def bench(ctx):
        ctx.set(host.loader.i.halt, 1)
        for name, address, value in expected:
            if address == 0:
                assert await host.place(ctx, name, 0)
            for number, piece in enumerate(host.pieces(name, value)):
                place = LOAD_MEMORY[name] << LOAD_MEMORY_SHIFT | address
                assert ctx.get(host.loader.i.place) == place, (name, address, number)
                assert await host.write(ctx, "data", piece)
        await ctx.tick()

    run(host, bench)
    assert host.written == expected


def test_an_address_past_the_end_is_refused_and_a_full_memory_takes_nothing(host):
    async def bench(ctx):
        ctx.set(host.loader.i.halt, 1)
        for name, (depth, _) in host.shapes.items():
            assert not await host.place(ctx, name, depth)
            assert not await host.place(ctx, name, (1 << LOAD_MEMORY_SHIFT) - 1)
            assert await host.place(ctx, name, depth - 1)
            for piece in host.pieces(name, 1):
                assert await host.write(ctx, "data", piece)
            full = LOAD_MEMORY[name] << LOAD_MEMORY_SHIFT | depth
            assert ctx.get(host.loader.i.place) == full
            assert not await host.write(ctx, "data", 2)
            assert ctx.get(host.loader.i.place) == full
        for number in range(len(MEMORIES), 16):
            assert not await host.write(ctx, "place", number << LOAD_MEMORY_SHIFT)
        await ctx.tick()

    run(host, bench)
    assert host.written == [(name, depth - 1, 1) for name, (depth, _) in host.shapes.items()]


def test_a_new_place_drops_half_a_word(host):
    async def bench(ctx):
        ctx.set(host.loader.i.halt, 1)
        assert await host.place(ctx, "layers", 1)
        for _ in range(2):
            assert await host.write(ctx, "data", 0xFFFFFFFF)
        assert await host.place(ctx, "layers", 2)
        for piece in (1, 2, 3):
            assert await host.write(ctx, "data", piece)
        await ctx.tick()

    run(host, bench)
    assert host.written == [("layers", 2, 1 | 2 << 32 | 3 << 64)]


def test_nothing_is_accepted_while_the_engine_runs(host):
    async def bench(ctx):
        for address in (0, 1, 5):
            assert not await host.place(ctx, "weights", address)
            assert not await host.write(ctx, "data", address)
        assert ctx.get(host.loader.i.place) == 0
        await ctx.tick()

    run(host, bench)
    assert host.written == []
