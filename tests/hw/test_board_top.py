"""The whole top level in Icarus: a clock and a serial line at its pins, as on the board."""

import re
import struct
import subprocess

import pytest
from configs import small_config
from serial_line import levels

from darb.golden import Storage
from darb.golden.frame import IDENTIFY_REGISTERS, PROTOCOL_VERSION, REPLY, Command, Frame
from darb.golden.register_map import constant_registers
from darb.hw.board_top import BoardTop, board_verilog
from darb.hw.boards import BOARDS
from darb.hw.boards.board import LED_PORTS

DIVISOR, RESET_CLOCKS, IDLE_CLOCKS, TAG = 4, 256, 100, 0x5A
REPLY_BYTES = 4 + 100 + 4
BENCH = """
module bench;
    reg clk = 0, rx = 1;
    wire tx, alive, busy, error;
    reg [0:{bits}-1] sent = {bits}'b{sent};
    integer clock;
    top top(.clk(clk), .uart_rx(rx), .uart_tx(tx),
            .led_alive(alive), .led_busy(busy), .led_error(error));
    initial for (clock = 0; clock < {clocks}; clock = clock + 1) begin
        if (clock >= {start} && (clock - {start}) / {divisor} < {bits})
            rx = sent[(clock - {start}) / {divisor}];
        #5 $display("%b %b%b%b %b", tx, alive, busy, error, top.rst);
        clk = 1;
        #5 clk = 0;
    end
endmodule
"""


def powered(directory, board, sent, *, start):
    """Return tx, LEDs and reset in each clock from power-on; `sent` goes in from clock `start`."""
    bits = levels(sent)
    text = board_verilog(
        board,
        small_config(),
        storage=Storage.RAM,
        clock_hz=board.clock_hz,
        baud=board.clock_hz // DIVISOR,
    )
    (directory / "top.v").write_text(text)
    bench = BENCH.format(
        bits=len(bits),
        sent="".join(map(str, bits)),
        start=start,
        divisor=DIVISOR,
        clocks=start + DIVISOR * (len(bits) + 10 * REPLY_BYTES) + IDLE_CLOCKS + 500,
    )
    (directory / "bench.v").write_text(bench)
    # As SystemVerilog, initial values would come before the logic waits for a change of them.
    compiled = ["iverilog", "-g2005", "-o", "bench.vvp", "-s", "bench", "bench.v", "top.v"]
    subprocess.run(compiled, cwd=directory, check=True, capture_output=True)
    command = ["vvp", "-n", "bench.vvp"]
    done = subprocess.run(command, cwd=directory, check=True, capture_output=True, text=True)
    lines = [line.split() for line in done.stdout.splitlines()]
    return [tuple(column) for column in zip(*lines, strict=True)]


def heard(line):
    """Return the bytes on a line, each sampled in the middle of its bits."""
    received, clock = bytearray(), 0
    while "0" in line[clock:]:
        clock = line.index("0", clock)
        bits = [line[clock + DIVISOR * place + DIVISOR // 2] for place in range(10)]
        assert bits[0] == "0", f"clock {clock}"
        assert bits[9] == "1", f"clock {clock}"
        received.append(int("".join(reversed(bits[1:9])), 2))
        clock += 9 * DIVISOR + DIVISOR // 2
    return bytes(received)


@pytest.mark.icarus
@pytest.mark.parametrize("name", ["icebreaker", "ecpix5-85f", "arty-a7-35"])
def test_from_power_on_to_a_reply(name, tmp_path):
    board = BOARDS[name]
    dark = "".join(str(int(led.active_low)) for led in board.leds)
    start = RESET_CLOCKS + IDLE_CLOCKS
    tx, leds, reset = powered(tmp_path, board, Frame(Command.IDENTIFY, TAG).encode(), start=start)

    released = reset.index("0")
    assert RESET_CLOCKS <= released <= RESET_CLOCKS + 4
    assert set(reset[:released]) == {"1"}
    assert set(reset[released:]) == {"0"}

    quiet = start + 80 * DIVISOR
    assert set(tx[:quiet]) == {"1"}
    assert set(leds[:start]) == {dark}
    # Busy alone is lit, and stays so for longer than this takes.
    busy = "".join(str(int(led.active_low ^ (led.port == "led_busy"))) for led in board.leds)
    lit = leds.index(busy)
    assert start < lit < quiet
    assert set(leds[lit:]) == {busy}

    reply = Frame.decode(heard(tx))
    assert (reply.command, reply.tag) == (Command.IDENTIFY | REPLY, TAG)
    version, _, *values = struct.unpack("<HH24I", reply.payload)
    assert version == PROTOCOL_VERSION
    told = dict(zip(IDENTIFY_REGISTERS, values, strict=True))
    expected = constant_registers(small_config(), Storage.RAM)
    assert {register: told[register] for register in expected} == expected


@pytest.mark.icarus
def test_an_error_lights_the_leds_of_their_polarity(tmp_path):
    board = BOARDS["icebreaker"]
    frame = Frame(0x42, TAG).encode()
    _, leds, _ = powered(tmp_path, board, frame, start=RESET_CLOCKS + IDLE_CLOCKS)
    active_low = {led.port: led.active_low for led in board.leds}
    assert active_low == {"led_alive": True, "led_busy": False, "led_error": True}
    assert dict(zip(LED_PORTS, leds[-1], strict=True)) == {
        "led_alive": "1",
        "led_busy": "1",
        "led_error": "0",
    }


def test_a_baud_is_held_against_the_clock_that_the_pll_reaches():
    board = BOARDS["icebreaker"]
    arguments = {"board": board, "config": small_config(), "clock_hz": 26_750_000}
    with pytest.raises(ValueError, match=r"^baud must be within 1 % of a division of 26625000 Hz"):
        BoardTop(**arguments)
    BoardTop(**arguments, baud=26_625_000 // 8)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"baud": 0}, ValueError, "baud must be at least 1, not 0"),
        ({"baud": 9600.0}, TypeError, "baud must be an int, not 9600.0"),
        (
            {"baud": 300},
            ValueError,
            "baud must be at least 500, for a silence of 0.05 s to end a frame, not 300",
        ),
        ({"clock_hz": 24e6}, TypeError, "output_hz must be an int, not 24000000.0"),
    ],
)
def test_arguments_are_checked(changes, error, message):
    arguments = {
        "board": BOARDS["icebreaker"],
        "config": small_config(),
        "clock_hz": 24_000_000,
    }
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        BoardTop(**{**arguments, **changes})
