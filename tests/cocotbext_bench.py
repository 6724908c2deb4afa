"""A second bench, of drivers that are not ours: cocotbext-axi on all three ends, with pauses.

Packets that end early or late are mixed in between: the engine must flag them, drop them, and
answer every whole vector as if they had not been.
"""

import json
import os
import random
from pathlib import Path

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, FallingEdge, RisingEdge
from cocotbext.axi import (
    AxiLiteBus,
    AxiLiteMaster,
    AxiResp,
    AxiStreamBus,
    AxiStreamSink,
    AxiStreamSource,
)

from darb.golden.register_map import ERRORS, REGISTERS


def pauses(rng, chance):
    """Yield for each clock whether an end rests."""
    while True:
        yield rng.random() < chance


async def noise(dut):
    """Put anything where nothing is valid, half-way between the edges at which drivers move."""
    rng = random.Random(0)
    payloads = {
        "s_axis_tvalid": ("s_axis_tdata", "s_axis_tlast"),
        "s_axil_awvalid": ("s_axil_awaddr", "s_axil_awprot"),
        "s_axil_wvalid": ("s_axil_wdata", "s_axil_wstrb"),
        "s_axil_arvalid": ("s_axil_araddr", "s_axil_arprot"),
    }
    ports = {
        getattr(dut, valid): [getattr(dut, name) for name in names]
        for valid, names in payloads.items()
    }
    while True:
        await FallingEdge(dut.aclk)
        for valid, names in ports.items():
            if not int(valid.value):
                for port in names:
                    port.value = rng.getrandbits(len(port))


async def start(dut):
    """Return the three ends, after reset; where nothing is valid there is noise."""
    cocotb.start_soon(Clock(dut.aclk, 10, unit="ns").start())
    dut.aresetn.value = 0
    for name in ("s_axis_tvalid", "m_axis_tready", "s_axil_arvalid", "s_axil_rready"):
        getattr(dut, name).value = 0
    for name in ("s_axil_awvalid", "s_axil_wvalid", "s_axil_bready"):
        getattr(dut, name).value = 0
    # The drivers look at the engine's side from their first clock on.
    await ClockCycles(dut.aclk, 4)
    ends = (
        AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis"), dut.aclk),
        AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis"), dut.aclk),
        AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.aclk),
    )
    dut.aresetn.value = 1
    cocotb.start_soon(noise(dut))
    await RisingEdge(dut.aclk)
    return ends


async def read(axil, name):
    """Return a register."""
    return await axil.read_dword(REGISTERS[name])


@cocotb.test()
async def vectors_among_broken_packets(dut):
    """Whole vectors come out exact, whatever stands between them."""
    job = json.loads(Path(os.environ["COCOTBEXT_JOB"]).read_text())
    with np.load(job["vectors"]) as archive:
        packets, expected = archive["packets"], archive["expected"]
    rng = random.Random(job["seed"])
    source, sink, axil = await start(dut)
    source.set_pause_generator(pauses(rng, 0.3))
    sink.set_pause_generator(pauses(rng, 0.4))
    beat = packets.shape[2]
    broken = {"too_short": 0, "too_long": 0}
    for number, packet in enumerate(packets):
        whole = packet.tobytes()
        if number % 3 == 1 and len(packet) > 1:
            broken["too_short"] += 1
            await source.send(whole[: beat * rng.randrange(1, len(packet))])
        if number % 3 == 2:
            broken["too_long"] += 1
            await source.send(whole + whole[: beat * rng.randrange(1, len(packet) + 1)])
        await source.send(whole)
    for number, words in enumerate(expected):
        frame = await sink.recv()
        seen = np.frombuffer(bytes(frame.tdata), dtype="<i4")
        assert seen.tolist() == words.tolist(), f"vector {number}, seed {job['seed']}"
    await ClockCycles(dut.aclk, job["tail"])
    assert sink.empty(), "words came although none was due"
    errors = sum(1 << ERRORS[name] for name, count in broken.items() if count)
    assert await read(axil, "errors") == errors
    assert await read(axil, "vectors") == len(expected)
    digest = [await read(axil, f"digest_{n}") for n in (2, 1, 0)]
    assert "".join(f"{part:08x}" for part in digest) == job["digest"]

    await axil.write_dword(REGISTERS["errors"], errors)
    assert await read(axil, "errors") == 0
    illegal = await axil.read(0xF0, 4)
    assert illegal.resp is AxiResp.DECERR
    refused = await axil.write(REGISTERS["identity"], b"\0\0\0\0")
    assert refused.resp is AxiResp.SLVERR
