import random

import pytest
from component_simulation import run_component

from darb.golden.frame import Command, ErrorCode, Frame
from darb.hw.frame_receiver import FrameReceiver

CAPACITY, TIMEOUT, SPACING = 256, 200, 16


class Bench:
    """A receiver, what it is sent and what it tells.

    `take(ctx)` takes the next report and, with a whole frame, reads and releases its half.
    """

    def __init__(self):
        self.receiver = FrameReceiver(capacity=CAPACITY, timeout=TIMEOUT)
        self.told = []

    def run(self, scenario):
        run_component(self.receiver, scenario)
        return self.told

    async def wait(self, ctx, clocks):
        for _ in range(clocks):
            await ctx.tick()

    async def send(self, ctx, data, broken=()):
        i = self.receiver.i
        for place, byte in enumerate(data):
            ctx.set(i.valid, 1)
            ctx.set(i.payload.data, byte)
            ctx.set(i.payload.broken, place in broken)
            await ctx.tick()
            ctx.set(i.valid, 0)
            await self.wait(ctx, SPACING - 1)

    async def peek(self, ctx):
        """Take the next report without releasing."""
        o = self.receiver.o
        for _ in range(2 * SPACING):
            if ctx.get(o.valid):
                break
            await ctx.tick()
        else:
            self.told.append(None)
            return None
        frame = ctx.get(o.payload)
        ctx.set(o.ready, 1)
        await ctx.tick()
        ctx.set(o.ready, 0)
        return frame

    async def read(self, ctx, frame):
        """Tell the frame that was peeked, from the buffer, and release it."""
        if frame["error"]:
            self.told.append((ErrorCode(frame["error"]).name, frame["tag"]))
            return
        payload, receiver = bytearray(), self.receiver
        ctx.set(receiver.read_en, 1)
        for address in range(frame["length"]):
            ctx.set(receiver.read_address, address)
            await self.wait(ctx, 2)
            payload.append(ctx.get(receiver.read_data))
        ctx.set(receiver.read_en, 0)
        ctx.set(receiver.release, 1)
        await ctx.tick()
        ctx.set(receiver.release, 0)
        self.told.append(Frame(frame["command"], frame["tag"], bytes(payload)))

    async def take(self, ctx):
        frame = await self.peek(ctx)
        if frame is not None:
            await self.read(ctx, frame)


def frame_of(rng, tag, size=None):
    payload = rng.randbytes(rng.randrange(30) if size is None else size)
    return Frame(rng.randrange(256), tag, payload)


def test_whole_frames_of_every_size():
    rng, bench = random.Random(1), Bench()
    frames = [frame_of(rng, tag, size) for tag, size in enumerate([0, 1, 2, 255, CAPACITY, 3])]

    async def scenario(ctx):
        for frame in frames:
            await bench.send(ctx, frame.encode())
            await bench.take(ctx)

    assert bench.run(scenario) == frames


def test_one_half_fills_while_the_other_is_held():
    rng, bench = random.Random(2), Bench()
    frames = [frame_of(rng, tag) for tag in range(7)]

    async def scenario(ctx):
        await bench.send(ctx, frames[0].encode())
        for later in frames[1:]:
            held = await bench.peek(ctx)
            await bench.send(ctx, later.encode())
            await bench.read(ctx, held)
        await bench.take(ctx)

    assert bench.run(scenario) == frames


def test_a_third_frame_is_an_overrun_told_in_its_turn():
    rng, bench = random.Random(3), Bench()
    frames = [frame_of(rng, tag) for tag in range(6)]

    async def scenario(ctx):
        await bench.send(ctx, frames[0].encode())
        held = await bench.peek(ctx)
        for frame in frames[1:4]:
            await bench.send(ctx, frame.encode())
        await bench.read(ctx, held)
        await bench.take(ctx)
        await bench.take(ctx)
        for frame in frames[4:]:
            await bench.send(ctx, frame.encode())
            await bench.take(ctx)
        await bench.take(ctx)

    # The fourth is lost without a word: one report is waiting already.
    assert bench.run(scenario) == [*frames[:2], ("OVERRUN", 2), *frames[4:], None]


def test_a_frame_that_began_without_a_free_half_is_an_overrun_though_one_was_freed():
    rng, bench = random.Random(4), Bench()
    frames = [frame_of(rng, tag, 20) for tag in range(4)]

    async def scenario(ctx):
        await bench.send(ctx, frames[0].encode())
        first = await bench.peek(ctx)
        await bench.send(ctx, frames[1].encode())
        encoded = frames[2].encode()
        await bench.send(ctx, encoded[:10])
        await bench.read(ctx, first)
        second = await bench.peek(ctx)
        await bench.send(ctx, encoded[10:])
        await bench.send(ctx, frames[3].encode()[:-1])
        await bench.read(ctx, second)
        await bench.take(ctx)
        await bench.send(ctx, frames[3].encode()[-1:])
        await bench.take(ctx)

    assert bench.run(scenario) == [*frames[:2], ("OVERRUN", 2), frames[3]]


def test_every_flipped_bit_is_noticed_and_costs_one_frame():
    rng, bench = random.Random(5), Bench()
    frame, good = Frame(Command.LOAD, 9, b"abc"), frame_of(rng, 1)
    encoded = frame.encode()
    # Of the length, only the lowest bit that shortens; the others are another test's.
    places = [8 * place + bit for place in range(2, len(encoded)) for bit in range(8)]
    tags = []

    async def scenario(ctx):
        for place in places:
            flipped = bytearray(encoded)
            flipped[place // 8] ^= 1 << place % 8
            tags.append(flipped[3])
            await bench.send(ctx, flipped)
            await bench.take(ctx)
            await bench.send(ctx, good.encode())
            await bench.take(ctx)

    told = bench.run(scenario)
    assert told[0::2] == [("CRC", tag) for tag in tags]
    assert told[1::2] == [good] * len(places)


@pytest.mark.parametrize("place", range(1, 11))
def test_a_broken_byte_makes_the_frame_broken(place):
    frame, bench = Frame(Command.LOAD, 9, b"abc"), Bench()

    async def scenario(ctx):
        await bench.send(ctx, frame.encode(), broken={place})
        await bench.take(ctx)
        await bench.send(ctx, frame.encode())
        await bench.take(ctx)

    assert bench.run(scenario) == [("CRC", 9), frame]


def test_a_broken_byte_between_frames_is_ignored():
    frame, bench = Frame(Command.LOAD, 9, b"abc"), Bench()

    async def scenario(ctx):
        await bench.send(ctx, b"\0" + frame.encode(), broken={0})
        await bench.take(ctx)

    assert bench.run(scenario) == [frame]


@pytest.mark.parametrize("length", [CAPACITY + 1, 2 * CAPACITY, 0xFFFF])
def test_a_frame_that_is_too_long_is_told_at_once_and_skipped(length):
    frame, bench = Frame(Command.LOAD, 9, b"abc"), Bench()

    async def scenario(ctx):
        await bench.send(ctx, length.to_bytes(2, "little") + b"\x02\x37")
        await bench.take(ctx)
        # Whole frames among it: nothing is taken until the line is silent.
        for _ in range(5):
            await bench.send(ctx, frame.encode())
            await bench.wait(ctx, TIMEOUT - SPACING - 10)
        await bench.take(ctx)
        await bench.wait(ctx, TIMEOUT)
        await bench.send(ctx, frame.encode())
        await bench.take(ctx)

    assert bench.run(scenario) == [("TOO_LONG", 0x37), None, frame]


@pytest.mark.parametrize("cut", range(1, 11))
def test_silence_inside_a_frame_is_a_timeout(cut):
    frame, bench = Frame(Command.LOAD, 9, b"abc"), Bench()

    async def scenario(ctx):
        await bench.send(ctx, frame.encode()[:cut])
        await bench.wait(ctx, TIMEOUT - SPACING - 2)
        assert not ctx.get(bench.receiver.o.valid)
        assert ctx.get(bench.receiver.busy)
        await bench.wait(ctx, 6)
        await bench.take(ctx)
        assert not ctx.get(bench.receiver.busy)
        await bench.send(ctx, frame.encode())
        await bench.take(ctx)

    assert bench.run(scenario) == [("TIMEOUT", 9 if cut > 3 else 0), frame]


def test_a_pause_that_is_short_enough_changes_nothing():
    frame, bench = Frame(Command.LOAD, 9, b"abc"), Bench()

    async def scenario(ctx):
        for byte in frame.encode():
            await bench.send(ctx, bytes([byte]))
            await bench.wait(ctx, TIMEOUT - SPACING - 2)
        await bench.take(ctx)

    assert bench.run(scenario) == [frame]


@pytest.mark.parametrize("seed", range(20))
def test_after_any_garbage_and_silence_a_frame_is_taken(seed):
    rng, bench = random.Random(seed), Bench()
    frame = Frame(Command.IDENTIFY, 0x5A)

    async def scenario(ctx):
        for _ in range(4):
            garbage = rng.randbytes(rng.randrange(1, 40))
            if rng.random() < 0.5:
                # Lengths that fit, so that more than the header is reached.
                garbage = bytes([rng.randrange(30), 0]) + garbage
            broken = {place for place in range(len(garbage)) if rng.random() < 0.05}
            await bench.send(ctx, garbage, broken=broken)
        await bench.wait(ctx, TIMEOUT + 2)
        while ctx.get(bench.receiver.o.valid):
            await bench.take(ctx)
        bench.told.clear()
        await bench.send(ctx, frame.encode())
        await bench.take(ctx)

    assert bench.run(scenario) == [frame], f"seed {seed}"


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"capacity": 256.0}, TypeError, r"capacity must be an int, not 256\.0"),
        ({"timeout": None}, TypeError, "timeout must be an int, not None"),
        (
            {"capacity": 128},
            ValueError,
            r"capacity must be a power of two in 256\.\.32768, not 128",
        ),
        (
            {"capacity": 300},
            ValueError,
            r"capacity must be a power of two in 256\.\.32768, not 300",
        ),
        ({"timeout": 0}, ValueError, "timeout must be at least 1, not 0"),
    ],
)
def test_arguments_are_checked(changes, error, message):
    with pytest.raises(error, match=f"^{message}$"):
        FrameReceiver(**{"capacity": 256, "timeout": 100, **changes})
