import re
from pathlib import Path

import pytest
from component_simulation import run_component
from configs import small_config

from darb.golden.memory_map import FORMAT_VERSION
from darb.golden.register_map import ERRORS, IDENTITY, REGISTERS, STATUS
from darb.hw.axi_lite_registers import AxiLiteRegisters

OKAY, SLVERR, DECERR = 0, 2, 3


@pytest.fixture
def registers():
    return AxiLiteRegisters(config=small_config())


async def read(ctx, registers, address):
    ctx.set(registers.s_axil_araddr, address)
    ctx.set(registers.s_axil_arvalid, 1)
    await ctx.tick().until(registers.s_axil_arready)
    ctx.set(registers.s_axil_arvalid, 0)
    ctx.set(registers.s_axil_rready, 1)
    data, response = await (
        ctx.tick()
        .sample(registers.s_axil_rdata, registers.s_axil_rresp)
        .until(registers.s_axil_rvalid)
    )
    ctx.set(registers.s_axil_rready, 0)
    return data, response


async def write(ctx, registers, address, data, strobe=0b1111, *, data_first=False):
    async def send_address():
        ctx.set(registers.s_axil_awaddr, address)
        ctx.set(registers.s_axil_awvalid, 1)
        await ctx.tick().until(registers.s_axil_awready)
        ctx.set(registers.s_axil_awvalid, 0)

    async def send_data():
        ctx.set(registers.s_axil_wdata, data)
        ctx.set(registers.s_axil_wstrb, strobe)
        ctx.set(registers.s_axil_wvalid, 1)
        await ctx.tick().until(registers.s_axil_wready)
        ctx.set(registers.s_axil_wvalid, 0)

    for send in (send_data, send_address) if data_first else (send_address, send_data):
        await send()
        await ctx.tick()
    ctx.set(registers.s_axil_bready, 1)
    (response,) = await ctx.tick().sample(registers.s_axil_bresp).until(registers.s_axil_bvalid)
    ctx.set(registers.s_axil_bready, 0)
    return response


def test_identity_shape_and_digest(registers):
    async def bench(ctx):
        ctx.set(registers.digest, 0x33333333_22222222_11111111)
        ctx.set(registers.booted, 1)
        ctx.set(registers.version, FORMAT_VERSION)
        expected = {
            "identity": IDENTITY,
            "format_version": FORMAT_VERSION,
            "digest_0": 0x11111111,
            "digest_1": 0x22222222,
            "digest_2": 0x33333333,
            "shape": 4 | 2 << 16 | 8 << 24 | 8 << 28,
            "status": 1,
            "errors": 0,
        }
        for name, value in expected.items():
            assert await read(ctx, registers, REGISTERS[name]) == (value, OKAY), name
        ctx.set(registers.version, FORMAT_VERSION + 1)
        ctx.set(registers.busy, 1)
        assert await read(ctx, registers, REGISTERS["status"]) == (0b111, OKAY)

    run_component(registers, bench)


def test_illegal_addresses_answer_errors_and_change_nothing(registers):
    async def bench(ctx):
        assert await read(ctx, registers, 0x80) == (0, DECERR)
        assert await write(ctx, registers, 0x80, 1) == DECERR
        assert await write(ctx, registers, REGISTERS["identity"], 1) == SLVERR
        assert await read(ctx, registers, REGISTERS["identity"]) == (IDENTITY, OKAY)

    run_component(registers, bench)


def test_errors_stay_until_cleared_bit_by_bit(registers):
    async def bench(ctx):
        for name in ("too_short", "too_long"):
            ctx.set(getattr(registers, name), 1)
            await ctx.tick()
            ctx.set(getattr(registers, name), 0)
        errors = REGISTERS["errors"]
        assert await read(ctx, registers, errors) == (0b11, OKAY)
        assert await write(ctx, registers, errors, 0b11, strobe=0b1110) == OKAY
        assert await read(ctx, registers, errors) == (0b11, OKAY)
        assert await write(ctx, registers, errors, 0b01, data_first=True) == OKAY
        assert await read(ctx, registers, errors) == (0b10, OKAY)

    run_component(registers, bench)


def test_answers_stay_until_taken_and_nothing_overtakes_them(registers):
    async def bench(ctx):
        ctx.set(registers.s_axil_arvalid, 1)
        ctx.set(registers.s_axil_araddr, REGISTERS["identity"])
        for name in ("awvalid", "wvalid"):
            ctx.set(getattr(registers, f"s_axil_{name}"), 1)
        ctx.set(registers.s_axil_awaddr, REGISTERS["identity"])
        await ctx.tick().repeat(4)
        # A second request stands behind each answer, and must neither be taken twice nor answered.
        ctx.set(registers.s_axil_araddr, REGISTERS["format_version"])
        ctx.set(registers.s_axil_awaddr, REGISTERS["errors"])
        for _ in range(5):
            await ctx.tick()
            assert ctx.get(registers.s_axil_rvalid)
            assert ctx.get(registers.s_axil_rdata) == IDENTITY
            assert not ctx.get(registers.s_axil_arready)
            assert ctx.get(registers.s_axil_bvalid)
            assert ctx.get(registers.s_axil_bresp) == SLVERR
            assert not ctx.get(registers.s_axil_awready)
            assert not ctx.get(registers.s_axil_wready)
        for name in ("arvalid", "awvalid", "wvalid"):
            ctx.set(getattr(registers, f"s_axil_{name}"), 0)
        ctx.set(registers.s_axil_rready, 1)
        ctx.set(registers.s_axil_bready, 1)
        await ctx.tick()
        assert not ctx.get(registers.s_axil_rvalid)
        assert not ctx.get(registers.s_axil_bvalid)

    run_component(registers, bench)


def test_an_error_in_the_clock_of_its_clearing_is_kept(registers):
    async def bench(ctx):
        ctx.set(registers.too_short, 1)
        assert await write(ctx, registers, REGISTERS["errors"], 0b11) == OKAY
        ctx.set(registers.too_short, 0)
        assert await read(ctx, registers, REGISTERS["errors"]) == (0b01, OKAY)

    run_component(registers, bench)


def test_counters_count_and_clear(registers):
    async def bench(ctx):
        for signal, clocks in (("busy", 7), ("stalled", 3), ("vector_done", 2)):
            ctx.set(getattr(registers, signal), 1)
            for _ in range(clocks):
                await ctx.tick()
            ctx.set(getattr(registers, signal), 0)
        for name, value in (("cycles", 7), ("stalls", 3), ("vectors", 2)):
            assert await read(ctx, registers, REGISTERS[name]) == (value, OKAY)
        assert await write(ctx, registers, REGISTERS["stalls"], 0, strobe=0) == OKAY
        assert await read(ctx, registers, REGISTERS["stalls"]) == (3, OKAY)
        assert await write(ctx, registers, REGISTERS["stalls"], 0) == OKAY
        assert await read(ctx, registers, REGISTERS["stalls"]) == (0, OKAY)
        assert await read(ctx, registers, REGISTERS["cycles"]) == (7, OKAY)

    run_component(registers, bench)


def test_the_documented_map_is_the_map():
    text = (Path(__file__).parents[2] / "docs" / "engine.md").read_text()
    rows = re.findall(r"^\| `(0x[0-9a-f]{2})` \| `(\w+)` \| (.*) \|$", text, re.MULTILINE)
    assert {name: int(address, 16) for address, name, _ in rows} == REGISTERS
    for register, bits in (("status", STATUS), ("errors", ERRORS)):
        (holds,) = (holds for _, name, holds in rows if name == register)
        found = {name: int(bit) for bit, name in re.findall(r"bit (\d) `(\w+)`", holds)}
        assert found == bits
