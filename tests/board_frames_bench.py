"""The cocotb bench of a board's two wires: what goes over them, byte for byte, and its three LEDs.

It needs no host program and no real time, so every clock is the same in every run. What the board
must answer stands in the job; see `board_frames`.
"""

import json
import os
import zlib
from pathlib import Path

import cocotb
from cocotb.clock import Clock
from cocotb.simtime import get_sim_time
from cocotb.triggers import FallingEdge, Timer, ValueChange

_PERIOD = 10
_BYTE_BITS = 10


class Line:
    """Both directions of the line.

    Parameters
    ----------
    dut : cocotb handle
        `BoardCore`.
    divisor : int
        Clocks a bit.
    """

    def __init__(self, dut, divisor):
        self.dut, self.bit = dut, _PERIOD * divisor
        self.heard, self.began = bytearray(), 0.0

    async def send(self, parts):
        """Send bytes, given in hex, or a level for some clocks."""
        rx = self.dut.uart_rx
        for part in parts:
            if isinstance(part, list):
                rx.value, clocks = part
                await Timer(_PERIOD * clocks, unit="ns")
                continue
            for byte in bytes.fromhex(part):
                for level in (0, *(byte >> place & 1 for place in range(8)), 1):
                    rx.value = level
                    await Timer(self.bit, unit="ns")
        rx.value = 1

    async def listen(self):
        """Take what the board sends, for ever; each bit must stand from its first clock on."""
        tx, half = self.dut.uart_tx, _PERIOD // 2
        while True:
            if int(tx.value):
                await FallingEdge(tx)
            if not self.heard:
                self.began = get_sim_time("ns")
            await Timer(half, unit="ns")
            bits = []
            for number in range(_BYTE_BITS):
                first = int(tx.value)
                await Timer(self.bit - _PERIOD, unit="ns")
                assert int(tx.value) == first, f"bit {number} of a byte is cut short"
                bits.append(first)
                if number < _BYTE_BITS - 1:
                    await Timer(_PERIOD, unit="ns")
            assert (bits[0], bits[-1]) == (0, 1), "a start bit must be 0 and a stop bit 1"
            self.heard.append(sum(bit << place for place, bit in enumerate(bits[1:-1])))
            await Timer(half, unit="ns")


async def blink(dut, second, changes):
    """Note when the LED `alive` changes; it must do so every half second, to the clock."""
    while True:
        await ValueChange(dut.led_alive)
        changes.append(get_sim_time("ns"))
        if len(changes) > 1:
            assert changes[-1] - changes[-2] == _PERIOD * second // 2


async def answer(line, step, job):
    """Wait for the replies to a step; nothing else may come, then or in the quiet behind them."""
    expected = b"".join(bytes.fromhex(reply) for reply in step["expect"])
    asked = get_sim_time("ns")
    for _ in range(job["patience"]):
        if len(line.heard) >= len(expected):
            break
        await Timer(line.bit, unit="ns")
    assert len(line.heard) >= len(expected), f"{step['name']}: {line.heard.hex()} and no more"
    await Timer(_PERIOD * step["quiet"], unit="ns")
    heard = bytes(line.heard)
    line.heard.clear()
    if heard:
        clocks = round((line.began - asked) / _PERIOD)
        assert step["earliest"] <= clocks <= step["latest"], f"{step['name']}: {clocks} clocks"
    if step["loose"]:
        assert heard[-4:] == zlib.crc32(heard[:-4]).to_bytes(4, "little"), step["name"]
        heard, expected = (heard[:4], len(heard)), (expected[:4], len(expected))
    assert heard == expected, f"{step['name']}: {heard!r} should be {expected!r}"


@cocotb.test()
async def frames_and_their_replies(dut):
    """Carry out a job, step by step."""
    job = json.loads(Path(os.environ["FRAMES_JOB"]).read_text())
    line = Line(dut, job["divisor"])
    cocotb.start_soon(Clock(dut.clk, _PERIOD, unit="ns").start())
    dut.uart_rx.value = 1
    dut.rst.value = 1
    await Timer(4 * _PERIOD, unit="ns")
    dut.rst.value = 0
    await Timer(60 * _PERIOD, unit="ns")
    assert int(dut.uart_tx.value)
    assert not int(dut.led_busy.value)
    assert not int(dut.led_error.value)
    cocotb.start_soon(line.listen())
    changes, began = [], get_sim_time("ns")
    cocotb.start_soon(blink(dut, job["second"], changes))
    for step in job["steps"]:
        await line.send(step["send"])
        if step["expect"]:
            # The step's last byte has only just gone in.
            assert int(dut.led_busy.value), step["name"]
        await answer(line, step, job)
        if step["error"] is not None:
            assert int(dut.led_error.value) == step["error"], step["name"]
        if step["quiet"] > job["second"] // 8:
            assert not int(dut.led_busy.value), step["name"]
    halves = (get_sim_time("ns") - began) / (_PERIOD * job["second"] / 2)
    assert abs(len(changes) - halves) <= 1, f"{len(changes)} changes in {halves} half seconds"
