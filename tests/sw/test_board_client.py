import os
import struct

import numpy as np
import pytest
from board_double import BoardDouble
from random_networks import random_network, random_vectors, reference

from darb.golden import Storage, fit_config, pack
from darb.golden.frame import ERROR_REPLY, Command, ErrorCode, Frame
from darb.golden.loading import loading_writes, used_words, writes_a_word
from darb.golden.memory_map import MEMORIES, memory_shapes
from darb.golden.register_map import LOAD_MEMORY_SHIFT
from darb.hw.stimulus import to_beats
from darb.sw.board_client import BoardClient, load_requests
from darb.sw.frame_link import TRIES, WINDOW, BoardError

COUNT = 5


@pytest.fixture(scope="module")
def network():
    return random_network(np.random.default_rng(41), [12, 8, 4], keeps=(1, 2), lanes=2)


@pytest.fixture(scope="module")
def image(network):
    return pack(network, fit_config(network, lanes=2, rows=2))


@pytest.fixture(scope="module")
def vectors(network):
    return random_vectors(np.random.default_rng(42), network, COUNT)


def board_with(image, vectors, **settings):
    board = BoardDouble(image, **settings)
    board.expect(image, vectors, to_beats(image, vectors).reshape(len(vectors), -1))
    return board


def lost(reply):
    return b""


def flipped(reply):
    return reply[:-1] + bytes([reply[-1] ^ 1])


def cut(reply):
    return reply[:-1]


def garbage(reply):
    return b"\xff" * 3 + reply


def of_another_tag(reply):
    frame = Frame.decode(reply)
    return Frame(frame.command, frame.tag ^ 0x55, frame.payload).encode()


def of_another_command(reply):
    frame = Frame.decode(reply)
    return Frame(frame.command ^ 0x40, frame.tag, frame.payload).encode()


def error(code):
    return lambda reply: Frame(ERROR_REPLY, Frame.decode(reply).tag, bytes([code])).encode()


TRANSIENT = [ErrorCode.CRC, ErrorCode.TOO_LONG, ErrorCode.TIMEOUT, ErrorCode.OVERRUN, 99]
FAULTS = [lost, flipped, cut, garbage, of_another_tag, of_another_command, *map(error, TRANSIENT)]


def test_a_board_is_what_it_tells(image, vectors):
    board = board_with(image, vectors)
    board.registers["cycles"] = 1234
    with board as port, BoardClient(port) as client:
        told = client.identify()
        counters = client.counters()
    assert (told.config, told.storage, told.digest) == (image.config, Storage.ROM, image.digest)
    assert (told.capacity, told.ready) == (256, True)
    assert counters == {"status": 1, "errors": 0, "vectors": 0, "cycles": 1234, "stalls": 0}


def test_vectors_two_at_a_time(image, network, vectors):
    board, most = board_with(image, vectors), []
    progress = []

    def note(done, total):
        progress.append((done, total))
        infers = [frame for frame in board.requests if frame.command == Command.INFER]
        most.append(len(infers) - done)

    with board as port, BoardClient(port) as client:
        outputs = client.infer(image, vectors, progress=note)
        assert client.infer(image, vectors[:0]).shape == (0, 4)
        assert client.repeats == 0
    assert np.array_equal(outputs, reference(network, vectors))
    assert progress == [(done, COUNT) for done in range(1, COUNT + 1)]
    assert max(most) < WINDOW
    tags = [frame.tag for frame in board.requests]
    assert tags == list(range(tags[0], tags[0] + len(tags)))


def after_a_late_one(reply):
    """Put the reply to the request before in front."""
    frame = Frame.decode(reply)
    return Frame(frame.command, (frame.tag - 1) % 256, frame.payload).encode() + reply


def test_late_replies_to_earlier_tries_are_passed_over(image, network, vectors):
    board = board_with(image, vectors, faults={0: after_a_late_one, 5: after_a_late_one})
    with board as port, BoardClient(port) as client:
        outputs = client.infer(image, vectors)
        assert client.repeats == 0
    assert np.array_equal(outputs, reference(network, vectors))


@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_reply_is_asked_for_again(image, network, vectors, fault):
    # Request 0 is the identity; the window brings 2 before 1 is answered.
    board = board_with(image, vectors, faults={0: fault, 3: fault, 7: fault})
    with board as port, BoardClient(port, timeout=0.3) as client:
        assert np.array_equal(client.infer(image, vectors), reference(network, vectors))
        assert client.repeats == 3


@pytest.mark.parametrize("fault", FAULTS)
def test_a_reply_that_stays_broken_is_given_up(image, vectors, fault):
    faults = dict.fromkeys(range(1, 1 + WINDOW * TRIES), fault)
    board = board_with(image, vectors, faults=faults)
    with board as port, BoardClient(port, timeout=0.2) as client:
        with pytest.raises(BoardError) as raised:
            client.infer(image, vectors)
        head, _, why = str(raised.value).partition(": ")
        assert head == f"the board on {port} gives no good reply to infer in 3 tries"
        assert why
        assert "\n" not in why
        # The next request finds a clean line.
        assert client.identify().digest == image.digest


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (ErrorCode.UNKNOWN_COMMAND, "does not know the command"),
        (ErrorCode.BAD_LENGTH, "expects another length of the payload"),
        (ErrorCode.NOT_READY, "holds no image that it can run, or its engine gives no result"),
        (ErrorCode.REFUSED, "refuses the write; an engine of storage rom is not to be loaded"),
    ],
)
def test_a_refusal_is_told_at_once_and_the_link_goes_on(image, network, vectors, code, says):
    board = board_with(image, vectors, faults={2: error(code)})
    with board as port, BoardClient(port) as client:
        with pytest.raises(BoardError) as raised:
            client.infer(image, vectors)
        assert str(raised.value) == f"the board on {port}, asked to infer, {says}"
        assert np.array_equal(client.infer(image, vectors), reference(network, vectors))
        assert client.repeats == 0


def test_another_image_or_none_is_refused_before_a_vector_is_sent(image, network, vectors):
    other = pack(network, fit_config(network, lanes=2, rows=1))
    board = board_with(image, vectors)
    with board as port, BoardClient(port) as client:
        with pytest.raises(BoardError) as raised:
            client.infer(other, vectors)
        assert str(raised.value) == (
            f"the board on {port} holds image {image.digest}, not image {other.digest}: "
            "build and program a bitstream of this image, or one with --storage ram"
        )
    board = board_with(image, vectors, storage=Storage.RAM)
    with board as port, BoardClient(port) as client:
        with pytest.raises(BoardError) as raised:
            client.infer(image, vectors)
        assert str(raised.value) == (
            f"the board on {port} holds no image that it can run, not image {image.digest}: "
            "load the image first"
        )
    assert {frame.command for frame in board.requests} == {Command.IDENTIFY}


def test_wrong_inputs_are_refused_before_anything_is_sent(image, vectors):
    board = board_with(image, vectors)
    with board as port, BoardClient(port) as client:
        with pytest.raises(ValueError, match=r"^input vectors must have shape \(B, 12\), not"):
            client.infer(image, vectors[:, :-1])
        with pytest.raises(TypeError, match=r"^input vectors must be integers, not float64$"):
            client.infer(image, vectors * 1.0)
    assert not board.requests


def test_loading_sends_whole_words_and_checks_the_digest(image, vectors):
    board = board_with(image, vectors, storage=Storage.RAM)
    with board as port, BoardClient(port) as client:
        assert client.load(image) is image
        assert client.identify().ready
    commands = [frame.command for frame in board.requests]
    loads = commands.count(Command.LOAD)
    assert commands == [1, *[Command.LOAD] * loads, Command.BOOT, 1, 1]


def test_a_board_that_holds_another_image_after_loading_is_told(image, network, vectors):
    other = pack(network, fit_config(network, lanes=2, rows=1))
    board = board_with(image, vectors, storage=Storage.RAM, loads_as=other)
    with board as port, BoardClient(port) as client:
        with pytest.raises(BoardError, match=f"holds image {other.digest}, not {'image'}"):
            client.load(image)


def test_what_does_not_fit_is_refused_before_it_is_sent(image, vectors):
    large = random_network(np.random.default_rng(1), [40, 30], lanes=2)
    board = board_with(image, vectors, storage=Storage.RAM)
    with board as port, BoardClient(port) as client:
        with pytest.raises(ValueError, match=r"^the image does not fit the engine: "):
            client.load(pack(large, fit_config(large, lanes=2, rows=2)))
    assert [frame.command for frame in board.requests] == [Command.IDENTIFY]


def test_an_engine_of_storage_rom_is_not_loaded(image, vectors):
    board = board_with(image, vectors)
    with board as port, BoardClient(port) as client:
        with pytest.raises(BoardError) as raised:
            client.load(image)
        assert str(raised.value) == (
            f"the board on {port} holds image {image.digest} for good: "
            "build and program a bitstream with --storage ram"
        )


@pytest.mark.parametrize("capacity", [256, 512, 32768])
def test_load_requests_are_the_writes(image, capacity):
    requests = load_requests(image, capacity)
    seen = {name: b"" for name in MEMORIES}
    for command, payload in requests:
        assert command is Command.LOAD
        assert len(payload) <= capacity
        place = struct.unpack("<I", payload[:4])[0]
        name = MEMORIES[place >> LOAD_MEMORY_SHIFT]
        size = 4 * writes_a_word(memory_shapes(image.config)[name][1])
        assert len(payload) > 4
        assert (len(payload) - 4) % size == 0
        assert place % (1 << LOAD_MEMORY_SHIFT) * size == len(seen[name])
        seen[name] += payload[4:]
    data = loading_writes(image)
    assert b"".join(seen.values()) == data[data[:, 0] == 0x34, 1].astype("<u4").tobytes()
    assert [len(part) > 0 for part in seen.values()] == [n > 0 for n in used_words(image).values()]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("identity", 5, "the board is not of this release of darb: identity must be 0x64617262"),
        ("format_version", 9, "the board is not of this release of darb: the engine's image for"),
    ],
)
def test_a_board_of_another_kind_is_refused(image, vectors, name, value, message):
    board = board_with(image, vectors)
    board.registers[name] = value
    with board as port, BoardClient(port) as client:
        with pytest.raises(BoardError, match=f"^{message}"):
            client.identify()


def test_another_protocol_is_refused(image, vectors):
    def newer(reply):
        frame = Frame.decode(reply)
        return Frame(frame.command, frame.tag, b"\x07\0" + frame.payload[2:]).encode()

    board = board_with(image, vectors, faults={0: newer})
    with board as port, BoardClient(port) as client:
        with pytest.raises(BoardError) as raised:
            client.identify()
        assert str(raised.value) == (
            "the board's protocol must be version 1, not 7: "
            "build its bitstream with this release of darb"
        )


def test_replies_of_a_wrong_length_are_told(image, vectors):
    def short(reply):
        frame = Frame.decode(reply)
        return Frame(frame.command, frame.tag, frame.payload[:-4]).encode()

    board = board_with(image, vectors, faults={0: short, 1: short, 3: short})
    with board as port, BoardClient(port) as client:
        with pytest.raises(BoardError, match=r"^the identity must have 100 bytes, not 96$"):
            client.identify()
        with pytest.raises(BoardError, match=r"^the counters must have 20 bytes, not 16$"):
            client.counters()
        with pytest.raises(BoardError, match=r"^result 0 must have 16 bytes, not 12$"):
            client.infer(image, vectors[:1])


def test_a_port_that_cannot_be_opened(tmp_path):
    with pytest.raises(BoardError) as raised, BoardClient(str(tmp_path / "none")):
        pass
    assert str(raised.value) == (
        f"port {tmp_path / 'none'} cannot be opened: No such file or directory"
    )


def test_a_port_that_another_client_uses(image, vectors):
    with board_with(image, vectors) as port, BoardClient(port):
        with pytest.raises(BoardError) as raised, BoardClient(port):
            pass
        assert str(raised.value) == f"port {port} cannot be opened: another program uses it"


def test_a_port_that_goes_away():
    master, slave = os.openpty()
    port = os.ttyname(slave)
    with BoardClient(port) as client:
        os.close(slave)
        os.close(master)
        with pytest.raises(BoardError, match=f"^port {port} fails: "):
            client.identify()


def test_a_client_is_used_inside_with(image):
    with pytest.raises(BoardError, match=r"^the board's port must be open: use `with Board"):
        BoardClient("port").identify()
    with pytest.raises(ValueError, match=r"^timeout must be positive, not 0$"):
        BoardClient("port", timeout=0).__enter__()
