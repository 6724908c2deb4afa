"""A whole board core, its serial line abused: told what was wrong, and the next vector exact."""

import random
import zlib

import numpy as np
import pytest
from component_simulation import run_component
from host_link_bench import frames_in
from random_networks import random_network, random_vectors, reference
from serial_line import drive, levels, listen

from darb.golden import fit_config, pack
from darb.golden.frame import ERROR_REPLY, REPLY, Command, ErrorCode, Frame
from darb.golden.memory_map import FORMAT_VERSION
from darb.golden.register_map import IDENTITY
from darb.hw.board_core import BoardCore
from darb.hw.stimulus import to_beats

DIVISOR, TIMEOUT = 4, 300
BYTE = 10 * DIVISOR
MOST_CLOCKS = 200 * BYTE
"""Without an answer: a hang."""


class Bench:
    """A board core with an image; vectors that it is asked for among whatever else comes."""

    def __init__(self, seed):
        rng = np.random.default_rng(seed)
        self.network = random_network(rng, [4, 3, 2], ks=range(2))
        self.image = pack(self.network, fit_config(self.network, lanes=1, rows=1))
        self.vectors = random_vectors(rng, self.network, 4)
        self.rng, self.heard = random.Random(seed), bytearray()
        self.core = BoardCore(
            config=self.image.config,
            memories=self.image.memories,
            clock_hz=1_000_000 * DIVISOR,
            baud=1_000_000,
            timeout=TIMEOUT,
        )

    def run(self, scenario):
        async def bench(ctx):
            ctx.set(self.core.uart_rx, 1)
            await ctx.tick().repeat(200)
            await scenario(ctx)

        async def ear(ctx):
            await listen(ctx, self.core.uart_tx, DIVISOR, self.heard)

        run_component(self.core, bench, background=[ear])

    async def send(self, ctx, *parts):
        """Send bytes, or levels of the line as lists of 0 and 1, each for a bit's time."""
        for part in parts:
            bits = part if isinstance(part, list) else levels(part)
            await drive(ctx, self.core.uart_rx, bits, DIVISOR)
        ctx.set(self.core.uart_rx, 1)

    async def answers(self, ctx, clocks=TIMEOUT + 4 * BYTE):
        """Return the frames that come until the line was silent for long."""
        quiet, before = 0, len(self.heard)
        while quiet < clocks:
            await ctx.tick().repeat(BYTE)
            quiet = quiet + BYTE if len(self.heard) == before else 0
            before = len(self.heard)
        frames, rest = frames_in(self.heard)
        self.heard.clear()
        assert not rest
        assert None not in frames
        return frames

    def infer(self, number):
        """Return a vector's frame, with its number as the tag."""
        vector = self.vectors[number % len(self.vectors)]
        beats = to_beats(self.image, vector[None])
        return Frame(Command.INFER, number & 0xFF, beats.tobytes()).encode()

    async def answer(self, ctx):
        """Wait for one frame and return it."""
        for _ in range(MOST_CLOCKS // BYTE):
            frames, rest = frames_in(self.heard)
            if frames and not rest:
                self.heard.clear()
                (frame,) = frames
                return frame
            await ctx.tick().repeat(BYTE)
        raise AssertionError("no answer")

    async def next_vector_is_exact(self, ctx, number):
        await self.send(ctx, self.infer(number))
        self.expect(await self.answer(ctx), number)

    def expect(self, frame, number):
        words = reference(self.network, self.vectors[number % len(self.vectors)][None])[0]
        payload = words.astype("<i4").tobytes()
        assert frame == Frame(Command.INFER | REPLY, number & 0xFF, payload)


def codes(frames):
    assert all(frame.command == ERROR_REPLY for frame in frames)
    return [ErrorCode(frame.payload[0]).name for frame in frames]


def with_crc(body):
    return body + zlib.crc32(body).to_bytes(4, "little")


def test_a_frame_that_is_cut_off_is_a_timeout():
    """Everywhere is for `test_frame_receiver`; here in the header, the payload and the CRC."""
    bench = Bench(1)
    whole = bench.infer(0)

    async def scenario(ctx):
        for cut in (1, 6, len(whole) - 1):
            await bench.send(ctx, whole[:cut])
            assert codes(await bench.answers(ctx)) == ["TIMEOUT"], cut
            await bench.next_vector_is_exact(ctx, cut)

    bench.run(scenario)


def test_a_flipped_bit_of_a_frame_is_told_and_gives_no_result():
    """Of the length, which gets shorter, longer and too long; of command, vector and CRC."""
    bench = Bench(2)
    whole = bench.infer(0)
    seen = set()

    async def scenario(ctx):
        for bit in (2, 3, 15, 17, 40, 8 * len(whole) - 1):
            flipped = bytearray(whole)
            flipped[bit // 8] ^= 1 << bit % 8
            await bench.send(ctx, bytes(flipped))
            told = codes(await bench.answers(ctx))
            expected = {"CRC"} if bit >= 16 else {"CRC", "TIMEOUT", "TOO_LONG"}
            # What follows a frame that was made shorter is taken for another one's beginning.
            assert told, bit
            assert set(told) <= expected, (bit, told)
            seen.update(told)
            await bench.next_vector_is_exact(ctx, bit)

    bench.run(scenario)
    assert seen == {"CRC", "TIMEOUT", "TOO_LONG"}


def test_vectors_of_a_wrong_length_are_refused():
    bench = Bench(3)
    payload = bench.infer(0)[4:-4]
    sizes = (0, len(payload) - 1, len(payload) + 1)

    async def scenario(ctx):
        for size in sizes:
            await bench.send(ctx, Frame(Command.INFER, 7, (payload * 3)[:size]).encode())
            (reply,) = [await bench.answer(ctx)]
            assert (reply.tag, codes([reply])) == (7, ["BAD_LENGTH"]), size
            await bench.next_vector_is_exact(ctx, size)

    bench.run(scenario)


@pytest.mark.parametrize("claimed", [257, 0xFFFF])
def test_a_frame_longer_than_the_buffer_is_told_at_once_and_skipped(claimed):
    bench = Bench(4)

    async def scenario(ctx):
        header = claimed.to_bytes(2, "little") + bytes([Command.INFER, 9])
        # Frames among what is skipped must not be carried out.
        await bench.send(ctx, header, bench.infer(1), bench.infer(2))
        assert codes(await bench.answers(ctx)) == ["TOO_LONG"]
        await bench.next_vector_is_exact(ctx, 3)

    bench.run(scenario)


def test_bytes_behind_a_frame_are_no_part_of_it():
    bench = Bench(5)

    async def scenario(ctx):
        for extra in (1, 4):
            await bench.send(ctx, bench.infer(extra), bytes([5, 0, 0xFF, 1, 2, 3, 4, 5][:extra]))
            first, *others = await bench.answers(ctx)
            bench.expect(first, extra)
            assert codes(others) == ["TIMEOUT"], extra
            await bench.next_vector_is_exact(ctx, extra)

    bench.run(scenario)


@pytest.mark.parametrize("low", [9, 10, 200])
def test_a_break_between_frames_is_no_frame(low):
    """From nine bits' time, which may look like a byte, to twenty bytes'."""
    bench = Bench(6)

    async def scenario(ctx):
        await bench.send(ctx, [0] * low, [1] * 12)
        if low < 10:
            # The line rises in time for a stop bit: a byte, which begins a frame.
            assert codes(await bench.answers(ctx)) == ["TIMEOUT"]
        await bench.next_vector_is_exact(ctx, low)

    bench.run(scenario)


def test_a_break_inside_a_frame_spoils_that_frame():
    bench = Bench(7)
    whole = bench.infer(0)

    async def scenario(ctx):
        for place in (2, 6):
            await bench.send(ctx, whole[:place], [0] * 25, [1] * 3, whole[place:])
            told = codes(await bench.answers(ctx))
            assert told, place
            assert set(told) <= {"CRC", "TIMEOUT", "TOO_LONG"}, (place, told)
            await bench.next_vector_is_exact(ctx, place)

    bench.run(scenario)


@pytest.mark.parametrize("seed", range(2))
def test_noise_between_frames_costs_nothing_after_a_silence(seed):
    bench = Bench(100 + seed)

    async def scenario(ctx):
        for number in range(2):
            for _ in range(bench.rng.randrange(20, 60)):
                ctx.set(bench.core.uart_rx, bench.rng.randrange(2))
                await ctx.tick().repeat(bench.rng.randrange(1, 4 * DIVISOR))
            ctx.set(bench.core.uart_rx, 1)
            told = await bench.answers(ctx)
            assert all(frame.command == ERROR_REPLY for frame in told), f"seed {seed}"
            await bench.next_vector_is_exact(ctx, number)

    bench.run(scenario)


def test_commands_that_are_none_and_those_of_a_loadable_engine():
    bench = Bench(8)

    async def scenario(ctx):
        number = 0
        for command in (0, 0x82):
            await bench.send(ctx, Frame(command, 1, b"abcd").encode())
            assert codes([await bench.answer(ctx)]) == ["UNKNOWN_COMMAND"], command
            await bench.next_vector_is_exact(ctx, number)
            number += 1
        for payload in (b"", b"abcde"):
            await bench.send(ctx, Frame(Command.LOAD, 1, payload).encode())
            assert codes([await bench.answer(ctx)]) == ["BAD_LENGTH"], payload
            await bench.next_vector_is_exact(ctx, number)
            number += 1
        # Read-only memories: nothing is written, nothing is halted.
        await bench.send(ctx, Frame(Command.LOAD, 1, bytes(8)).encode())
        assert codes([await bench.answer(ctx)]) == ["REFUSED"]
        await bench.next_vector_is_exact(ctx, number)

    bench.run(scenario)


def test_frames_without_a_pause_are_answered_or_told_lost():
    bench = Bench(9)

    async def scenario(ctx):
        await bench.send(ctx, *(bench.infer(number) for number in range(6)))
        replies = await bench.answers(ctx)
        assert 2 <= len(replies) <= 6
        for reply in replies:
            if reply.command == ERROR_REPLY:
                assert codes([reply]) == ["OVERRUN"]
            else:
                bench.expect(reply, reply.tag)
        await bench.next_vector_is_exact(ctx, 6)

    bench.run(scenario)


def test_after_all_of_it_the_engine_is_who_it_was():
    bench = Bench(10)

    async def scenario(ctx):
        await bench.send(ctx, bytes(range(30)), [0] * 50, [1] * 10, bench.rng.randbytes(20))
        await bench.answers(ctx)
        await bench.next_vector_is_exact(ctx, 0)
        await bench.send(ctx, Frame(Command.IDENTIFY, 3).encode())
        reply = await bench.answer(ctx)
        values = np.frombuffer(reply.payload[4:], dtype="<u4").tolist()
        assert values[:2] == [IDENTITY, FORMAT_VERSION]

    bench.run(scenario)
