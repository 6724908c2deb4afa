"""Mutation of Verilog: mutants of a small component, noticed, hanging or proven harmless."""

import importlib
import json
from pathlib import Path

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from darb.hw.simulators import find_simulator
from darb.hw.verilog import TOP, component_verilog

BENCH = Path(__file__).parents[1] / "bench" / "mutation"
CLOCKS = 40
COCOTB_BENCH = """
import json
import os
from pathlib import Path

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge

@cocotb.test()
async def the_count_is_told(dut):
    job = json.loads(Path(os.environ["COUNT_JOB"]).read_text())
    cocotb.start_soon(Clock(dut.clk, 10, unit="ns").start())
    dut.rst.value, dut.en.value = 1, 1
    await FallingEdge(dut.clk)
    dut.rst.value = 0
    for number in range(job["clocks"]):
        assert int(dut.count.value) == number % 8
        await FallingEdge(dut.clk)
    while not int(dut.wrapped.value):
        await FallingEdge(dut.clk)
"""


class Counter(wiring.Component):
    """Counts to eight; `wrapped` as soon as it has."""

    en: In(1)
    count: Out(3)
    wrapped: Out(1)

    def elaborate(self, platform):
        m = Module()
        # Of the sum, four bits are computed and three are used.
        total, spare = Signal(4), Signal(2)
        m.d.comb += [total.eq(self.count + self.en), spare.eq(self.count[:2] & self.count[1:])]
        m.d.sync += self.count.eq(total)
        with m.If(self.count == 7):
            m.d.sync += self.wrapped.eq(1)
        return m


@pytest.fixture
def bench(monkeypatch):
    """Return a function that imports a module of the bench."""
    monkeypatch.syspath_prepend(str(BENCH))
    return importlib.import_module


@pytest.fixture
def design(bench, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "count_bench.py").write_text(COCOTB_BENCH)
    benches, designs = bench("benches"), bench("designs")
    job = {"clocks": CLOCKS}
    count = benches.Bench("count_bench", "COUNT_JOB", lambda _: job, lambda _: None, "1")
    verilog = component_verilog(Counter(), TOP)
    return designs.Design(name="counter", verilog=verilog, benches=(count,), share=1.0)


def mutant(bench, netlist, mode, kind, port, bit, control=None):
    """Return the mutant of the only cell of a kind."""
    lines = netlist.read_text().splitlines()
    (cell,) = (line.split()[2] for line in lines if line.startswith(f"  cell {kind} "))
    return bench("mutants").Mutant(mode, "darb_mutated", cell, port, bit, control)


def test_mutants_are_noticed_hang_or_are_proven_harmless(bench, design, monkeypatch, tmp_path):
    run, build = bench("mutant_run"), bench("mutant_build")
    directory = tmp_path / "work"
    build.elaborate(design.verilog, directory)
    netlist = directory / "netlist.il"
    chosen = [
        mutant(bench, netlist, "const0", "$add", "Y", 0),
        mutant(bench, netlist, "inv", "$eq", "Y", 0),
        # Never wraps: the bench would wait for ever.
        mutant(bench, netlist, "const0", "$eq", "Y", 0),
        mutant(bench, netlist, "inv", "$add", "A", 2),
        mutant(bench, netlist, "cnot0", "$add", "A", 0, 1),
        # Four bits are added, three are used.
        mutant(bench, netlist, "const1", "$add", "Y", 3),
    ]
    monkeypatch.setattr(run, "draw_mutants", lambda *_: chosen)
    campaign = run.Campaign(
        design, directory, count=len(chosen), seed=1, simulator=find_simulator("verilator")
    )
    told = []
    fates = campaign.run(1, told.append)
    assert [fate.notice and fate.notice.kind for fate in fates] == [
        "difference",
        None,
        "hang",
        "difference",
        "difference",
        None,
    ]
    assert told == fates
    assert campaign.run(1, told.append) == fates
    proof = bench("equivalence").proof
    proofs = [proof(netlist, fate.mutant, tmp_path / "proof") for fate in fates]
    assert proofs[5] == "module"
    assert proofs[:5] == [None] * 5


def test_a_draw_is_the_same_each_time_and_leaves_clocks_alone(bench, design, tmp_path):
    mutants = bench("mutants")
    bench("mutant_build").elaborate(design.verilog, tmp_path)
    drawn = mutants.draw_mutants(tmp_path, 12, seed=3)
    assert drawn == mutants.draw_mutants(tmp_path, 12, seed=3)
    assert len(set(drawn)) == 12
    assert not {"CLK", "clk"} & {mutant.port for mutant in drawn}
    assert drawn != mutants.draw_mutants(tmp_path, 12, seed=4)
    assert len({mutant.name for mutant in drawn}) == 12


def test_a_listed_line_is_read_and_told_back(bench):
    line = (
        "mutate -mode cnot1 -module top.part -cell $add$x.v:3$7 -port A -portbit 2 -ctrlbit 4 "
        "-wire \\sum$1 -wirebit 2 -src x.v:3.1-3.9"
    )
    mutant = bench("mutants").read_mutant(line)
    assert (mutant.portbit, mutant.ctrlbit, mutant.wire) == (2, 4, "\\sum$1[2]")
    assert mutant.options in line
    assert str(mutant) == "top.part $add$7.A[2] (\\sum$1[2]) cnot1"


def judged(bench, design, module, noticed=None, proof=None):
    mutant = bench("mutants").Mutant("inv", module, "$add$x.v:3$7", "A", 2)
    notice = bench("benches").Notice(noticed, "it is wrong") if noticed else None
    fate = bench("mutant_run").Fate(mutant, "cocotb_bench" if noticed else None, notice)
    return bench("verilog_page").Judged(design, fate, proof)


def test_the_section_counts_and_lists(bench, monkeypatch, tmp_path):
    page = bench("verilog_page")
    ends = [
        judged(bench, "board", "darb_mutated", "hang"),
        judged(bench, "ram", "darb_engine.engine.dot_0", "difference"),
        judged(bench, "ram", "darb_engine.engine.dot_1", None, "module"),
        judged(bench, "ram", "$paramod$5af\\darb_ram"),
    ]
    assert [end.component for end in ends] == ["board core", "engine.dot", "engine.dot", "darb_ram"]
    assert page.score(ends) == pytest.approx(200 / 3)
    words = tmp_path / "words.json"
    words.write_text(json.dumps({page.key(ends[3]): "nobody asks"}))
    monkeypatch.setattr(page, "WORDS", words)
    text = page.section(ends, seconds=120, tools=("yosys 1", "Verilator 2"), seed=5)
    assert "| `engine.dot` | 2 | 1 |  |  |  |  |  | 1 |  | 100.0 % |\n" in text
    assert "| all | 4 | 2 |  |  |  |  | 1 | 1 | 1 | 66.7 % |\n" in text
    assert "Of 4 mutants, seed 5, 2 are noticed, 1 are proven harmless, 1 survive" in text
    assert "- ram: `$paramod$5af\\darb_ram $add$7.A[2] inv`: nobody asks.\n" in text
    assert page.survivors(ends[:3], {}) == "No mutant survives.\n"


def test_the_section_goes_behind_the_proofs_or_in_its_own_place(bench):
    with_section = bench("verilog_page").with_section
    begin, end = "<!-- mutation-verilog -->\n", "<!-- /mutation-verilog -->\n"
    page = "# Trust\n<!-- /proofs -->\nmore\n"
    first = with_section(page, "a\n")
    assert first == f"# Trust\n<!-- /proofs -->\n\n{begin}a\n{end}more\n"
    assert with_section(first, "b\n") == first.replace("a\n", "b\n")
    assert with_section("# Trust\n", "a\n") == f"# Trust\n\n{begin}a\n{end}"
