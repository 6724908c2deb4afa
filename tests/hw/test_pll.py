import re
from dataclasses import replace
from fractions import Fraction

import pytest
from amaranth.back import verilog
from amaranth.hdl import Const
from amaranth.sim import Simulator

from darb.hw.boards import BOARDS, ClockSource
from darb.hw.pll import (
    Ecp5Pll,
    GowinPll,
    Ice40Oscillator,
    Ice40Pll,
    PassThrough,
    XilinxPll,
    make_pll,
    reached_hz,
)

MHZ = 1_000_000
OUT_OF_REACH = "output_hz must be within 0.5 % of a frequency that the PLL reaches, the nearest is "


def instances(component):
    """Names and parameters of the primitives in the Verilog of a component."""
    text = verilog.convert(component, name="clock", emit_src=False)
    found = re.findall(r"^  ([A-Z]\w+|rPLL)(?: #\((.*?)\))? \w+ \(", text, re.M | re.S)
    return {
        name: dict(re.findall(r"\.(\w+)\(([^()]*)\)", parameters)) for name, parameters in found
    }


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_every_board_reaches_its_engine_clock_exactly(board):
    assert reached_hz(board, board.engine_clock_hz) == board.engine_clock_hz


@pytest.mark.parametrize(
    ("name", "output_hz", "kind", "primitives"),
    [
        ("ulx3s-12f", 80 * MHZ, Ecp5Pll, {"EHXPLLL"}),
        ("ecpix5-85f", 100 * MHZ, PassThrough, set()),
        ("icebreaker", 24 * MHZ, Ice40Pll, {"SB_PLL40_PAD"}),
        ("icebreaker", 12 * MHZ, PassThrough, set()),
        ("upduino-v3", 6 * MHZ, Ice40Oscillator, {"SB_HFOSC"}),
        ("upduino-v3", 48 * MHZ, Ice40Oscillator, {"SB_HFOSC"}),
        ("upduino-v3", 30 * MHZ, Ice40Oscillator, {"SB_HFOSC", "SB_PLL40_CORE"}),
        ("tang-nano-9k", 54 * MHZ, GowinPll, {"rPLL"}),
        ("arty-a7-35", 110 * MHZ, XilinxPll, {"PLLE2_BASE", "BUFG"}),
    ],
)
def test_what_a_clock_is_made_of(name, output_hz, kind, primitives):
    board = BOARDS[name]
    clock = make_pll(board, output_hz)
    assert type(clock) is kind
    members = {"o", "locked"} | ({"i"} if board.clock_source is ClockSource.PIN else set())
    assert set(clock.signature.members) == members
    assert set(instances(clock)) == primitives


def test_settings_arrive_in_the_primitives():
    def number(text):
        return int(re.fullmatch(r"\d+'[dh]([\da-f]+)", text)[1], 16 if "h" in text else 10)

    ecp5 = instances(make_pll(BOARDS["orangecrab-25f"], 100 * MHZ))["EHXPLLL"]
    names = ("CLKI_DIV", "CLKFB_DIV", "CLKOP_DIV", "CLKOS_DIV", "CLKOP_CPHASE", "CLKOS_CPHASE")
    assert [number(ecp5[name]) for name in names] == [2, 1, 25, 6, 24, 5]
    ice40 = instances(make_pll(BOARDS["icebreaker"], 24 * MHZ))["SB_PLL40_PAD"]
    names = ("DIVR", "DIVF", "DIVQ", "FILTER_RANGE")
    assert [number(ice40[name]) for name in names] == [0, 63, 5, 1]
    assert instances(make_pll(BOARDS["upduino-v3"], 12 * MHZ))["SB_HFOSC"] == {
        "CLKHF_DIV": '"0b10"'
    }
    gowin = instances(make_pll(BOARDS["tang-nano-9k"], 54 * MHZ))["rPLL"]
    assert [number(gowin[name]) for name in ("IDIV_SEL", "FBDIV_SEL")] == [0, 1]
    assert (gowin["FCLKIN"], gowin["DEVICE"]) == ('"27"', '"GW1NR-9C"')
    xilinx = instances(make_pll(BOARDS["arty-a7-35"], 110 * MHZ))["PLLE2_BASE"]
    names = ("DIVCLK_DIVIDE", "CLKFBOUT_MULT", "CLKOUT0_DIVIDE")
    one, multiplier, divider = (number(xilinx[name]) for name in names)
    assert Fraction(100 * MHZ * multiplier, one * divider) == 110 * MHZ
    assert xilinx["CLKIN1_PERIOD"] == "10.0"


def test_nextpnr_finds_the_frequencies_of_an_ecp5_pll():
    text = verilog.convert(make_pll(BOARDS["orangecrab-25f"], 100 * MHZ), name="clock")
    for pin, megahertz in (("CLKI", "48"), ("CLKOP", "24"), ("CLKOS", "100")):
        assert f'FREQUENCY_PIN_{pin} = "{megahertz}"' in text


def test_a_clock_that_is_passed_through_is_locked():
    clock = PassThrough()
    simulator = Simulator(clock)

    async def bench(ctx):
        for level in (0, 1, 0):
            ctx.set(clock.i, level)
            assert (ctx.get(clock.o), ctx.get(clock.locked)) == (level, 1)

    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.parametrize(
    ("name", "output_hz", "message"),
    [
        ("ulx3s-12f", 99.5 * MHZ, "output_hz must be an int, not 99500000.0"),
        ("ecpix5-85f", 100.0 * MHZ, "output_hz must be an int, not 100000000.0"),
        ("upduino-v3", 24.0 * MHZ, "output_hz must be an int, not 24000000.0"),
        ("arty-a7-35", True, "output_hz must be an int, not True"),
        ("icebreaker", Const(24 * MHZ), "output_hz must be an int, not (const 25'd24000000)"),
    ],
)
@pytest.mark.parametrize("function", [make_pll, reached_hz])
def test_a_frequency_is_an_int(function, name, output_hz, message):
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        function(BOARDS[name], output_hz)


@pytest.mark.parametrize(
    ("name", "output_hz", "message"),
    [
        ("ulx3s-12f", 401 * MHZ, "output_hz must be in 3125000..400000000, not 401000000"),
        ("icebreaker", 15 * MHZ, "output_hz must be in 16000000..275000000, not 15000000"),
        ("upduino-v3", 5 * MHZ, "output_hz must be in 6000000..275000000, not 5000000"),
        ("upduino-v3", 10 * MHZ, "output_hz must be in 16000000..275000000, not 10000000"),
        ("tang-nano-9k", 3 * MHZ, "output_hz must be in 3125000..600000000, not 3000000"),
        ("arty-a7-35", 500 * MHZ, "output_hz must be in 6250000..464000000, not 500000000"),
        ("arty-a7-35", 0, "output_hz must be in 1..1000000000, not 0"),
        (
            "tang-nano-9k",
            5_020_000,
            f"{OUT_OF_REACH}5400000, not 5020000",
        ),
        (
            "ulx3s-12f",
            252 * MHZ,
            f"{OUT_OF_REACH}250000000, not 252000000",
        ),
    ],
)
@pytest.mark.parametrize("function", [make_pll, reached_hz])
def test_a_frequency_out_of_reach_is_refused(function, name, output_hz, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        function(BOARDS[name], output_hz)


@pytest.mark.parametrize(
    ("name", "clock_hz", "message"),
    [
        ("ulx3s-12f", 8 * MHZ, "input_hz must be in 10000000..400000000, not 8000000"),
        ("icebreaker", 9 * MHZ, "input_hz must be in 10000000..133000000, not 9000000"),
        ("tang-nano-9k", 2 * MHZ, "input_hz must be in 3000000..400000000, not 2000000"),
        ("arty-a7-35", 12 * MHZ, "input_hz must be in 19000000..800000000, not 12000000"),
    ],
)
def test_a_clock_that_the_pll_cannot_take_is_refused(name, clock_hz, message):
    board = replace(BOARDS[name], clock_hz=clock_hz)
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        make_pll(board, 50 * MHZ)
