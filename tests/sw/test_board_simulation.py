"""The real client, over a pseudo-terminal, to the board's Verilog: bit for bit on its wires."""

import struct
from itertools import pairwise

import numpy as np
import pytest
import serial
from cli_runner import run
from random_networks import random_network, random_vectors, reference
from simulated_board import SimulatedBoard

from darb.golden import Storage, fit_config, memory_crcs, pack, schedule, write_image
from darb.golden.frame import (
    CRC_BYTES,
    ERROR_REPLY,
    HEADER_BYTES,
    Command,
    ErrorCode,
    Frame,
    frame_size,
)
from darb.golden.loading import used_words
from darb.golden.memory_map import memory_shapes
from darb.golden.register_map import LOAD_MEMORY, LOAD_MEMORY_SHIFT
from darb.sw.board_client import BoardClient
from darb.sw.frame_link import BoardError

SIMULATORS = ["verilator", pytest.param("icarus", marks=pytest.mark.icarus)]
PATIENCE = 60.0
"""Seconds: a simulation is slow, and the machine may be busy."""


def client(port):
    return BoardClient(port, timeout=PATIENCE)


@pytest.fixture(scope="module", params=SIMULATORS)
def rom(request, tmp_path_factory):
    """Return a board with an image for good: its name, the board, the network and the image."""
    network = random_network(np.random.default_rng(31), [14, 9, 5], keeps=(1, 2), lanes=2)
    image = pack(network, fit_config(network, lanes=2, rows=2))
    directory = tmp_path_factory.mktemp(f"rom-{request.param}") / "board"
    board = SimulatedBoard(directory, request.param, image.config, image)
    return request.param, board, network, image


def raw_reply(line):
    """Return the next frame on a port that is open."""
    header = line.read(HEADER_BYTES)
    return Frame.decode(header + line.read(frame_size(header) - HEADER_BYTES))


def test_identity_vectors_and_counters(rom):
    name, board, network, image = rom
    count = 100 if name == "verilator" else 10
    vectors = random_vectors(np.random.default_rng(32), network, count)
    with board as port, client(port) as link:
        told = link.identify()
        assert (told.config, told.storage) == (image.config, Storage.ROM)
        assert (told.digest, told.ready, told.capacity) == (image.digest, True, 256)
        before = link.counters()
        assert np.array_equal(link.infer(image, vectors), reference(network, vectors))
        after = link.counters()
        assert link.repeats == 0
    assert (after["status"], after["errors"], after["stalls"]) == (1, 0, 0)
    assert after["vectors"] - before["vectors"] == count
    assert after["cycles"] - before["cycles"] == count * schedule(image).cycles
    text = board.transcript()
    assert text.count(": a vector of ") == text.count(" bytes of results") == count
    assert f"storage rom, image {image.digest}" in text
    assert "broken" not in text


def test_broken_frames_cost_nothing_but_themselves(rom):
    _, board, network, image = rom
    vectors = random_vectors(np.random.default_rng(33), network, 3)
    good = Frame(Command.INFER, 7, bytes(image.layers[0].segments(2).length * 2)).encode()
    flipped = bytearray(good)
    flipped[9] ^= 0x10
    cases = [
        (bytes(flipped), ErrorCode.CRC, 7),
        (good[:-CRC_BYTES] + bytes(CRC_BYTES), ErrorCode.CRC, 7),
        (Frame(Command.INFER, 8, bytes(3)).encode(), ErrorCode.BAD_LENGTH, 8),
        (Frame(Command.IDENTIFY, 9, bytes(1)).encode(), ErrorCode.BAD_LENGTH, 9),
        (Frame(0x42, 10).encode(), ErrorCode.UNKNOWN_COMMAND, 10),
        (Frame(Command.LOAD, 12, bytes(8)).encode(), ErrorCode.REFUSED, 12),
        (Frame(Command.INFER, 13, bytes(257)).encode(), ErrorCode.TOO_LONG, 13),
        (good[:11], ErrorCode.TIMEOUT, 7),
        (good[:2], ErrorCode.TIMEOUT, 0),
    ]
    with board as port:
        for data, code, tag in cases:
            with serial.Serial(port, timeout=PATIENCE) as line:
                line.write(data)
                assert raw_reply(line) == Frame(ERROR_REPLY, tag, bytes([code])), code.name
            with client(port) as link:
                assert np.array_equal(link.infer(image, vectors), reference(network, vectors))
                assert link.counters()["errors"] == 0
                assert link.boot() == link.counters()
                assert link.repeats == 0
    assert "error too_long, tag 13" in board.transcript()


def test_a_client_that_goes_in_mid_frame_leaves_the_board_to_the_next(rom):
    _, board, network, image = rom
    vectors = random_vectors(np.random.default_rng(34), network, 3)
    frame = Frame(Command.INFER, 1, bytes(image.layers[0].segments(2).length * 2)).encode()
    with board as port:
        for cut in (1, 5, len(frame) - 1, len(frame)):
            with serial.Serial(port) as line:
                line.write(frame[:cut])
            with client(port) as link:
                assert np.array_equal(link.infer(image, vectors), reference(network, vectors))


def test_another_image_is_refused(rom):
    _, board, network, image = rom
    other = pack(network, fit_config(network, lanes=2, rows=1))
    with board as port, client(port) as link:
        with pytest.raises(BoardError) as raised:
            link.infer(other, random_vectors(np.random.default_rng(0), network, 1))
        assert str(raised.value) == (
            f"the board on {port} holds image {image.digest}, not image {other.digest}: "
            "build and program a bitstream of this image, or one with --storage ram"
        )
        with pytest.raises(BoardError, match=r"for good: build and program a bitstream with"):
            link.load(other)


def flipped_bits_are_found(link, image, rng):
    """Flip a bit of each memory in turn; the engine's CRC of that one alone must be another."""
    crcs, used = memory_crcs(image), used_words(image)
    assert link.check(image) == {name: (crc, crc) for name, crc in crcs.items()}
    wrong = set()
    for name in rng.permutation(list(crcs)):
        place, words = used[name] - 1, image.memories[name].copy()
        bit = int(rng.integers(memory_shapes(image.config)[name][1]))
        words[place, bit // 8] ^= 1 << bit % 8
        payload = struct.pack("<I", LOAD_MEMORY[name] << LOAD_MEMORY_SHIFT | place)
        payload += words[place].tobytes() + bytes(-words.shape[1] % 4)
        link._ask(Command.LOAD, payload)
        wrong.add(name)
        found = link.check(image)
        assert {each for each, (crc, expected) in found.items() if crc != expected} == wrong


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_two_images_are_loaded_in_turn(simulator, tmp_path):
    rng = np.random.default_rng(35)
    networks = [
        random_network(rng, sizes, keeps=(1, 2), lanes=4) for sizes in ([20, 10, 6], [15, 12, 9, 4])
    ]
    room = {"weight_depth": 120, "index_depth": 60, "row_depth": 60, "layer_depth": 40}
    room |= {"input_depth": 8, "hidden_depth": 8, "output_depth": 8, "accumulator_bits": 28}
    config = fit_config(networks[0], lanes=4, rows=2, max_k=6, **room)
    # Of another shape than the board's engine: they are packed again for it.
    images = [pack(network, fit_config(network, lanes=4, rows=1)) for network in networks]
    board = SimulatedBoard(tmp_path / "board", simulator, config, memory_check=True)
    loads, runs = ((0, 1, 0), (1, 1, 0)) if simulator == "verilator" else ((0, 1), (1, 1))
    with board as port:
        with client(port) as link:
            assert not link.identify().ready
            with pytest.raises(BoardError, match="holds no image that it can run, not image"):
                link.infer(images[0], random_vectors(rng, networks[0], 1))
            for number in loads:
                fitted = link.load(images[number])
                assert link.identify().digest == fitted.digest
                vectors = random_vectors(rng, networks[number], 4)
                expected = reference(networks[number], vectors)
                assert np.array_equal(link.infer(fitted, vectors), expected)
            flipped_bits_are_found(link, fitted, rng)
            link.load(fitted)
            large = random_network(rng, [40, 30], lanes=4)
            before = link.counters()
            with pytest.raises(ValueError, match=r"^the image does not fit the engine: "):
                link.load(pack(large, fit_config(large, lanes=4, rows=2)))
            assert link.counters() == before
        for number in runs:
            vectors = random_vectors(rng, networks[number], 3)
            write_image(images[number], tmp_path / "image", vectors={"inputs": vectors})
            output = tmp_path / "y.npy"
            done = run(
                "run", tmp_path / "image", "--port", port, "-o", output, "--timeout", str(PATIENCE)
            )
            assert done.exit_code == 0, done.output
            assert "Every output and every cycle equals the golden model's." in done.stdout
            assert np.array_equal(np.load(output), reference(networks[number], vectors))
    # A run is spared the loading where the board holds its image already.
    order = [*loads, *runs]
    times = len(loads) + 1 + sum(b != a for a, b in pairwise(order[len(loads) - 1 :]))
    assert board.transcript().count("writes to layers, word 0 on") == times
