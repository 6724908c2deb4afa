"""Synthesised to iCE40 cells, what adds up products does what its Verilog does, on random data."""

import re
import subprocess

import numpy as np
import pytest
from configs import small_config

from darb.golden.pipeline import POST
from darb.hw.dot_product import DotProduct
from darb.hw.flow.ice40 import SYNTHESIS
from darb.hw.flow.netlist_simulation import cell_models
from darb.hw.flow.step import Step
from darb.hw.row_post_processor import RowPostProcessor
from darb.hw.verilog import component_verilog

pytestmark = pytest.mark.icarus

CLOCKS = 400
LIBRARY = "read_verilog -lib -ppdump +/ice40/cells_sim.v"
BENCH = """
module bench;
    reg clk = 0;
    reg [{width}-1:0] i = 0;
    wire [{outputs}-1:0] rtl_o, cells_o;
    reg [{width}-1:0] stimulus [0:{clocks}-1];
    dut rtl(.clk(clk), .rst(1'b0), {rtl});
    netlist cells(.clk(clk), .rst(1'b0), {cells});
    integer n;
    initial begin
        $readmemh("stimulus.txt", stimulus);
        for (n = 0; n < {clocks}; n = n + 1) begin
            i = stimulus[n];
            #5 clk = 1;
            #5 $display("%b %b", rtl_o, cells_o);
            clk = 0;
        end
        $finish;
    end
endmodule
"""


def dot_product(lanes):
    config = small_config(lanes=lanes, rows=1)
    sum_bits = 16 + (lanes - 1).bit_length()
    return DotProduct(config=config), {"activation": 8 * lanes, "weight": 8 * lanes}, sum_bits


def post_processor(bits):
    config = small_config(accumulator_bits=bits)
    component = RowPostProcessor(config=config)
    row = len(component.row.as_value())
    return component, {"total": bits, "row": row, "relu": 1}, config.activation_bits + bits


CASES = {
    **{f"dot product of {lanes}": (dot_product, lanes) for lanes in (1, 2, 4, 8)},
    **{f"post-processor of {bits} bits": (post_processor, bits) for bits in (17, 18, 21, 32)},
}


@pytest.mark.parametrize("name", CASES)
def test_the_netlist_does_what_the_verilog_does(tmp_path, name):
    make, size = CASES[name]
    component, inputs, outputs = make(size)
    (tmp_path / "dut.v").write_text(component_verilog(component, "dut"))
    script = f"read_verilog dut.v; {SYNTHESIS} -top dut; rename dut netlist"
    for step in (
        Step(
            name="synthesis",
            tool="yosys",
            arguments=("-p", f"{script}; write_verilog -noattr netlist.v"),
            inputs=("dut.v",),
            outputs=("netlist.v",),
        ),
        Step(name="cells", tool="yosys", arguments=("-p", LIBRARY), inputs=(), outputs=()),
    ):
        step.run(tmp_path)
    netlist = (tmp_path / "netlist.v").read_text()
    models = cell_models(netlist, (tmp_path / "cells.log").read_text())
    # Icarus has no defaults for inputs.
    (tmp_path / "cells.v").write_text(re.sub(r"(input \w+) = 1'b[01]", r"\1", models))
    products = size if make is dot_product else 1
    assert netlist.count("SB_MAC16 #") >= products
    width, ports, place = sum(inputs.values()), {}, 0
    for port, bits in inputs.items():
        ports[port] = f"i[{place} +: {bits}]"
        place += bits
    sides = {}
    for side in ("rtl", "cells"):
        results = {"sum": f"{side}_o"}
        if make is post_processor:
            results = {
                "activation": f"{side}_o[{outputs - 1}:{size}]",
                "accumulator": f"{side}_o[{size - 1}:0]",
            }
        sides[side] = ", ".join(f".{port}({net})" for port, net in (ports | results).items())
    bench = BENCH.format(width=width, outputs=outputs, clocks=CLOCKS, **sides)
    (tmp_path / "bench.v").write_text(bench)
    rng = np.random.default_rng(size)
    words = [int.from_bytes(rng.bytes(width // 8 + 1), "little") for _ in range(CLOCKS)]
    # What is wrong in one product shows in extremes.
    words[::7] = [(1 << width) - 1 if number % 2 else 0 for number in range(len(words[::7]))]
    text = "".join(f"{word & ((1 << width) - 1):x}\n" for word in words)
    (tmp_path / "stimulus.txt").write_text(text)
    sources = ["bench.v", "dut.v", "netlist.v", "cells.v"]
    subprocess.run(
        ["iverilog", "-g2012", "-o", "bench.vvp", "-s", "bench", *sources],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    done = subprocess.run(
        ["vvp", "-n", "bench.vvp"], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    lines = [line.split() for line in done.stdout.splitlines() if line[:1] in "01x"]
    assert len(lines) == CLOCKS
    assert len({rtl for rtl, _ in lines}) > CLOCKS // 4
    # Yosys' model of a multiplier starts with X.
    wrong = [(clock, *line) for clock, line in enumerate(lines) if line[0] != line[1]]
    wrong = [each for each in wrong if each[0] >= POST]
    assert not wrong, f"seed {size}: {wrong[:3]}"
