import random
import struct

import pytest
from configs import small_config
from host_link_bench import (
    BEATS,
    DIVISOR,
    ROWS,
    TIMEOUT,
    Bench,
    beats_of,
    error,
    frames_in,
    result_bytes,
    vector,
    words,
)
from serial_line import drive, levels

from darb.golden import OutputMode, Storage
from darb.golden.frame import (
    COUNTER_REGISTERS,
    ERROR_REPLY,
    IDENTIFY_REGISTERS,
    PROTOCOL_VERSION,
    REPLY,
    Command,
    ErrorCode,
    Frame,
)
from darb.golden.register_map import LOAD_MEMORY_SHIFT, STATUS
from darb.hw.host_link import HostLink


def test_identify_tells_every_register_and_counters_some():
    bench = Bench(capacity=512)
    for number, name in enumerate(COUNTER_REGISTERS):
        bench.engine.registers[name] = 0x01020304 * (number + 1)
    replies = bench.ask(Frame(Command.IDENTIFY, 0xA5), Frame(Command.COUNTERS, 0x5A))
    values = bench.engine.registers
    told = words(*(values[name] for name in IDENTIFY_REGISTERS))
    assert replies == [
        Frame(Command.IDENTIFY | REPLY, 0xA5, struct.pack("<HH", PROTOCOL_VERSION, 512) + told),
        Frame(Command.COUNTERS | REPLY, 0x5A, words(*(values[name] for name in COUNTER_REGISTERS))),
    ]
    assert bench.engine.writes == []


@pytest.mark.parametrize("lanes", [1, 2, 4, 8])
@pytest.mark.parametrize("mode", OutputMode)
def test_vectors_go_through_the_engine(lanes, mode):
    config = small_config(lanes=lanes, output_mode=mode, output_depth=8)
    rng, bench = random.Random(lanes), Bench(config=config, storage=Storage.ROM, seed=lanes)
    if mode is OutputMode.ARGMAX:
        bench.engine.results = lambda beats: [sum(beats)]
    payloads = [vector(rng, config) for _ in range(3)]
    replies = bench.ask(*(Frame(Command.INFER, n, p) for n, p in enumerate(payloads)))
    vectors = [beats_of(payload, lanes) for payload in payloads]
    assert bench.engine.vectors == vectors
    for tag, (reply, beats) in enumerate(zip(replies, vectors, strict=True)):
        told = result_bytes(bench.engine.results(beats), config)
        assert reply == Frame(Command.INFER | REPLY, tag, told)


def test_two_frames_in_flight_are_answered_in_order():
    bench = Bench()
    rng = random.Random(7)
    frames = []
    for tag in range(0, 6, 2):
        frames.append(Frame(Command.INFER, tag, vector(rng, bench.config)))
        frames.append(Frame(rng.choice([Command.IDENTIFY, Command.COUNTERS]), tag + 1))

    async def scenario(ctx):
        await bench.send(ctx, frames[0], frames[1])
        for number, frame in enumerate(frames[2:]):
            while len(frames_in(bench.heard)[0]) <= number:
                await bench.wait(ctx, 10 * DIVISOR)
            await bench.send(ctx, frame)

    replies = bench.run(scenario)
    assert [(reply.command, reply.tag) for reply in replies] == [
        (frame.command | REPLY, frame.tag) for frame in frames
    ]


def test_loading_halts_writes_and_boots():
    bench = Bench()
    place = 2 << LOAD_MEMORY_SHIFT | 7
    bench.engine.registers["vectors"] = 77
    frames = [
        Frame(Command.LOAD, 1, words(place, 0xDEADBEEF, 0x12345678)),
        Frame(Command.LOAD, 2, words(place + 1)),
        Frame(Command.INFER, 3, bytes(BEATS * 4)),
        Frame(Command.BOOT, 4),
        Frame(Command.INFER, 5, bytes(BEATS * 4)),
    ]
    replies = bench.ask(*frames)
    assert bench.engine.writes == [
        ("control", 1),
        ("load_place", place),
        ("load_data", 0xDEADBEEF),
        ("load_data", 0x12345678),
        ("control", 1),
        ("load_place", place + 1),
        ("control", 0),
    ]
    assert replies[:2] == [Frame(Command.LOAD | REPLY, tag) for tag in (1, 2)]
    assert replies[2] == error(3, ErrorCode.NOT_READY)
    assert replies[3] == Frame(Command.BOOT | REPLY, 4, words(1, 0, 77, 0, 0))
    assert replies[4].command == Command.INFER | REPLY
    assert bench.engine.boot_reads <= 0


@pytest.mark.parametrize(
    ("refused", "writes"),
    [
        (("control", 1), 0),
        (("load_place", 9), 1),
        (("load_data", 1), 2),
        (("load_data", 2), 3),
    ],
)
def test_a_write_that_the_engine_refuses_ends_the_load(refused, writes):
    bench = Bench()
    bench.engine.refused.add(refused)
    replies = bench.ask(Frame(Command.LOAD, 1, words(9, 1, 2, 3)), Frame(Command.COUNTERS, 2))
    assert replies[0] == error(1, ErrorCode.REFUSED)
    assert replies[1].command == Command.COUNTERS | REPLY
    assert (
        bench.engine.writes
        == [
            ("control", 1),
            ("load_place", 9),
            ("load_data", 1),
        ][:writes]
    )


def test_an_engine_without_control_register_answers_boot_with_its_counters():
    bench = Bench(storage=Storage.ROM)
    bench.engine.refused.add(("control", 0))
    bench.engine.registers["cycles"] = 99
    assert bench.ask(Frame(Command.BOOT, 1)) == [
        Frame(Command.BOOT | REPLY, 1, words(1, 0, 0, 99, 0))
    ]
    assert bench.engine.writes == []


@pytest.mark.parametrize("status", [0, 1 << STATUS["booted"] | 1 << STATUS["version_differs"]])
def test_no_beat_goes_to_an_engine_that_is_not_ready(status):
    bench = Bench()
    bench.engine.registers.update(status=status, control=1)
    assert bench.ask(Frame(Command.INFER, 8, bytes(BEATS * 4))) == [error(8, ErrorCode.NOT_READY)]
    assert not bench.engine.vectors
    assert not bench.engine.begun


@pytest.mark.parametrize("size", [0, 1, BEATS * 4 - 1, BEATS * 4 + 1, BEATS * 4 + 4, 256])
def test_no_beat_of_a_vector_of_another_length(size):
    bench = Bench()
    assert bench.ask(Frame(Command.INFER, 8, bytes(size))) == [error(8, ErrorCode.BAD_LENGTH)]
    assert not bench.engine.vectors
    assert not bench.engine.begun


@pytest.mark.parametrize(
    ("command", "size"),
    [(Command.IDENTIFY, 1), (Command.COUNTERS, 4), (Command.BOOT, 4)]
    + [(Command.LOAD, size) for size in (0, 1, 2, 3, 5, 6, 7)],
)
def test_other_wrong_lengths_do_nothing(command, size):
    bench = Bench()
    assert bench.ask(Frame(command, 8, bytes(size))) == [error(8, ErrorCode.BAD_LENGTH)]
    assert bench.engine.writes == []


@pytest.mark.parametrize("command", [0, 6, 0x81, 0xFF])
def test_unknown_commands(command):
    assert Bench().ask(Frame(command, 8)) == [error(8, ErrorCode.UNKNOWN_COMMAND)]


def test_broken_frames_are_told_in_their_turn_and_cost_nothing_else():
    bench = Bench(seed=3)
    good = [Frame(Command.COUNTERS, tag) for tag in range(3)]
    bad = bytearray(Frame(Command.LOAD, 9, words(1)).encode())
    bad[5] ^= 1

    async def scenario(ctx):
        await bench.send(ctx, good[0])
        await bench.wait(ctx, 10 * 10 * DIVISOR)
        await bench.send(ctx, bytes(bad), good[1])
        await bench.wait(ctx, 50 * 10 * DIVISOR)
        await bench.send(ctx, b"\xff\xff\x01\x07")
        await bench.wait(ctx, TIMEOUT + 20)
        await bench.send(ctx, good[2].encode()[:5])
        await bench.wait(ctx, TIMEOUT + 20)
        await bench.send(ctx, good[2])

    replies = bench.run(scenario)
    assert [(reply.command, reply.tag) for reply in replies] == [
        (Command.COUNTERS | REPLY, 0),
        (ERROR_REPLY, 9),
        (Command.COUNTERS | REPLY, 1),
        (ERROR_REPLY, 7),
        (ERROR_REPLY, 2),
        (Command.COUNTERS | REPLY, 2),
    ]
    codes = [ErrorCode(reply.payload[0]).name for reply in replies if reply.command == ERROR_REPLY]
    assert codes == ["CRC", "TOO_LONG", "TIMEOUT"]
    assert bench.engine.writes == []


def test_a_third_frame_is_an_overrun():
    bench = Bench()
    frames = [Frame(Command.IDENTIFY, tag) for tag in range(5)]
    replies = bench.run(lambda ctx: bench.send(ctx, *frames))
    assert [reply.tag for reply in replies] == [0, 1, 2]
    assert replies[2] == error(2, ErrorCode.OVERRUN)


def test_an_engine_that_gives_no_result_is_given_up_until_it_was_halted():
    bench = Bench()
    rng = random.Random(5)
    give = bench.engine.results
    first, second, third = (vector(rng, bench.config) for _ in range(3))

    async def pulse(ctx, count):
        for _ in range(count):
            await bench.wait(ctx, 50)
            ctx.set(bench.link.second, 1)
            await ctx.tick()
            ctx.set(bench.link.second, 0)

    async def scenario(ctx):
        bench.engine.results = lambda beats: None
        await bench.send(ctx, Frame(Command.INFER, 1, first))
        await bench.wait(ctx, 500)
        await pulse(ctx, 2)
        await bench.wait(ctx, 500)
        assert not bench.heard
        await pulse(ctx, 1)
        bench.engine.results = give
        await bench.send(ctx, Frame(Command.INFER, 2, second), Frame(Command.COUNTERS, 3))
        await bench.wait(ctx, 50 * 10 * DIVISOR)
        await bench.send(ctx, Frame(Command.LOAD, 4, words(0)), Frame(Command.BOOT, 5))
        await bench.wait(ctx, 50 * 10 * DIVISOR)
        await bench.send(ctx, Frame(Command.INFER, 6, third))

    replies = bench.run(scenario)
    assert replies[:2] == [error(tag, ErrorCode.NOT_READY) for tag in (1, 2)]
    assert [reply.command & ~REPLY for reply in replies[2:]] == [
        Command.COUNTERS,
        Command.LOAD,
        Command.BOOT,
        Command.INFER,
    ]
    assert bench.engine.vectors == [beats_of(payload, 4) for payload in (first, third)]


@pytest.mark.parametrize(
    ("storage", "given", "end"),
    [
        (Storage.ROM, 1, None),
        (Storage.RAM, ROWS - 1, None),
        (Storage.ROM, 2, 1),
        (Storage.RAM, ROWS, 1),
        (Storage.ROM, ROWS, None),
        (Storage.RAM, ROWS + 3, ROWS + 2),
    ],
)
def test_a_result_of_another_length_than_announced_is_a_broken_reply(storage, given, end):
    bench = Bench(storage=storage, broken=1, second=300)
    bench.engine.refused.update({("control", 0)} if storage is Storage.ROM else ())
    rng, give = random.Random(given), bench.engine.results
    first, second, third = (vector(rng, bench.config) for _ in range(3))

    def results(beats):
        if len(bench.engine.vectors) > 1:
            return give(beats)
        return [7] * given

    bench.engine.results = results
    bench.engine.ends = lambda words: end if words == [7] * given else len(words) - 1
    replies = bench.ask(
        Frame(Command.INFER, 1, first),
        Frame(Command.IDENTIFY, 2),
        Frame(Command.INFER, 3, second),
        Frame(Command.BOOT, 4),
        Frame(Command.INFER, 5, third),
    )
    assert replies[0] is None
    assert (replies[1].command, replies[1].tag) == (Command.IDENTIFY | REPLY, 2)
    assert replies[2] == error(3, ErrorCode.NOT_READY)
    assert (replies[3].command, replies[3].tag) == (Command.BOOT | REPLY, 4)
    told = result_bytes(give(beats_of(third, bench.config.lanes)), bench.config)
    assert replies[4] == Frame(Command.INFER | REPLY, 5, told)
    assert bench.engine.vectors == [beats_of(payload, 4) for payload in (first, third)]


def test_a_result_of_an_image_without_outputs_is_a_broken_reply():
    bench = Bench(broken=1)
    bench.engine.registers["outputs"] = 0
    replies = bench.ask(
        Frame(Command.INFER, 1, bytes(BEATS * 4)),
        Frame(Command.IDENTIFY, 2),
        Frame(Command.INFER, 3, bytes(BEATS * 4)),
    )
    assert replies[0] is None
    assert replies[1].command == Command.IDENTIFY | REPLY
    assert replies[2] == error(3, ErrorCode.NOT_READY)


def test_a_result_that_comes_after_it_was_given_up_is_dropped():
    bench = Bench(storage=Storage.ROM, second=300)
    bench.engine.refused.add(("control", 0))
    give = bench.engine.results
    first, second = (vector(random.Random(6), bench.config) for _ in range(2))
    bench.engine.results = lambda beats: None

    async def scenario(ctx):
        await bench.send(ctx, Frame(Command.INFER, 1, first))
        while len(bench.heard) < 9:
            await bench.wait(ctx, DIVISOR)
        bench.engine.registers["status"] |= 1 << STATUS["busy"]
        await bench.send(ctx, Frame(Command.BOOT, 2))
        await bench.wait(ctx, 2 * 300)
        bench.engine.results = give
        bench.engine.pending += [(word, word == ROWS - 1) for word in range(ROWS)]
        await bench.wait(ctx, 100)
        bench.engine.registers["status"] &= ~(1 << STATUS["busy"])
        await bench.send(ctx, Frame(Command.INFER, 3, second))

    replies = bench.run(scenario)
    assert replies[0] == error(1, ErrorCode.NOT_READY)
    assert replies[1].command == Command.BOOT | REPLY
    told = result_bytes(give(beats_of(second, bench.config.lanes)), bench.config)
    assert replies[2] == Frame(Command.INFER | REPLY, 3, told)


def test_an_engine_that_computes_for_good_is_not_let_go():
    bench = Bench(second=100)
    bench.engine.registers["status"] |= 1 << STATUS["busy"]
    assert bench.ask(Frame(Command.BOOT, 1)) == [error(1, ErrorCode.NOT_READY)]


@pytest.mark.parametrize("seed", range(8))
def test_after_any_garbage_and_silence_identify_is_answered(seed):
    rng, bench = random.Random(seed), Bench(seed=seed)

    async def scenario(ctx):
        for _ in range(rng.randrange(1, 5)):
            kind = rng.randrange(3)
            if kind == 0:
                bits = [rng.randrange(2) for _ in range(rng.randrange(300))]
            elif kind == 1:
                bits = levels(rng.randbytes(rng.randrange(40)), stop=rng.randrange(2))
            else:
                frame = Frame(rng.randrange(8), 1, rng.randbytes(rng.randrange(16))).encode()
                bits = levels(frame[: rng.randrange(len(frame))])
            await drive(ctx, bench.link.rx, bits, rng.uniform(2.0, 7.0))
        ctx.set(bench.link.rx, 1)
        await bench.wait(ctx, TIMEOUT + 20 * DIVISOR)
        # What garbage was answered with is another test's.
        await bench.wait(ctx, 120 * 10 * DIVISOR)
        bench.heard.clear()
        bench.answers.clear()
        await bench.send(ctx, Frame(Command.IDENTIFY, 0xC3))

    (reply,) = bench.run(scenario)
    assert (reply.command, reply.tag) == (Command.IDENTIFY | REPLY, 0xC3), f"seed {seed}"
    assert not bench.engine.begun, f"seed {seed}"


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"config": None}, TypeError, "config must be an EngineConfig, not None"),
        ({"divisor": 3}, ValueError, "divisor must be at least 4, not 3"),
        ({"timeout": 79}, ValueError, "timeout must be at least 80, two bytes, not 79"),
        ({"capacity": 1000}, ValueError, "capacity must be a power of two in 256..32768, not 1000"),
        (
            {"config": small_config(input_depth=100), "capacity": 256},
            ValueError,
            "capacity must be at least 512 for this config, not 256",
        ),
    ],
)
def test_arguments_are_checked(changes, error, message):
    arguments = {"config": small_config(), "storage": Storage.ROM, "divisor": 4, "timeout": 200}
    with pytest.raises(error) as raised:
        HostLink(**{**arguments, **changes})
    assert str(raised.value) == message
