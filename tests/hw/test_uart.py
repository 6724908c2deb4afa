import random

import pytest
from component_simulation import run_component
from serial_line import drive, levels

from darb.hw.uart import MIN_DIVISOR, UartReceiver, UartTransmitter, uart_divisor


def receive(divisor, scenario):
    """Run `scenario`, an async function of a context and the line; return the bytes that came."""
    receiver, heard = UartReceiver(divisor=divisor), []

    async def bench(ctx):
        ctx.set(receiver.rx, 1)
        for _ in range(10):
            await ctx.tick()
        await scenario(ctx, receiver.rx)
        ctx.set(receiver.rx, 1)
        for _ in range(12 * divisor):
            await ctx.tick()

    async def monitor(ctx):
        signals = (receiver.o.valid, receiver.o.payload.data, receiver.o.payload.broken)
        async for _, _, valid, data, broken in ctx.tick().sample(*signals):
            if valid:
                heard.append((data, broken))

    run_component(receiver, bench, background=[monitor])
    return heard


def good(data):
    return [(byte, 0) for byte in data]


@pytest.mark.parametrize("error", [-0.02, 0.0, 0.02])
@pytest.mark.parametrize("divisor", [4, 5, 7, 8, 13, 24, 104])
def test_bytes_at_any_divisor_and_two_percent_off(divisor, error):
    rng = random.Random(divisor)
    data = bytes([0x00, 0xFF, 0x55, 0xAA, 0x01, 0x80]) + rng.randbytes(20 if divisor < 50 else 4)

    async def scenario(ctx, line):
        await drive(ctx, line, levels(data), divisor * (1 + error), phase=rng.random())

    assert receive(divisor, scenario) == good(data)


@pytest.mark.parametrize("divisor", [5, 8, 24])
def test_disturbances_of_one_clock_are_not_seen(divisor):
    rng = random.Random(divisor)
    data = rng.randbytes(20)

    async def scenario(ctx, line):
        for bit in [1, 1, 1, *levels(data), 1, 1]:
            disturbed = rng.randrange(1, divisor - 1)
            for clock in range(divisor):
                ctx.set(line, bit ^ (clock == disturbed))
                await ctx.tick()

    assert receive(divisor, scenario) == good(data)


@pytest.mark.parametrize("divisor", [8, 9, 24])
def test_a_start_bit_that_ends_before_its_middle_is_none(divisor):
    async def scenario(ctx, line):
        for low in range(1, divisor // 2 - 1):
            await drive(ctx, line, [0], low)
            await drive(ctx, line, [1], 2 * divisor)
            await drive(ctx, line, levels(b"\x5a"), divisor)

    assert receive(divisor, scenario) == good(b"\x5a" * (divisor // 2 - 2))


def test_a_byte_without_stop_bit_is_broken_and_the_next_is_not():
    async def scenario(ctx, line):
        await drive(ctx, line, [*levels(b"\x21", stop=0), 1, *levels(b"\x42")], 8)

    assert receive(8, scenario) == [(0x21, 1), (0x42, 0)]


def test_a_line_that_stays_0_is_one_broken_byte():
    async def scenario(ctx, line):
        await drive(ctx, line, [0] * 200 + [1] + levels(b"\x99"), 6)

    assert receive(6, scenario) == [(0, 1), (0x99, 0)]


@pytest.mark.parametrize("divisor", [4, 5, 16])
def test_the_transmitter_sends_without_a_pause(divisor):
    data = b"\x00\xff\x5a\xa5"
    transmitter, line = UartTransmitter(divisor=divisor), []

    async def source(ctx):
        ctx.set(transmitter.i.valid, 1)
        for byte in data:
            ctx.set(transmitter.i.payload, byte)
            await ctx.tick().until(transmitter.i.ready)
        ctx.set(transmitter.i.valid, 0)
        for _ in range(12 * divisor):
            await ctx.tick()

    async def monitor(ctx):
        async for _, _, level in ctx.tick().sample(transmitter.tx):
            line.append(level)

    run_component(transmitter, source, background=[monitor])
    first = line.index(0)
    assert all(line[:first])
    sent = [bit for bit in levels(data) for _ in range(divisor)]
    assert line[first : first + len(sent)] == sent
    assert all(line[first + len(sent) :])


@pytest.mark.parametrize(
    ("clock_hz", "baud", "divisor"),
    [(24_000_000, 1_000_000, 24), (12_000_000, 921_600, 13), (4, 1, 4), (48_000_000, 115_200, 417)],
)
def test_the_divisor_is_the_nearest(clock_hz, baud, divisor):
    assert uart_divisor(clock_hz, baud) == divisor


@pytest.mark.parametrize(
    ("clock_hz", "baud", "error", "message"),
    [
        (1.5, 1, TypeError, "clock_hz must be an int, not 1.5"),
        (100, True, TypeError, "baud must be an int, not True"),
        (0, 1, ValueError, "clock_hz must be at least 1, not 0"),
        (100, -1, ValueError, "baud must be at least 1, not -1"),
        (12_000_000, 4_000_000, ValueError, "baud must be at most 3000000 at 12000000 Hz, not 4"),
        (
            10_000_000,
            1_500_000,
            ValueError,
            "baud must be within 1 % of a division of 10000000 Hz, such as 1428571, not 1500000",
        ),
    ],
)
def test_a_rate_that_cannot_be_had_is_refused(clock_hz, baud, error, message):
    with pytest.raises(error, match=f"^{message}"):
        uart_divisor(clock_hz, baud)


@pytest.mark.parametrize("end", [UartReceiver, UartTransmitter])
def test_a_divisor_is_checked(end):
    with pytest.raises(TypeError, match=r"^divisor must be an int, not 8\.0$"):
        end(divisor=8.0)
    with pytest.raises(ValueError, match=r"^divisor must be at least 4, not 3$"):
        end(divisor=MIN_DIVISOR - 1)
