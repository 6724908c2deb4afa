import re
from pathlib import Path

import pytest
from component_simulation import run_component
from configs import small_config

from darb.golden import Storage
from darb.golden.memory_map import FORMAT_VERSION
from darb.golden.register_map import (
    CHECK_REGISTERS,
    CONTROL,
    ERRORS,
    IDENTITY,
    LOAD_MEMORY,
    REGISTERS,
    STATUS,
    constant_registers,
    digest_registers,
    read_config,
)
from darb.hw.axi_lite_registers import AxiLiteRegisters

OKAY, SLVERR, DECERR = 0, 2, 3


@pytest.fixture
def registers():
    return AxiLiteRegisters(config=small_config())


@pytest.fixture
def loadable():
    return AxiLiteRegisters(config=small_config(), storage=Storage.RAM)


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


@pytest.mark.parametrize("storage", Storage)
def test_a_host_reads_the_config_the_digest_and_the_shape_of_the_image(storage):
    registers = AxiLiteRegisters(config=small_config(), storage=storage)

    async def bench(ctx):
        ctx.set(registers.digest, 0x0123_4567_89AB_CDEF_0011_2233)
        ctx.set(registers.input_beats, 0xABCD)
        ctx.set(registers.outputs, 0x1FFFF)
        values = {}
        for name, address in REGISTERS.items():
            values[name], response = await read(ctx, registers, address)
            assert response == OKAY, name
        assert read_config(values) == (small_config(), storage)
        assert digest_registers(values) == "0123456789abcdef00112233"
        assert (values["input_beats"], values["outputs"]) == (0xABCD, 0x1FFFF)
        rest = REGISTERS.keys() - constant_registers(small_config(), storage).keys()
        rest -= {"digest_0", "digest_1", "digest_2", "input_beats", "outputs"}
        assert {values[name] for name in rest} == {0}

    run_component(registers, bench)


def test_registers_that_only_read(registers, loadable):
    loading = {"control", "load_place", "load_data"}
    writable = {"errors", "vectors", "cycles", "stalls"}
    for component, allowed in ((registers, writable), (loadable, writable | {"control"})):

        async def bench(ctx, component=component, allowed=allowed):
            for name in REGISTERS.keys() - (loading - {"control"}):
                expected = OKAY if name in allowed else SLVERR
                assert await write(ctx, component, REGISTERS[name], 1) == expected, name

        run_component(component, bench)


def test_rom_knows_no_loading(registers):
    async def bench(ctx):
        for name in ("control", "load_place", "load_data"):
            assert await write(ctx, registers, REGISTERS[name], 1) == SLVERR
            assert await read(ctx, registers, REGISTERS[name]) == (0, OKAY)

    run_component(registers, bench)
    assert not hasattr(registers, "loading")


def test_control_halts_and_lets_go(loadable):
    control, halt = REGISTERS["control"], loadable.loading.halt

    async def bench(ctx):
        assert await read(ctx, loadable, control) == (0, OKAY)
        for value, strobe, expected in (
            (0xFFFFFFFE, 0b1111, 0),
            (0xFFFFFFFF, 0b1110, 0),
            (1, 0b0000, 0),
            (1, 0b0001, 1),
            (0, 0b1110, 1),
            (3, 0b1111, 1),
            (0, 0b0001, 0),
        ):
            assert await write(ctx, loadable, control, value, strobe) == OKAY
            assert await read(ctx, loadable, control) == (expected, OKAY), (value, strobe)
            assert ctx.get(halt) == expected

    run_component(loadable, bench)


def test_loading_is_written_whole_and_where_it_is_accepted(loadable):
    loading, asked = loadable.loading, []

    async def watch(ctx):
        signals = (loading.place_en, loading.data_en, loading.word)
        async for _, _, place_en, data_en, word in ctx.tick().sample(*signals):
            if place_en or data_en:
                asked.append((place_en, data_en, word))

    async def bench(ctx):
        ctx.set(loading.place, 0x3000_0005)
        place, data = REGISTERS["load_place"], REGISTERS["load_data"]
        assert await read(ctx, loadable, place) == (0x3000_0005, OKAY)
        assert await read(ctx, loadable, data) == (0, OKAY)
        for place_okay, data_okay in ((0, 0), (1, 0), (0, 1), (1, 1)):
            ctx.set(loading.place_okay, place_okay)
            ctx.set(loading.data_okay, data_okay)
            for address, okay in ((place, place_okay), (data, data_okay)):
                for strobe in (0b0000, 0b0111, 0b1110):
                    assert await write(ctx, loadable, address, 7, strobe) == SLVERR
                expected = OKAY if okay else SLVERR
                assert await write(ctx, loadable, address, address << 8) == expected

    run_component(loadable, bench, background=[watch])
    place, data = REGISTERS["load_place"] << 8, REGISTERS["load_data"] << 8
    assert asked == [(1, 0, place), (0, 1, data), (1, 0, place), (0, 1, data)]


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


def test_an_event_in_the_clock_of_a_clear_is_counted_after_it(registers):
    async def bench(ctx):
        for port, value in (("awaddr", REGISTERS["cycles"]), ("wdata", 0), ("wstrb", 0b1111)):
            ctx.set(getattr(registers, f"s_axil_{port}"), value)
        for port in ("awvalid", "wvalid", "bready"):
            ctx.set(getattr(registers, f"s_axil_{port}"), 1)
        await ctx.tick()
        for port in ("awvalid", "wvalid"):
            ctx.set(getattr(registers, f"s_axil_{port}"), 0)
        # Address and data are in: this is the clock that clears.
        ctx.set(registers.busy, 1)
        await ctx.tick()
        ctx.set(registers.busy, 0)
        await ctx.tick()
        assert await read(ctx, registers, REGISTERS["cycles"]) == (1, OKAY)

    run_component(registers, bench)


def test_the_documented_map_is_the_map():
    text = (Path(__file__).parents[2] / "docs" / "engine.md").read_text()
    rows = re.findall(r"^\| `(0x[0-9a-f]{2})` \| `(\w+)` \| (.*) \|$", text, re.MULTILINE)
    assert {name: int(address, 16) for address, name, _ in rows} == {
        **REGISTERS,
        **CHECK_REGISTERS,
    }
    for register, bits in (("status", STATUS), ("errors", ERRORS), ("control", CONTROL)):
        (holds,) = (holds for _, name, holds in rows if name == register)
        found = {name: int(bit) for bit, name in re.findall(r"bit (\d) `(\w+)`", holds)}
        assert found == bits
    (holds,) = (holds for _, name, holds in rows if name == "load_place")
    numbers = re.findall(r"(\d) `(\w+)`", holds)
    assert {name: int(number) for number, name in numbers} == LOAD_MEMORY
