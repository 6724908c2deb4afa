"""Every address of the registers, read and written by a driver that is not ours."""

import json
import os
from pathlib import Path

import cocotb
from cocotb.triggers import ClockCycles, FallingEdge
from cocotbext.axi import AxiResp
from cocotbext_bench import start

from darb.golden.register_map import ADDRESS_BITS, CONTROL, ERRORS, REGISTERS

COUNTERS = ("vectors", "cycles", "stalls")


async def read(axil, address):
    """Return the response to a read, and the value."""
    answer = await axil.read(address, 4)
    return answer.resp, int.from_bytes(answer.data, "little")


async def write(axil, address, value, size=4):
    """Return the response to a write of the lowest `size` bytes from an address on."""
    return (await axil.write(address, value.to_bytes(size, "little"))).resp


async def constants_stand(axil, job):
    """Read every address: registers answer, those that never change what they are."""
    names = {address: name for name, address in REGISTERS.items()}
    for address in range(0, 1 << ADDRESS_BITS, 4):
        response, value = await read(axil, address)
        name = names.get(address)
        assert response is (AxiResp.OKAY if name else AxiResp.DECERR), hex(address)
        if name not in COUNTERS:
            assert value == job["values"].get(name, 0), (hex(address), name)


async def refusals(axil, job):
    """Write every address: only what is writable takes it."""
    names = {address: name for name, address in REGISTERS.items()}
    writable = {"errors", *COUNTERS} | ({"control"} if job["ram"] else set())
    for address in range(0, 1 << ADDRESS_BITS, 4):
        name = names.get(address)
        due = AxiResp.OKAY if name in writable else AxiResp.SLVERR if name else AxiResp.DECERR
        value = 0xFFFFFFFE if name == "control" else 0xFFFFFFFF
        assert await write(axil, address, value) is due, hex(address)


async def flags(dut, source, axil, job):
    """Raise each error flag; a write clears those of its ones, in the bytes that it has."""
    beat, beats = job["beat"], job["beats"]
    both = sum(1 << bit for bit in ERRORS.values())
    for packet in (bytes(beat), bytes(beat * (beats + 1))):
        await source.send(packet)
    await source.wait()
    await ClockCycles(dut.aclk, 4)
    for first in ERRORS.values():
        assert (await read(axil, REGISTERS["errors"]))[1] == both
        # The strobes leave out the byte that has the flags.
        assert await write(axil, REGISTERS["errors"] + 1, 0xFFFFFF, 3) is AxiResp.OKAY
        assert (await read(axil, REGISTERS["errors"]))[1] == both
        assert await write(axil, REGISTERS["errors"], both & ~(1 << first), 1) is AxiResp.OKAY
        assert (await read(axil, REGISTERS["errors"]))[1] == 1 << first
        assert await write(axil, REGISTERS["errors"], 1 << first) is AxiResp.OKAY
        assert (await read(axil, REGISTERS["errors"]))[1] == 0
        for packet in (bytes(beat), bytes(beat * (beats + 1))):
            await source.send(packet)
        await source.wait()
        await ClockCycles(dut.aclk, 4)
    assert await write(axil, REGISTERS["errors"], both) is AxiResp.OKAY


@cocotb.test()
async def every_address(dut):
    """Read all, write all, and find everything as it was."""
    job = json.loads(Path(os.environ["REGISTERS_JOB"]).read_text())
    source, _, axil = await start(dut)
    await ClockCycles(dut.aclk, 20)
    await constants_stand(axil, job)
    if job["runs"]:
        await flags(dut, source, axil, job)
    else:
        source.send_nowait(bytes(job["beat"] * job["beats"]))
        for _ in range(100):
            await FallingEdge(dut.aclk)
            assert not int(dut.s_axis_tready.value), "a beat goes in"
    await refusals(axil, job)
    await constants_stand(axil, job)
    if job["ram"]:
        halt = 1 << CONTROL["halt"]
        # A write whose strobes leave out the lowest byte halts nothing.
        assert await write(axil, REGISTERS["control"] + 1, 0xFFFFFF, 3) is AxiResp.OKAY
        assert (await read(axil, REGISTERS["control"]))[1] == 0
        assert await write(axil, REGISTERS["control"], 0xFF, 1) is AxiResp.OKAY
        assert (await read(axil, REGISTERS["control"]))[1] == halt
        for place in ("load_place", "load_data"):
            for first in range(4):
                one = await write(axil, REGISTERS[place] + first, 0, 1)
                assert one is AxiResp.SLVERR, (place, first)
        assert (await read(axil, REGISTERS["load_place"]))[1] == 0
