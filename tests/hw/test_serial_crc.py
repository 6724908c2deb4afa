import zlib

from component_simulation import run_component
from hypothesis import given, settings
from hypothesis import strategies as st

from darb.hw.serial_crc import SerialCrc


def crc_of(messages):
    """Return the CRC after each message, and whether the message with its CRC is good."""
    crc, seen = SerialCrc(), []

    async def feed(ctx, data):
        for byte in data:
            ctx.set(crc.i.valid, 1)
            ctx.set(crc.i.payload, byte)
            await ctx.tick().until(crc.i.ready)
            ctx.set(crc.start, 0)
            ctx.set(crc.i.valid, 0)
        while not ctx.get(crc.i.ready):
            await ctx.tick()

    async def bench(ctx):
        for message, tail in messages:
            ctx.set(crc.start, 1)
            await feed(ctx, message)
            value = ctx.get(crc.crc)
            await feed(ctx, value.to_bytes(4, "little") if tail is None else tail)
            seen.append((value, ctx.get(crc.good)))

    run_component(crc, bench)
    return seen


@settings(max_examples=20)
@given(st.lists(st.binary(min_size=1, max_size=12), min_size=1, max_size=3))
def test_it_is_zlibs(messages):
    assert crc_of([(message, None) for message in messages]) == [
        (zlib.crc32(message), 1) for message in messages
    ]


def test_another_tail_is_not_good():
    right = zlib.crc32(b"darb").to_bytes(4, "little")
    tails = [right[:-1] + bytes([right[-1] ^ 1 << bit]) for bit in range(8)]
    assert [good for _, good in crc_of([(b"darb", tail) for tail in [*tails, right]])] == [
        *[0] * 8,
        1,
    ]
