"""The memory check over the serial port of a whole board core, its image in the bitstream."""

import struct

import numpy as np
import pytest
from component_simulation import run_component
from host_link_bench import DIVISOR, TIMEOUT, error, frames_in
from random_networks import random_network, random_vectors, reference
from serial_line import drive, levels, listen

from darb.golden import check_requests, fit_config, memory_crcs, pack
from darb.golden.frame import REPLY, Command, ErrorCode, Frame
from darb.hw.board_core import BoardCore
from darb.hw.stimulus import to_beats

MOST_CLOCKS = 20_000


def ask(core, frames):
    """Send frames, each after the reply to the one before; return the replies."""
    heard = bytearray()

    async def bench(ctx):
        ctx.set(core.uart_rx, 1)
        await ctx.tick().repeat(50)
        for number, frame in enumerate(frames):
            await drive(ctx, core.uart_rx, levels(frame.encode()), DIVISOR)
            clocks = 0
            while len(frames_in(heard)[0]) <= number:
                assert clocks < MOST_CLOCKS, f"no reply to frame {number}"
                await ctx.tick().repeat(DIVISOR)
                clocks += DIVISOR

    async def ear(ctx):
        await listen(ctx, core.uart_tx, DIVISOR, heard)

    run_component(core, bench, background=[ear])
    return frames_in(heard)[0]


@pytest.fixture(scope="module")
def network():
    return random_network(np.random.default_rng(61), [6, 4], ks=(1,), lanes=2)


@pytest.fixture(scope="module")
def image(network):
    return pack(network, fit_config(network, lanes=2, rows=1))


def core_of(image, **settings):
    return BoardCore(
        config=image.config,
        memories=image.memories,
        clock_hz=1_000_000 * DIVISOR,
        timeout=TIMEOUT,
        **settings,
    )


def test_an_image_of_the_bitstream_is_checked_between_vectors(network, image):
    (values,) = random_vectors(np.random.default_rng(62), network, 1)
    vector = to_beats(image, values[None]).tobytes()
    (results,) = reference(network, values[None])
    requests, crcs = check_requests(image), memory_crcs(image)
    asked = [
        Frame(Command.INFER, 1, vector),
        *(Frame(Command.CHECK, 2, struct.pack("<I", word)) for word in requests.values()),
        Frame(Command.INFER, 3, vector),
        Frame(Command.BOOT, 4),
        Frame(Command.INFER, 5, vector),
        Frame(Command.CHECK, 6, struct.pack("<I", requests["rows"] + image.config.row_depth)),
        Frame(Command.CHECK, 7, bytes(8)),
        Frame(Command.CHECK, 8),
    ]
    infer, *checks, halted, boot, again, refused, long, short = ask(
        core_of(image, memory_check=True), asked
    )
    payload = results.astype("<i4").tobytes()
    assert infer == Frame(Command.INFER | REPLY, 1, payload)
    assert [reply.payload for reply in checks] == [struct.pack("<I", c) for c in crcs.values()]
    assert {(reply.command, reply.tag) for reply in checks} == {(Command.CHECK | REPLY, 2)}
    assert halted == error(3, ErrorCode.NOT_READY)
    assert (boot.command, len(boot.payload)) == (Command.BOOT | REPLY, 20)
    assert again == Frame(Command.INFER | REPLY, 5, payload)
    assert refused == error(6, ErrorCode.REFUSED)
    assert long == error(7, ErrorCode.BAD_LENGTH)
    assert short == error(8, ErrorCode.BAD_LENGTH)


def test_a_core_without_the_check_does_not_know_the_command(image):
    request = Frame(Command.CHECK, 9, struct.pack("<I", check_requests(image)["rows"]))
    assert ask(core_of(image), [request]) == [error(9, ErrorCode.UNKNOWN_COMMAND)]
