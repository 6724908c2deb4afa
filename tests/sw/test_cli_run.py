import dataclasses
import subprocess
import sys

import numpy as np
import pytest
from board_double import BoardDouble
from cli_runner import refused, run
from random_networks import random_network, random_vectors, reference

from darb.golden import Storage, fit_config, pack, schedule, write_image
from darb.golden.frame import Command
from darb.hw.stimulus import to_beats


@pytest.fixture(scope="module")
def network():
    return random_network(np.random.default_rng(51), [12, 8, 4], keeps=(1, 2), lanes=2)


@pytest.fixture(scope="module")
def vectors(network):
    return random_vectors(np.random.default_rng(52), network, 6)


@pytest.fixture(scope="module")
def image(network):
    return pack(network, fit_config(network, lanes=2, rows=2))


@pytest.fixture(scope="module")
def directory(image, vectors, tmp_path_factory):
    where = tmp_path_factory.mktemp("run") / "image"
    write_image(image, where, vectors={"inputs": vectors})
    return where


class CountingBoard(BoardDouble):
    """Counts the cycles that the golden model predicts, and `extra` for each vector."""

    extra = 0

    def _answer(self, frame):
        before = self.registers["vectors"]
        reply = super()._answer(frame)
        done = self.registers["vectors"] - before
        self.registers["cycles"] += done * (schedule(self.image).cycles + self.extra)
        self.registers["cycles"] %= 1 << 32
        return reply


def board_with(image, vectors, **settings):
    board = CountingBoard(image, **settings)
    board.registers["cycles"] = (1 << 32) - 10
    board.expect(image, vectors, to_beats(image, vectors).reshape(len(vectors), -1))
    return board


def cells(stdout):
    """Return the two columns of the table as a dict."""
    lines = [line.split("│") for line in stdout.splitlines() if line.startswith("│")]
    return {parts[1].strip(): parts[2].strip() for parts in lines}


def test_the_images_own_vectors(directory, image, network, vectors, tmp_path):
    output = tmp_path / "y.npy"
    with board_with(image, vectors) as port:
        result = run("run", directory, "--port", port, "--output", output)
    assert result.exit_code == 0, result.output
    told = cells(result.stdout)
    assert (told["port"], told["storage"], told["image"]) == (port, "rom", image.digest)
    assert (told["vectors"], told["mismatches"]) == ("6", "0")
    cycles = str(schedule(image).cycles)
    assert (told["cycles a vector, counted"], told["... predicted"]) == (cycles, cycles)
    assert "requests sent again" not in told
    assert "Every output and every cycle equals the golden model's." in result.stdout
    assert f"Results: {output}" in result.stdout
    assert np.array_equal(np.load(output), reference(network, vectors))


def test_vectors_of_the_users_and_another_baud(directory, image, network, vectors, tmp_path):
    np.save(tmp_path / "x.npy", vectors[:2])
    with board_with(image, vectors) as port:
        result = run(
            *("run", directory, "--port", port, "--vectors", tmp_path / "x.npy"),
            *("--baud", "115200"),
        )
    assert result.exit_code == 0, result.output
    assert cells(result.stdout)["vectors"] == "2"


def test_a_board_of_storage_ram_is_loaded_once(directory, image, vectors):
    board = board_with(image, vectors, storage=Storage.RAM)
    with board as port:
        first = run("run", directory, "--port", port)
        loads = [frame.command for frame in board.requests].count(4)
        second = run("run", directory, "--port", port)
    assert (first.exit_code, second.exit_code) == (0, 0), first.output + second.output
    assert cells(first.stdout)["storage"] == "ram"
    assert first.stderr.split()[0] == "load"
    assert second.stderr.split()[0] == "run"
    assert loads > 0
    assert [frame.command for frame in board.requests].count(4) == loads


@pytest.mark.parametrize("storage", Storage)
def test_memories_are_checked_when_asked(directory, image, vectors, storage):
    board = board_with(image, vectors, storage=storage, memory_check=True)
    with board as port:
        good = run("run", directory, "--port", port, "--memory-check")
        unasked = run("run", directory, "--port", port)
    assert (good.exit_code, unasked.exit_code) == (0, 0), good.output
    assert cells(good.stdout)["memories"] == "as the image's"
    assert "memories" not in unasked.stdout


def test_bits_that_have_flipped_end_with_status_1(directory, image, vectors):
    board = board_with(image, vectors, memory_check=True)
    board.flipped = {"weights", "layers"}
    with board as port:
        result = run("run", directory, "--port", port, "--memory-check")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == (
        f"error: bits have flipped in weights, layers of the board on {port}: program its "
        "bitstream again"
    )
    assert not [frame for frame in board.requests if frame.command == Command.INFER]


def test_an_engine_whose_bits_have_flipped_is_loaded_again_where_it_can_be(
    directory, image, vectors
):
    board = board_with(image, vectors, storage=Storage.RAM, memory_check=True)
    with board as port:
        first = run("run", directory, "--port", port, "--memory-check")
        board.flipped = {"rows"}
        second = run("run", directory, "--port", port, "--memory-check")
        third = run("run", directory, "--port", port, "--memory-check")
    assert [result.exit_code for result in (first, second, third)] == [0, 1, 0]
    assert second.stderr.splitlines()[-1] == (
        f"error: bits had flipped in rows of the board on {port}: the image was loaded again, run "
        "once more"
    )


def test_an_image_that_is_not_the_boards_is_not_taken_for_flipped_bits(
    directory, image, network, vectors
):
    first, *others = network.layers
    biased = dataclasses.replace(first, bias=first.bias + 1)
    alike = dataclasses.replace(network, layers=(biased, *others))
    for held in (pack(network, fit_config(network, lanes=2, rows=1)), pack(alike, image.config)):
        with board_with(held, vectors, memory_check=True) as port:
            message = refused("run", directory, "--port", port, "--memory-check")
        assert message.startswith(
            f"the board on {port} holds image {held.digest}, not image {image.digest}: "
        )


def test_an_engine_that_somebody_left_halted_is_let_go(directory, image, vectors):
    board = board_with(image, vectors)
    board.registers["status"] = 0
    with board as port:
        assert run("run", directory, "--port", port).exit_code == 0


def test_a_check_that_fails_lets_the_engine_go(directory, image, vectors):
    # Requests 0 and 1: identity and the first check; its replies are lost, three times.
    lost = {number: lambda reply: b"" for number in (1, 2, 3, 4, 5, 6)}
    board = board_with(image, vectors, memory_check=True, faults=lost)
    with board as port:
        refused("run", directory, "--port", port, "--memory-check", "--timeout", "0.2")
    assert board.requests[-1].command == Command.BOOT


def test_a_board_without_the_check_says_so(directory, image, vectors):
    with board_with(image, vectors) as port:
        message = refused("run", directory, "--port", port, "--memory-check")
    assert message == (
        f"the board on {port}, asked to check, does not know the command: build its bitstream with "
        "--memory-check"
    )


def test_a_wrong_result_ends_with_status_1(directory, image, vectors):
    board = board_with(image, vectors)
    first = next(iter(board.results))
    board.results[first] = bytes(len(board.results[first]))
    with board as port:
        result = run("run", directory, "--port", port)
    assert result.exit_code == 1
    assert cells(result.stdout)["mismatches"] == "1"
    assert "The board differs from the golden model." in result.stdout


def test_a_wrong_count_of_cycles_ends_with_status_1(directory, image, vectors):
    board = board_with(image, vectors)
    board.extra = 1
    with board as port:
        result = run("run", directory, "--port", port)
    assert result.exit_code == 1
    told = cells(result.stdout)
    assert told["mismatches"] == "0"
    assert int(told["cycles a vector, counted"]) == int(told["... predicted"]) + 1


def test_cycles_of_repeated_requests_are_not_held_against_the_board(directory, image, vectors):
    # Request 3 is the second vector; its reply is lost after it was computed.
    board = board_with(image, vectors, faults={3: lambda reply: b""})
    with board as port:
        result = run("run", directory, "--port", port, "--timeout", "0.3")
    assert result.exit_code == 0, result.output
    assert cells(result.stdout)["requests sent again"] == "1"
    assert "cycles include requests sent again" in result.stdout


def test_another_image_is_refused(directory, image, network, vectors):
    other = pack(network, fit_config(network, lanes=2, rows=1))
    with board_with(other, vectors) as port:
        message = refused("run", directory, "--port", port)
    assert message == (
        f"the board on {port} holds image {other.digest}, not image {image.digest}: "
        "build and program a bitstream of this image, or one with --storage ram"
    )


def test_a_port_that_is_not_there(directory, tmp_path):
    port = tmp_path / "ttyUSB9"
    assert refused("run", directory, "--port", port) == (
        f"port {port} cannot be opened: No such file or directory"
    )


def test_an_output_that_cannot_be_written_is_refused_first(directory, tmp_path):
    output = tmp_path / "none" / "y.npy"
    assert refused("run", directory, "--port", "x", "--output", output) == (
        f"output must be in a directory that exists, not {str(output)!r}"
    )


def test_pyserial_missing_is_told_before_anything_else(tmp_path):
    program = "import sys; sys.modules['serial'] = None; from darb.sw.cli import app; "
    program += "app(['run', 'image', '--port', 'x'])"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 2
    assert done.stderr == (
        "error: pyserial must be installed for this command: pip install 'darb[board]'\n"
    )
