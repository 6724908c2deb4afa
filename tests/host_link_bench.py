"""A host link between a serial line and a stand-in of the engine."""

from __future__ import annotations

import struct

from axi_engine_double import EngineDouble
from component_simulation import run_component
from configs import small_config
from serial_line import drive, levels, listen

from darb.golden import Storage
from darb.golden.frame import (
    ERROR_REPLY,
    Frame,
    FrameError,
    frame_size,
)
from darb.hw.host_link import HostLink

DIVISOR, TIMEOUT, BEATS, ROWS = 4, 300, 3, 5


def frames_in(heard):
    """Return the whole frames in a row of bytes, None for one with a wrong CRC, and the rest."""
    frames, rest = [], bytes(heard)
    while len(rest) >= 8 and len(rest) >= frame_size(rest):
        try:
            frames.append(Frame.decode(rest[: frame_size(rest)]))
        except FrameError:
            frames.append(None)
        rest = rest[frame_size(rest) :]
    return frames, rest


class Bench:
    """A link between a line and a stand-in of the engine.

    `broken` replies shall have a wrong CRC; every `second` clocks is one of the link's seconds.
    """

    def __init__(
        self, *, storage=Storage.RAM, config=None, capacity=None, seed=0, broken=0, second=None
    ):
        self.broken, self.second = broken, second
        self.config = config or small_config(output_depth=8)
        self.link = HostLink(
            config=self.config,
            storage=storage,
            divisor=DIVISOR,
            timeout=TIMEOUT,
            capacity=capacity,
        )
        self.engine = EngineDouble(self.config, storage, beats=BEATS, rows=ROWS, seed=seed)
        self.heard = bytearray()
        self.answers = []

    def run(self, scenario):
        """Run `scenario`, then wait until nothing moves; return all replies."""

        async def bench(ctx):
            ctx.set(self.link.rx, 1)
            await self.wait(ctx, 10)
            await scenario(ctx)
            # Ticks rarely: Amaranth's simulator spends most of its time on what watches it.
            before = -1
            while ctx.get(self.link.busy) or len(self.heard) != before:
                before = len(self.heard)
                await self.wait(ctx, TIMEOUT)

        async def engine(ctx):
            await self.engine.run(ctx, self.link.engine)

        async def ear(ctx):
            await listen(ctx, self.link.tx, DIVISOR, self.heard)

        async def monitor(ctx):
            async for _, _, answers, failed in ctx.tick().sample(
                self.link.answers, self.link.failed
            ):
                if answers:
                    self.answers.append(failed)

        async def clock(ctx):
            clocks = 0
            async for _ in ctx.tick():
                clocks += 1
                ctx.set(self.link.second, clocks % self.second == 0)

        seconds = [clock] if self.second else []
        run_component(self.link, bench, background=[engine, ear, monitor, *seconds])
        frames, rest = frames_in(self.heard)
        assert not rest
        assert frames.count(None) == self.broken
        assert self.answers == [
            int(frame is not None and frame.command == ERROR_REPLY) for frame in frames
        ]
        return frames

    async def wait(self, ctx, clocks):
        await ctx.tick().repeat(clocks)

    async def send(self, ctx, *frames):
        for frame in frames:
            data = frame.encode() if isinstance(frame, Frame) else frame
            await drive(ctx, self.link.rx, levels(data), DIVISOR)

    def ask(self, *frames):
        """Send frames, each after the reply to the one before; return the replies."""

        async def scenario(ctx):
            for frame in frames:
                before = len(self.heard)
                await self.send(ctx, frame)
                while len(self.heard) < before + 8 or len(self.heard) < before + frame_size(
                    self.heard[before:]
                ):
                    await self.wait(ctx, DIVISOR)

        return self.run(scenario)


def error(tag, code):
    return Frame(ERROR_REPLY, tag, bytes([code]))


def words(*values):
    return struct.pack(f"<{len(values)}I", *values)


def vector(rng, config, beats=BEATS):
    return rng.randbytes(beats * config.lanes)


def beats_of(payload, lanes):
    return [
        int.from_bytes(payload[at : at + lanes], "little") for at in range(0, len(payload), lanes)
    ]


def result_bytes(words, config):
    size = config.output_bytes
    return b"".join((word % (1 << 8 * size)).to_bytes(size, "little") for word in words)
