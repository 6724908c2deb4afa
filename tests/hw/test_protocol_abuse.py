"""Both AXI ends of whole engines, abused: an error flag, never a hang, the next vector exact."""

import random

import numpy as np
import pytest
from amaranth.hdl import ClockSignal, Module, ResetSignal
from axi_lite_abuse import DECERR, OKAY, SLVERR, read, register_at, write
from component_simulation import run_component
from random_networks import random_network, random_vectors, reference

from darb.golden import EngineModel, Storage, fit_config, loading_writes, pack, schedule
from darb.golden.register_map import (
    CONTROL,
    ERRORS,
    LOAD_MEMORY_SHIFT,
    REGISTERS,
    STATUS,
    constant_registers,
)
from darb.hw.axi_engine import AxiEngine
from darb.hw.stimulus import to_beats

MOST_CLOCKS = 5000
"""Without a beat on either stream: a hang."""
WRITABLE = {"errors", "vectors", "cycles", "stalls"}


def network_and_image(seed, **fields):
    rng = np.random.default_rng(seed)
    network = random_network(rng, [7, 5, 3], ks=range(2), keeps=(1, 2))
    return network, pack(network, fit_config(network, lanes=2, rows=2, **fields))


class Bench:
    """An engine under its clock; packets go in, words come out, whatever the seed says between."""

    def __init__(self, image, storage, seed):
        self.image, self.rng = image, random.Random(seed)
        memories = image.memories if storage is Storage.ROM else None
        self.engine = AxiEngine(config=image.config, memories=memories, storage=storage)
        self.top = Module()
        self.top.submodules.engine = self.engine
        self.top.d.comb += [
            self.engine.aclk.eq(ClockSignal()),
            self.engine.aresetn.eq(~ResetSignal()),
        ]
        self.words, self.lasts = [], []
        self.outputs, self.sent = schedule(image).output_beats, False

    async def send(self, ctx, packets):
        """Send packets, each a list of beats, the last of which has `last` where told so."""
        e = self.engine
        for beats, ends in packets:
            for place, beat in enumerate(beats):
                while self.rng.random() < 0.2:
                    await ctx.tick()
                ctx.set(e.s_axis_tdata, beat)
                ctx.set(e.s_axis_tlast, ends and place == len(beats) - 1)
                ctx.set(e.s_axis_tvalid, 1)
                for _ in range(MOST_CLOCKS):
                    ready = ctx.get(e.s_axis_tready)
                    await ctx.tick()
                    if ready:
                        break
                else:
                    raise AssertionError("no beat goes in")
                ctx.set(e.s_axis_tvalid, 0)
                ctx.set(e.s_axis_tdata, self.rng.getrandbits(len(e.s_axis_tdata)))
        self.sent = True

    async def take(self, ctx, due):
        """Take `due` words, then see that no other comes."""
        e, quiet = self.engine, 0
        while len(self.words) < due or not self.sent or quiet < 300:
            ready = self.rng.random() < 0.6
            ctx.set(e.m_axis_tready, ready)
            quiet += 1
            if ready and ctx.get(e.m_axis_tvalid):
                self.words.append(ctx.get(e.m_axis_tdata))
                self.lasts.append(ctx.get(e.m_axis_tlast))
                quiet = 0
            assert quiet < MOST_CLOCKS, "no word comes out"
            await ctx.tick()
        ctx.set(e.m_axis_tready, 0)

    def check(self, network, vectors):
        """Compare what came out with golden and with plain arithmetic."""
        expected = EngineModel(self.image).run(vectors)
        assert np.array_equal(expected, reference(network, vectors))
        words = np.array(self.words, dtype=np.uint32).view(np.int32)
        assert words.reshape(expected.shape).tolist() == expected.tolist()
        assert self.lasts == ([0] * (self.outputs - 1) + [1]) * len(vectors)


def packets_of(image, vectors):
    """Return each vector's beats as integers."""
    beats = to_beats(image, vectors).reshape(len(vectors), -1, image.config.lanes)
    return [[int.from_bytes(beat.tobytes(), "little") for beat in packet] for packet in beats]


def broken_packets(rng, size, count):
    """Return packets that are no vectors: too short by any number, too long by any number."""
    lengths = [*range(1, size), *range(size + 1, 3 * size + 2)]
    return [
        ([rng.getrandbits(16) for _ in range(length)], True)
        for length in rng.choices(lengths, k=count)
    ]


async def abuse_writes(ctx, bench, done, seed):
    """Write anything anywhere, but for what clears the error flags."""
    rng = random.Random(f"writes {seed}")
    count = 0
    while not done():
        address, strobe = rng.randrange(256), rng.randrange(16)
        name = register_at(address)
        if name == "errors":
            continue
        response = await write(ctx, bench.engine, address, rng.getrandbits(32), strobe, rng)
        expected = OKAY if name in WRITABLE else SLVERR if name else DECERR
        assert response == expected, f"seed {seed}: 0x{address:02x}, strobe {strobe:04b}"
        count += 1
    assert count > 20, f"seed {seed}"


async def abuse_reads(ctx, bench, done, seed):
    """Read everywhere; what never changes must be right each time."""
    rng = random.Random(f"reads {seed}")
    constant = constant_registers(bench.image.config, Storage.ROM)
    count = 0
    while not done():
        address = rng.randrange(256)
        name = register_at(address)
        data, response = await read(ctx, bench.engine, address, rng)
        assert response == (OKAY if name else DECERR), f"seed {seed}: 0x{address:02x}"
        if name is None:
            assert data == 0, f"seed {seed}: 0x{address:02x}"
        elif name in constant:
            assert data == constant[name], f"seed {seed}: {name}"
        count += 1
    assert count > 20, f"seed {seed}"


@pytest.mark.parametrize("seed", range(6))
def test_broken_packets_and_any_register_access_cost_no_vector(seed):
    network, image = network_and_image(seed)
    vectors = random_vectors(np.random.default_rng(seed), network, 8)
    bench = Bench(image, Storage.ROM, seed)
    packets, kinds = [], set()
    for whole in packets_of(image, vectors):
        for broken in broken_packets(bench.rng, len(whole), bench.rng.randrange(4)):
            packets.append(broken)
            kinds.add("too_short" if len(broken[0]) < len(whole) else "too_long")
        packets.append((whole, True))
    finished, reads = [], []

    async def source(ctx):
        await bench.send(ctx, packets)

    async def sink(ctx):
        await bench.take(ctx, bench.outputs * len(vectors))
        finished.append(True)

    async def writer(ctx):
        await abuse_writes(ctx, bench, lambda: finished, seed)

    async def reader(ctx):
        await abuse_reads(ctx, bench, lambda: finished, seed)
        rng = random.Random(seed)
        reads.append(await read(ctx, bench.engine, REGISTERS["errors"], rng))
        status, _ = await read(ctx, bench.engine, REGISTERS["status"], rng)
        assert status == 1 << STATUS["booted"], f"seed {seed}"

    run_component(bench.top, source, sink, writer, reader)
    bench.check(network, vectors)
    assert kinds == {*ERRORS}, f"seed {seed}"
    assert reads == [(sum(1 << bit for bit in ERRORS.values()), OKAY)], f"seed {seed}"


@pytest.mark.parametrize("kind", ERRORS)
@pytest.mark.parametrize("extra", [1, 2, 7])
def test_one_broken_packet_sets_its_own_flag_and_no_other(kind, extra):
    network, image = network_and_image(9)
    vectors = random_vectors(np.random.default_rng(extra), network, 2)
    bench = Bench(image, Storage.ROM, extra)
    first, second = packets_of(image, vectors)
    if kind == "too_short":
        broken = first[: max(1, len(first) - extra)]
    else:
        broken = first + second * 2
        broken = broken[: len(first) + extra]
    seen = []

    async def source(ctx):
        rng = random.Random(extra)
        await bench.send(ctx, [(first, True), (broken, True), (second, True)])
        seen.append(await read(ctx, bench.engine, REGISTERS["errors"], rng))
        for strobe in (0b0000, 0b1110):
            assert await write(ctx, bench.engine, REGISTERS["errors"], 3, strobe, rng) == OKAY
        seen.append(await read(ctx, bench.engine, REGISTERS["errors"], rng))
        assert await write(ctx, bench.engine, REGISTERS["errors"], 3, 0b0001, rng) == OKAY
        seen.append(await read(ctx, bench.engine, REGISTERS["errors"], rng))

    async def sink(ctx):
        await bench.take(ctx, 2 * bench.outputs)

    run_component(bench.top, source, sink)
    bench.check(network, vectors)
    assert seen == [(1 << ERRORS[kind], OKAY)] * 2 + [(0, OKAY)]


def test_a_packet_that_never_ends_is_flagged_and_the_one_after_its_last_is_taken():
    network, image = network_and_image(10)
    vectors = random_vectors(np.random.default_rng(0), network, 3)
    bench = Bench(image, Storage.ROM, 0)
    first, second, third = packets_of(image, vectors)
    seen = []

    async def source(ctx):
        rng = random.Random(0)
        # Last is missing from the second vector on; hundreds of beats later it comes once.
        await bench.send(ctx, [(first, True), (second * 100, False)])
        seen.append(await read(ctx, bench.engine, REGISTERS["errors"], rng))
        seen.append(await read(ctx, bench.engine, REGISTERS["vectors"], rng))
        await bench.send(ctx, [(second, True), (third, True)])

    async def sink(ctx):
        await bench.take(ctx, 2 * bench.outputs)

    run_component(bench.top, source, sink)
    bench.check(network, vectors[[0, 2]])
    assert seen == [(1 << ERRORS["too_long"], OKAY), (1, OKAY)]


@pytest.mark.parametrize("seed", range(2))
def test_an_image_that_is_loaded_among_refused_writes_is_whole(seed):
    """Partial strobes, places outside, other addresses and reads, between any two good writes."""
    network, image = network_and_image(20 + seed)
    vectors = random_vectors(np.random.default_rng(seed), network, 2)
    bench = Bench(image, Storage.RAM, seed)
    rng = random.Random(seed)
    place, data = REGISTERS["load_place"], REGISTERS["load_data"]
    refused = 0

    async def meddle(ctx):
        nonlocal refused
        kind = rng.randrange(5)
        if kind == 0:
            address, value, strobe = data, rng.getrandbits(32), rng.randrange(15)
        elif kind == 1:
            address, value, strobe = place, 0, rng.randrange(15)
        elif kind == 2:
            address, strobe = place, 0b1111
            value = rng.choice([0xFFFF, 9 << LOAD_MEMORY_SHIFT, 3 << LOAD_MEMORY_SHIFT | 0xFFF])
        elif kind == 3:
            address, value, strobe = rng.choice([0x60, 0x7C, 0xFC, 0x00, 0x14]), 1, 0b1111
        else:
            _, response = await read(ctx, bench.engine, rng.choice([place, data, 0xF0]), rng)
            assert response in (OKAY, DECERR)
            return
        before = await read(ctx, bench.engine, place, rng)
        response = await write(ctx, bench.engine, address, value, strobe, rng)
        assert response in (SLVERR, DECERR), f"seed {seed}: 0x{address:02x} {strobe:04b}"
        assert await read(ctx, bench.engine, place, rng) == before, f"seed {seed}"
        refused += 1

    async def source(ctx):
        halt = 1 << CONTROL["halt"]
        assert await write(ctx, bench.engine, REGISTERS["control"], halt, 0b0001, rng) == OKAY
        for address, value in loading_writes(image).tolist():
            if rng.random() < 0.5:
                await meddle(ctx)
            assert not ctx.get(bench.engine.s_axis_tready), f"seed {seed}"
            assert await write(ctx, bench.engine, address, value, 0b1111, rng) == OKAY
        assert await write(ctx, bench.engine, REGISTERS["control"], 0, 0b1111, rng) == OKAY
        await bench.send(ctx, [(packet, True) for packet in packets_of(image, vectors)])

    async def sink(ctx):
        while not ctx.get(bench.engine.s_axis_tready):
            await ctx.tick()
        await bench.take(ctx, bench.outputs * len(vectors))

    run_component(bench.top, source, sink)
    bench.check(network, vectors)
    assert refused > 20, f"seed {seed}"
