"""The memory checker: zlib's CRC of whatever stands in the memories, and what it refuses."""

import random
import zlib

import numpy as np
import pytest
from amaranth.hdl import ClockSignal, Module
from axi_lite_abuse import DECERR, OKAY, SLVERR, read, write
from component_simulation import run_component
from configs import small_config
from random_networks import random_network

from darb.golden import Storage, check_clocks, check_requests, fit_config, memory_crcs, pack
from darb.golden.loading import loading_writes, used_words
from darb.golden.memory_map import MEMORIES, memory_shapes
from darb.golden.register_map import (
    CHECK_REGISTERS,
    CONTROL,
    LOAD_MEMORY,
    LOAD_MEMORY_SHIFT,
    REGISTERS,
    STATUS,
)
from darb.hw.axi_engine import AxiEngine
from darb.hw.engine import Engine
from darb.hw.memory_checker import MemoryChecker

CONFIGS = {
    "several bytes": small_config(),
    "one byte or less": small_config(
        lanes=1, rows=1, max_k=0, index_word_bits=1, weight_bits=2, index_depth=1
    ),
    "odd widths": small_config(
        lanes=8, rows=1, max_k=3, index_word_bits=5, weight_bits=3, weight_depth=37
    ),
}
HALT = 1 << CONTROL["halt"]


def request(name, words):
    return LOAD_MEMORY[name] << LOAD_MEMORY_SHIFT | words


class Memories:
    """Random contents behind a checker's read port, data two clocks after a read."""

    def __init__(self, checker, config, rng):
        self.checker = checker
        self.shapes = memory_shapes(config)
        self.words = {
            name: [rng.getrandbits(width) for _ in range(depth)]
            for name, (depth, width) in self.shapes.items()
        }
        self.reads = []

    async def serve(self, ctx):
        o, read_before = self.checker.o, {}
        async for _, _, active, en, address in ctx.tick().sample(o.active, o.en, o.addr):
            for name, word in read_before.items():
                ctx.set(getattr(o, name), word)
            read_before = {}
            for number, name in enumerate(MEMORIES):
                if en >> number & 1:
                    assert active, "a read without the memories"
                    if self.reads[-1:] != [(name, address)]:
                        self.reads.append((name, address))
                    read_before[name] = self.words[name][address]

    def crc(self, name, count):
        size = -(-self.shapes[name][1] // 8)
        return zlib.crc32(b"".join(w.to_bytes(size, "little") for w in self.words[name][:count]))


async def ask(ctx, checker, word):
    """Ask as the registers would; returns whether it was accepted."""
    ctx.set(checker.i.word, word)
    okay = ctx.get(checker.i.okay)
    ctx.set(checker.i.start, okay)
    await ctx.tick()
    ctx.set(checker.i.start, 0)
    ctx.set(checker.i.word, 0)
    return bool(okay)


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_the_crc_is_that_of_zlib_and_takes_the_clocks_it_says(config):
    checker = MemoryChecker(config=config)
    memories = Memories(checker, config, random.Random(0))

    async def bench(ctx):
        ctx.set(checker.i.halt, 1)
        for name, (depth, width) in memories.shapes.items():
            for count in sorted({1, depth - 1 or 1, depth}):
                assert await ask(ctx, checker, request(name, count))
                clocks = 0
                while left := ctx.get(checker.i.left):
                    assert left == count - clocks // (-(-width // 8) + 3)
                    assert ctx.get(checker.o.active)
                    clocks += 1
                    await ctx.tick()
                assert clocks == count * (-(-width // 8) + 3)
                assert ctx.get(checker.i.crc) == memories.crc(name, count)
                await ctx.tick()
                assert memories.reads == [(name, address) for address in range(count)]
                memories.reads.clear()

    run_component(checker, bench, background=[memories.serve])


def test_what_it_refuses():
    config = small_config()
    checker = MemoryChecker(config=config)
    depth = config.row_depth

    async def bench(ctx):
        assert not await ask(ctx, checker, request("rows", 1))
        ctx.set(checker.i.halt, 1)
        for word in (0, request("rows", 0), request("rows", depth + 1), 4 << 28 | 1, 0xFFFFFFFF):
            assert not await ask(ctx, checker, word), hex(word)
        assert await ask(ctx, checker, request("rows", depth))
        assert not await ask(ctx, checker, request("rows", 1))
        # What is under way is given up when the engine goes on, and nothing is read any more.
        for clocks in range(1, 20):
            await ctx.tick().repeat(clocks)
            ctx.set(checker.i.halt, 0)
            # The engine reads in the same clock.
            assert not ctx.get(checker.o.active)
            await ctx.tick()
            for _ in range(20):
                assert not ctx.get(checker.o.en)
                await ctx.tick()
            ctx.set(checker.i.halt, 1)
            assert await ask(ctx, checker, request("rows", depth))

    run_component(checker, bench)


async def checked_crcs(ctx, engine, image, rng):
    """Return what a halted engine says of each memory."""
    found, clocks = {}, check_clocks(image)
    for name, word in check_requests(image).items():
        assert await write(ctx, engine, CHECK_REGISTERS["check"], word, 0b1111, rng) == OKAY
        for _ in range(clocks[name]):
            left, response = await read(ctx, engine, CHECK_REGISTERS["check"], rng)
            assert response == OKAY
            if not left:
                break
        assert not left, f"the check of {name} does not end"
        found[name], response = await read(ctx, engine, CHECK_REGISTERS["check_crc"], rng)
        assert response == OKAY
    return found


def small_image(seed, ks=(2,)):
    rng = np.random.default_rng(seed)
    network = random_network(rng, [9, 7, 3], ks=ks, keeps=(1, 2))
    return pack(network, fit_config(network, lanes=2, rows=2))


def word_writes(name, place, word):
    """Return the register writes that replace one word of a memory."""
    padded = word.tobytes().ljust(-(-len(word) // 4) * 4, b"\0")
    pieces = np.frombuffer(padded, dtype="<u4").tolist()
    data = [(REGISTERS["load_data"], piece) for piece in pieces]
    return [(REGISTERS["load_place"], request(name, place)), *data]


@pytest.mark.parametrize("ks", [(2,), (0,)], ids=["indices", "no indices"])
@pytest.mark.parametrize("storage", Storage)
def test_an_engine_knows_its_image_and_any_flipped_bit_of_it(storage, ks):
    image, rng = small_image(4, ks), random.Random(4)
    expected, used = memory_crcs(image), used_words(image)
    assert ("indices" in expected) == (ks != (0,))
    for name in (None, *expected):
        memories = {each: words.copy() for each, words in image.memories.items()}
        place = 0
        if name is not None:
            place = rng.randrange(used[name])
            bit = rng.randrange(memory_shapes(image.config)[name][1])
            memories[name][place, bit // 8] ^= 1 << bit % 8
        rom = storage is Storage.ROM
        engine = AxiEngine(
            config=image.config,
            memories=memories if rom else None,
            storage=storage,
            memory_check=True,
        )
        loads = [] if rom else loading_writes(image).tolist()
        if not rom and name is not None:
            loads += word_writes(name, place, memories[name][place])

        async def bench(ctx, engine=engine, loads=loads, name=name):
            ctx.set(engine.aresetn, 1)
            control = REGISTERS["control"]
            assert await write(ctx, engine, control, HALT, 0b1111, rng) == OKAY
            for address, value in loads:
                assert await write(ctx, engine, address, value, 0b1111, rng) == OKAY
            found = await checked_crcs(ctx, engine, image, rng)
            assert [each for each in found if found[each] != expected[each]] == [
                each for each in expected if each == name
            ]
            assert await write(ctx, engine, control, 0, 0b1111, rng) == OKAY
            refused = await write(
                ctx, engine, CHECK_REGISTERS["check"], request("rows", 1), 0b1111, rng
            )
            assert refused == SLVERR
            booted = 1 << STATUS["booted"]
            for _ in range(20):
                if (await read(ctx, engine, REGISTERS["status"], rng))[0] & booted:
                    return
            raise AssertionError("the engine does not boot again")

        run_engine(engine, bench)


def test_an_engine_that_is_let_go_in_mid_check_is_as_out_of_reset():
    image, rng = small_image(6), random.Random(6)
    requests = list(check_requests(image).values())
    engine = AxiEngine(config=image.config, memories=image.memories, memory_check=True)
    digest = int(image.digest, 16)

    async def bench(ctx):
        ctx.set(engine.aresetn, 1)
        control, check = REGISTERS["control"], CHECK_REGISTERS["check"]
        for number in range(30):
            assert await write(ctx, engine, control, HALT, 0b1111, rng) == OKAY
            word = requests[number % len(requests)]
            assert await write(ctx, engine, check, word, 0b1111, rng) == OKAY
            assert await write(ctx, engine, control, 0, 0b1111, rng) == OKAY
            await ctx.tick().repeat(10)
            assert await read(ctx, engine, check, rng) == (0, OKAY)
            found = [await read(ctx, engine, REGISTERS[f"digest_{n}"], rng) for n in range(3)]
            assert found == [(digest >> 32 * n & 0xFFFFFFFF, OKAY) for n in range(3)]
            assert await read(ctx, engine, REGISTERS["status"], rng) == (1, OKAY)

    run_engine(engine, bench)


def test_a_request_is_written_whole():
    image, rng = small_image(7), random.Random(7)
    engine = AxiEngine(config=image.config, memories=image.memories, memory_check=True)
    word = check_requests(image)["rows"]

    async def bench(ctx):
        ctx.set(engine.aresetn, 1)
        control, check = REGISTERS["control"], CHECK_REGISTERS["check"]
        assert await write(ctx, engine, check, word, 0b1111, rng) == SLVERR
        assert await write(ctx, engine, control, HALT, 0b1111, rng) == OKAY
        for strobe in range(15):
            assert await write(ctx, engine, check, word, strobe, rng) == SLVERR
            assert await read(ctx, engine, check, rng) == (0, OKAY)
        assert await write(ctx, engine, CHECK_REGISTERS["check_crc"], word, 0b1111, rng) == SLVERR
        assert await write(ctx, engine, check, word, 0b1111, rng) == OKAY
        assert await write(ctx, engine, check, word, 0b1111, rng) == SLVERR

    run_engine(engine, bench)


def run_engine(engine, bench):
    """Run an engine whose clock is a port."""
    m = Module()
    m.submodules.engine = engine
    m.d.comb += engine.aclk.eq(ClockSignal())
    run_component(m, bench)


@pytest.mark.parametrize("storage", Storage)
def test_only_an_engine_that_was_made_so_has_the_registers(storage):
    image, rng = small_image(5), random.Random(5)
    engine = AxiEngine(config=image.config, storage=storage)

    async def bench(ctx):
        ctx.set(engine.aresetn, 1)
        for address in CHECK_REGISTERS.values():
            assert (await read(ctx, engine, address, rng))[1] == DECERR
            assert await write(ctx, engine, address, 0, 0b1111, rng) == DECERR

    run_engine(engine, bench)


def test_checked_must_be_a_bool():
    with pytest.raises(TypeError, match=r"^memory_check must be a bool, not 1$"):
        Engine(config=small_config(), memory_check=1)
