"""Loading by a driver that is not ours: what is refused, and what halting does to the streams."""

import json
import os
from pathlib import Path

import cocotb
import numpy as np
from cocotb.triggers import ClockCycles, FallingEdge
from cocotbext.axi import AxiResp
from cocotbext_bench import read, start

from darb.golden.register_map import CONTROL, ERRORS, LOAD_MEMORY_SHIFT, REGISTERS, STATUS

HALT = 1 << CONTROL["halt"]


async def write(axil, name, value):
    """Return the response to a write of a register."""
    return (await axil.write(REGISTERS[name], value.to_bytes(4, "little"))).resp


async def load(axil, writes):
    """Write what loads an image; every write must be accepted."""
    for address, value in writes.tolist():
        done = await axil.write(address, value.to_bytes(4, "little"))
        assert done.resp is AxiResp.OKAY, (address, value)


async def streams_are_silent(dut, *, once_answered=False):
    """Fail in the first clock in which a beat could move; looked at half-way between edges.

    With `once_answered` the clock in which a write under way is answered is the first that counts.
    """
    await FallingEdge(dut.aclk)
    while once_answered and not int(dut.s_axil_bvalid.value):
        await FallingEdge(dut.aclk)
    while True:
        assert not int(dut.s_axis_tready.value), "a beat could go in"
        assert not int(dut.m_axis_tvalid.value), "a beat comes out"
        await FallingEdge(dut.aclk)


async def loading_is_refused(axil):
    """Try to load a running engine; the place must not move."""
    place = await read(axil, "load_place")
    for name in ("load_place", "load_data"):
        for value in (0, 1):
            assert await write(axil, name, value) is AxiResp.SLVERR
    assert await read(axil, "load_place") == place


async def send_and_check(ends, image, *, sent=0):
    """Send an image's vectors back to back, the first `sent` left out; compare every frame.

    Meanwhile loading is tried and must change nothing.
    """
    source, sink, axil = ends
    for packet in image["packets"][sent:]:
        source.send_nowait(packet.tobytes())
    await loading_is_refused(axil)
    for number, words in enumerate(image["expected"]):
        frame = await sink.recv()
        seen = np.frombuffer(bytes(frame.tdata), dtype="<i4")
        assert seen.tolist() == words.tolist(), f"vector {number}"


async def forget(dut, source, sink):
    """Drop the frames under way, which halting has cut off."""
    for end in (source, sink):
        end.assert_reset()
        end.clear()
    await ClockCycles(dut.aclk, 2)


async def replace_in_mid_vector(dut, ends, before, after, clocks, blocked):
    """Send vectors of image `before`, halt after `clocks`, load `after` and run it.

    With `blocked` results wait at the output when the engine is halted.
    """
    source, sink, axil = ends
    sink.pause = blocked
    for packet in before["packets"]:
        source.send_nowait(packet.tobytes())
    await ClockCycles(dut.aclk, clocks)
    if blocked:
        assert int(dut.m_axis_tvalid.value)
    silent = cocotb.start_soon(streams_are_silent(dut, once_answered=True))
    assert await write(axil, "control", HALT) is AxiResp.OKAY
    counted = [await read(axil, name) for name in ("cycles", "vectors", "stalls")]
    await load(axil, after["writes"])
    assert [await read(axil, name) for name in ("cycles", "vectors", "stalls")] == counted
    await forget(dut, source, sink)
    silent.cancel()
    sink.pause = False
    assert await write(axil, "control", 0) is AxiResp.OKAY
    await send_and_check(ends, after)
    assert await read(axil, "errors") == 0
    assert await read(axil, "input_beats") == after["packets"].shape[1]
    assert await read(axil, "outputs") == after["expected"].shape[1]


async def broken_packets_are_flagged(ends, image):
    """Send packets that end early and late, a whole vector behind each; clear each flag."""
    source, sink, axil = ends
    whole = image["packets"][0].tobytes()
    first = image["packets"][0][:1].tobytes()
    assert len(whole) > len(first)
    for name, packet in (("too_short", first), ("too_long", whole + first)):
        await source.send(packet)
        await source.send(whole)
        seen = np.frombuffer(bytes((await sink.recv()).tdata), dtype="<i4")
        assert seen.tolist() == image["expected"][0].tolist(), name
        assert await read(axil, "errors") == 1 << ERRORS[name]
        assert await write(axil, "errors", 1 << ERRORS[name]) is AxiResp.OKAY
        assert await read(axil, "errors") == 0


@cocotb.test()
async def load_run_halt_and_load_again(dut):
    """One engine, two images in turn, each halted in mid-vector by the other."""
    job = json.loads(Path(os.environ["LOADING_JOB"]).read_text())
    images = []
    for path in job["images"]:
        with np.load(path) as archive:
            images.append(dict(archive))
    source, sink, axil = ends = await start(dut)

    # Nothing loaded: a vector waits outside, and the registers say why.
    silent = cocotb.start_soon(streams_are_silent(dut))
    source.send_nowait(images[0]["packets"][0].tobytes())
    await ClockCycles(dut.aclk, 200)
    said = await read(axil, "status")
    assert said == 1 << STATUS["booted"] | 1 << STATUS["version_differs"]
    for name in ("cycles", "vectors", "errors", "input_beats", "outputs", "digest_0"):
        assert await read(axil, name) == 0, name
    await loading_is_refused(axil)

    assert await write(axil, "control", HALT) is AxiResp.OKAY
    assert await read(axil, "control") == HALT
    assert await read(axil, "status") == 0
    for memory in range(16):
        depth = job["depths"][memory] if memory < len(job["depths"]) else 0
        for word in (0, depth - 1, depth, 2 * depth, 1 << LOAD_MEMORY_SHIFT - 1):
            due = AxiResp.OKAY if 0 <= word < depth else AxiResp.SLVERR
            place = memory << LOAD_MEMORY_SHIFT | max(word, 0)
            assert await write(axil, "load_place", place) is due, (memory, word)
    await load(axil, images[0]["writes"])
    silent.cancel()
    assert await write(axil, "control", 0) is AxiResp.OKAY
    await send_and_check(ends, images[0], sent=1)

    for number, (clocks, blocked) in enumerate(job["halts"]):
        before, after = images[number % 2], images[1 - number % 2]
        await replace_in_mid_vector(dut, ends, before, after, clocks, blocked)

    # A reset in mid-vector keeps what was loaded, and nothing else.
    for packet in after["packets"]:
        source.send_nowait(packet.tobytes())
    await ClockCycles(dut.aclk, job["tail"] // 2)
    assert await read(axil, "cycles") > 0
    dut.aresetn.value = 0
    await forget(dut, source, sink)
    await ClockCycles(dut.aclk, 3)
    dut.aresetn.value = 1
    for name in ("cycles", "vectors", "stalls", "errors", "load_place"):
        assert await read(axil, name) == 0, name
    await send_and_check(ends, after)
    await broken_packets_are_flagged(ends, after)
    await ClockCycles(dut.aclk, job["tail"])
    assert sink.empty(), "words came although none was due"
