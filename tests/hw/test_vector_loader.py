import random

from component_simulation import run_component
from configs import small_config

from darb.hw.vector_loader import VectorLoader

BEATS = 5


def run_packets(lengths, *, release_after, beats=BEATS):
    """Send packets of these lengths; return what was written, taken and reported."""
    loader = VectorLoader(config=small_config())
    rng = random.Random(len(lengths))
    writes, taken, errors = [], [], []

    async def source(ctx):
        ctx.set(loader.enable, 1)
        ctx.set(loader.last_beat, beats - 1)
        for packet, length in enumerate(lengths):
            for beat in range(length):
                while rng.random() < 0.2:
                    await ctx.tick()
                ctx.set(loader.i.valid, 1)
                for s in range(4):
                    ctx.set(loader.i.payload.data[s], packet)
                ctx.set(loader.i.payload.last, beat == length - 1)
                await ctx.tick().until(loader.i.ready)
                ctx.set(loader.i.valid, 0)
        for _ in range(4 * release_after):
            await ctx.tick()

    async def sequencer(ctx):
        ctx.set(loader.take, 0)
        for _ in range(lengths.count(beats)):
            await ctx.tick().until(loader.waiting)
            ctx.set(loader.take, 1)
            await ctx.tick()
            ctx.set(loader.take, 0)
            taken.append(len(writes))
            for _ in range(release_after):
                await ctx.tick()
            ctx.set(loader.release, 1)
            await ctx.tick()
            ctx.set(loader.release, 0)

    async def monitor(ctx):
        signals = (
            loader.load_en,
            loader.load_half,
            loader.load_addr,
            loader.load_data[0],
            loader.too_short,
            loader.too_long,
        )
        async for _, _, en, half, addr, data, short, long in ctx.tick().sample(*signals):
            if en:
                writes.append((half, addr, data))
            if short or long:
                errors.append("short" if short else "long")

    run_component(loader, source, sequencer, background=[monitor])
    return writes, taken, errors


def test_vectors_alternate_between_halves_and_wait_for_release():
    writes, taken, errors = run_packets([BEATS] * 6, release_after=40)
    assert [(half, addr, data) for half, addr, data in writes] == [
        (packet % 2, beat, packet) for packet in range(6) for beat in range(BEATS)
    ]
    assert not errors
    # When vector v is taken, no more than two are in the banks.
    assert all(count <= (v + 2) * BEATS for v, count in enumerate(taken))


def test_short_and_long_packets_are_dropped_and_the_next_is_whole():
    lengths = [BEATS, 1, BEATS, BEATS - 1, BEATS + 1, BEATS, 3 * BEATS, 2, 2, BEATS]
    writes, taken, errors = run_packets(lengths, release_after=1)
    assert errors == ["short", "short", "long", "long", "short", "short"]
    assert len(taken) == 4
    whole = [packet for packet, length in enumerate(lengths) if length == BEATS]
    for v, packet in enumerate(whole):
        mine = [(half, addr) for half, addr, data in writes if data == packet]
        assert mine == [(v % 2, beat) for beat in range(BEATS)]


def test_vectors_of_one_beat():
    writes, taken, errors = run_packets([1, 1, 3, 1, 2, 1], release_after=2, beats=1)
    assert errors == ["long", "long"]
    assert len(taken) == 4
    # A packet that is too long has written its first beat; the next one writes over it.
    assert [(half, data) for half, _, data in writes] == [
        (0, 0),
        (1, 1),
        (0, 2),
        (0, 3),
        (1, 4),
        (1, 5),
    ]
