"""A serial line in Amaranth's simulator: bits of any length in clocks, fractions too."""

from __future__ import annotations

import math
from collections.abc import Iterable


def levels(data: bytes, *, stop: int = 1) -> list[int]:
    """Return the bits of `data` on the line: start, eight data bits, stop."""
    return [bit for byte in data for bit in (0, *(byte >> place & 1 for place in range(8)), stop)]


async def drive(ctx, line, bits: Iterable[int], clocks: float, *, phase: float = 0.0) -> None:
    """Put `bits` on the line, `clocks` each, every edge on the next clock."""
    now, edge = 0, phase
    for bit in [*bits, None]:
        clocks_left = math.ceil(edge) - now
        if clocks_left > 0:
            await ctx.tick().repeat(clocks_left)
            now += clocks_left
        if bit is not None:
            ctx.set(line, bit)
        edge += clocks


async def listen(ctx, line, divisor: int, heard: bytearray) -> None:
    """Append to `heard` every byte that comes on the line; checks each start and stop bit."""
    clock, value = None, 0
    async for _, _, level in ctx.tick().sample(line):
        if clock is None:
            clock = None if level else 0
            continue
        clock += 1
        bit, inside = divmod(clock, divisor)
        if inside != divisor // 2:
            continue
        if bit == 0:
            assert level == 0, "a start bit ends early"
        elif bit <= 8:
            value = value >> 1 | level << 7
        else:
            assert level == 1, "a stop bit is 0"
            heard.append(value)
            clock = None
