"""Synthesised to ECP5 cells, memories and products do what their Verilog does, on random data."""

import re
from importlib import resources

import numpy as np
import pytest
from netlist_comparison import (
    Design,
    byte_ram,
    dual_ram,
    gathering_ram,
    product,
    ram,
    registered_product,
    reset_ram,
    rom,
    simulated,
)

from darb.hw.flow.netlist_simulation import cell_models
from darb.hw.flow.step import BuildError

pytestmark = pytest.mark.icarus

MODELS = resources.files("darb.hw").joinpath("ecp5_models.v").read_text()
SIGNS = [(1, 1), (0, 0), (1, 0), (0, 1)]
DESIGNS = {
    "roms": [
        *(rom(w, 16384 // w) for w in (1, 2, 4)),
        *(rom(w, 18432 // w) for w in (9, 18, 36)),
        rom(5, 3000),
        rom(37, 100),
        rom(20, 2500),
    ],
    "rams": [
        ram("darb_ram", 8, 16),
        ram("darb_ram", 36, 512),
        ram("darb_ram", 9, 1200),
        ram("darb_loadable_rom", 40, 600),
        byte_ram(4, 9),
        byte_ram(2, 10),
    ],
    "ports": [
        gathering_ram(9, 9),
        gathering_ram(4, 10),
        reset_ram(18, 10),
        reset_ram(4, 12),
        *(dual_ram(9, 11, mode) for mode in range(4)),
        *(dual_ram(18, 10, mode) for mode in range(4)),
    ],
    "products": [
        *(product(8, 8, *signs) for signs in SIGNS),
        *(product(18, 18, *signs) for signs in SIGNS),
        product(25, 20, 1, 1),
        product(9, 3, 1, 1),
    ],
    "registers": [
        *(registered_product(8, 8, *signs) for signs in SIGNS),
        *(registered_product(17, 16, *signs) for signs in SIGNS),
        *(registered_product(8, 6, kind=kind) for kind in range(1, 7)),
    ],
}


@pytest.fixture(scope="module")
def designs(tmp_path_factory):
    """Return designs by name, each synthesised when it is first asked for."""
    made = {}

    def design(name):
        if name not in made:
            seed = list(DESIGNS).index(name)
            made[name] = Design(tmp_path_factory.mktemp(name), DESIGNS[name], seed)
        return made[name]

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DARB_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield design


def parameters(netlist, name):
    """Return the values that a netlist gives a parameter of its cells."""
    return set(re.findall(rf'\.{name}\((?:"|32\'d)?(\w+)"?\)', netlist))


@pytest.mark.parametrize("name", DESIGNS)
def test_the_netlist_does_what_the_verilog_does(designs, name):
    design = designs(name)
    wrong = design.run()
    assert not wrong, f"seed {design.seed}: {wrong}"


def test_synthesis_takes_every_kind_of_cell(designs):
    widths = {"1", "2", "4", "9", "18", "36"}
    netlist = designs("roms").netlist
    assert parameters(netlist, "DATA_WIDTH_[AB]") == widths
    netlist = designs("ports").netlist
    assert parameters(netlist, "RESETMODE") == {"SYNC", "ASYNC"}
    modes = {"NORMAL", "WRITETHROUGH", "READBEFOREWRITE"}
    for port in "AB":
        assert parameters(netlist, f"WRITEMODE_{port}") == modes
    signs = r"\.SIGNEDA\(1'h(.)\),\n *\.SIGNEDB\(1'h(.)\)"
    found = re.findall(signs, designs("products").netlist)
    assert {(int(a), int(b)) for a, b in found} == set(SIGNS)
    assert "TRELLIS_DPR16X4 " in designs("rams").netlist


def test_registers_are_where_the_cells_have_them(designs):
    # A RAM's only register is that of its array; a loadable ROM has one behind it.
    assert "OUTREG" not in parameters(designs("ports").netlist, "REGMODE_[AB]")
    assert "OUTREG" in parameters(designs("rams").netlist, "REGMODE_[AB]")
    roms = re.findall(r"^  DP16KD #\((.*?)^  \) \\p(\d+)\.", designs("roms").netlist, re.M | re.S)
    plain = {int(number) for text, number in roms if '"OUTREG"' not in text}
    # What chooses between two block RAMs stands before the register of these.
    assert plain == {6, 8}
    products = re.findall(
        r"^  MULT18X18D( #\(.*?^  \))? \\p(\d+)\.", designs("registers").netlist, re.M | re.S
    )
    held = {int(number): set(re.findall(r"REG_(\w+)_CLK", text)) for text, number in products}
    every = {"INPUTA", "INPUTB", "OUTPUT"}
    expected = {number: every for number in range(2 * len(SIGNS))}
    # An enable or a one at first keeps an operand's register out, and so all others.
    expected |= {
        8: set(),
        9: every - {"OUTPUT"},
        10: every,
        11: every - {"OUTPUT"},
        12: set(),
        13: set(),
    }
    assert {number: regs for number, regs in held.items() if regs} == {
        number: regs for number, regs in expected.items() if regs
    }


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("roms", "9 * place[4:3]", "8 * place[4:3]"),
        ("roms", "+ place[2:0]", "+ place[2:1]"),
        ("roms", "contents[40*n+20 +: 18]", "contents[40*n+18 +: 18]"),
        ("roms", "port[1].data_out[35:18] :", "port[1].data_out[17:0] :"),
        ("rams", "reads = enable[p]", "reads = 1'b1"),
        ("rams", "if (written[i]) rows", "if (1) rows"),
        ("ports", "? new_word : old_word", "? old_word : old_word"),
        ("ports", '~(write[p] & WRITEMODE == "NORMAL")', "1'b1"),
        ("ports", "                if (reset[p] !== 1'b0) latch", "                if (0) latch"),
        ("ports", "always @(reset[p]) if (reset[p] !== 1'b0)", "always @(reset[p]) if (0)"),
        ("products", "SIGNEDA & a_operand[17]", "1'b0"),
        ("products", "SIGNEDB & b_operand[17]", "1'b1"),
        ("products", "? product[35:0] :", "? product[34:0] :"),
        ("registers", "a_register <= a;", "a_register <= b;"),
        ("registers", "b_register <= b;", "b_register <= a;"),
        ("registers", "p_register <= product[35:0];", "p_register <= a;"),
        ("roms", "if (output_enable[p] !== 1'b0) register <=", "if (0) register <="),
    ],
)
def test_a_broken_model_is_noticed(designs, name, right, wrong):
    design = designs(name)
    assert design.cells.count(right) == 1
    assert design.run(design.cells.replace(right, wrong))


DIRECT = """
module bench;
    reg clk = 0, oce = 1;
    reg [13:0] w = 0, r = 0;
    wire [17:0] q, {outputs};
    integer n, seed = 7;
    {cells}
    {body}
endmodule
"""


def instance(cell, name, parameters=None, **ports):
    """Return an instance; the inputs that are not named are 0."""
    head = MODELS[MODELS.index(f"module {cell} ") :].partition("\n);")[0]
    inputs = re.findall(r"input  wire (.*),\n", head)
    ports = {port: "1'b0" for line in inputs for port in line.split(", ")} | ports
    given = ", ".join(f".{key}({value})" for key, value in (parameters or {}).items())
    return f"{cell} #({given}) {name}({', '.join(f'.{p}({v})' for p, v in ports.items())});"


def directly(directory, cells, body, outputs="unused"):
    """Run a bench that names the cells itself."""
    (directory / "cells.v").write_text(MODELS)
    text = DIRECT.format(cells="\n    ".join(cells), body=body, outputs=outputs)
    (directory / "bench.v").write_text(text)
    return simulated(directory, ["bench.v", "cells.v"])


def memory(name, output, others=None, **parameters):
    """Return a block RAM that is written through port A at `w` and read through port B at `r`."""
    parameters = {"DATA_WIDTH_A": 18, "DATA_WIDTH_B": 18, **parameters}
    ports = {f"AD{p}{n}": f"{bus}[{n}]" for p, bus in (("A", "w"), ("B", "r")) for n in range(14)}
    ports |= {f"DIA{n}": "1'b1" for n in range(18)} | {
        f"DOB{n}": f"{output}[{n}]" for n in range(18)
    }
    ports |= {"CEA": "1'b1", "CEB": "1'b1", "WEA": "1'b1", "CLKA": "clk", "CLKB": "clk"}
    return instance("DP16KD", name, parameters, **{"OCEB": "oce", **ports, **(others or {})})


def test_the_output_register_is_a_register(tmp_path):
    body = """reg [17:0] expected = 0;
    always @(posedge clk) if (oce) expected <= q;
    initial for (n = 0; n < 300; n = n + 1) begin
        r = $random(seed) & 255;
        oce = $random(seed);
        #5 clk = 1;
        #5 $display("%0d %b %b", n, registered, expected);
        clk = 0;
    end"""
    contents = {"INITVAL_00": f"320'h{np.random.default_rng(7).bytes(40).hex()}"}
    modes = {"plain": "NOREG", "behind": "OUTREG"}
    cells = [
        memory(name, output, REGMODE_B=f'"{modes[name]}"', **contents)
        for name, output in (("plain", "q"), ("behind", "registered"))
    ]
    done = directly(tmp_path, cells, body, "registered")
    lines = [line.split() for line in done.stdout.splitlines()]
    assert len(lines) == 300
    assert len({seen for _, seen, _ in lines}) > 10
    assert not [line for line in lines if line[1] != line[2]], "seed 7"


def test_what_the_silicon_does_not_promise_is_unknown(tmp_path):
    # Byte 0 of word 3 is written while word 3 is read, then while word 4 is.
    body = """initial begin
        w = 14'h31;
        for (n = 3; n < 5; n = n + 1) begin
            r = n << 4;
            #5 clk = 1;
            #5 $display("%b", q);
            clk = 0;
        end
        w = 14'bx;
        #5 clk = 1; #5 clk = 0;
        #5 clk = 1; #5 $display("%b", q);
    end"""
    done = directly(tmp_path, [memory("ram", "q")], body)
    assert done.stdout.split() == ["0" * 9 + "x" * 9, "0" * 18, "x" * 18]


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ({}, "1" * 18),
        ({"CEA": "1'b0"}, "0" * 18),
        ({"CSA1": "1'b1"}, "0" * 18),
        ({"WEA": "1'b0"}, "0" * 18),
        ({"CEB": "1'b0"}, "0" * 18),
        ({"CSB2": "1'b1"}, "0" * 18),
    ],
)
def test_a_port_that_is_not_enabled_does_nothing(tmp_path, others, expected):
    body = """initial begin
        w = 14'h33;
        #5 clk = 1; #5 clk = 0;
        w = 14'h53;
        r = 14'h30;
        #5 clk = 1; #5 $display("%b", q);
    end"""
    done = directly(tmp_path, [memory("ram", "q", others)], body)
    assert done.stdout.split() == [expected]


@pytest.mark.parametrize(
    ("cell", "parameters", "ports", "message"),
    [
        ("DP16KD", {"DATA_WIDTH_A": 8}, {}, "DATA_WIDTH 8"),
        ("DP16KD", {"DATA_WIDTH_B": 72}, {}, "DATA_WIDTH 72"),
        ("DP16KD", {"WRITEMODE_A": '"NEW"'}, {}, "WRITEMODE NEW"),
        ("DP16KD", {"REGMODE_B": '"BOTH"'}, {}, "REGMODE BOTH"),
        ("DP16KD", {"RESETMODE": '"NONE"'}, {}, "RESETMODE NONE"),
        ("DP16KD", {"ASYNC_RESET_RELEASE": '"ASYNC"'}, {}, "ASYNC_RESET_RELEASE ASYNC"),
        ("DP16KD", {"CSDECODE_B": '"0b001"'}, {}, "CSDECODE 0b001"),
        ("DP16KD", {"CLKAMUX": '"INV"'}, {}, "CLKAMUX INV"),
        ("DP16KD", {"CLKBMUX": '"INV"'}, {}, "CLKBMUX INV"),
        (
            "DP16KD",
            {"DATA_WIDTH_B": 36},
            {"CLKB": "clk", "WEB": "1'b1"},
            "a write through port B beside 36 bits",
        ),
        (
            "DP16KD",
            {},
            {"CLKA": "clk", "CEA": "1'b1", "WEA": "1'b1", "ADA0": "1'b1", "RSTA": "1'b1"},
            "a write beside a synchronous reset",
        ),
        (
            "DP16KD",
            {"REGMODE_A": '"OUTREG"'},
            {"CLKA": "clk", "RSTA": "1'b1"},
            "the output register's reset",
        ),
        *(
            ("MULT18X18D", {f"REG_{name}_CLK": f'"{clock}"'}, {}, f"REG_{name}_CLK {clock}")
            for name, clock in (
                ("INPUTA", "CLK1"),
                ("INPUTB", "CLK1"),
                ("INPUTC", "CLK0"),
                ("PIPELINE", "CLK0"),
                ("OUTPUT", "CLK1"),
            )
        ),
        *(
            (
                "MULT18X18D",
                {"REG_OUTPUT_CLK": '"CLK0"'},
                {"CLK0": "clk", **ports},
                "its registers' enable and reset",
            )
            for ports in ({}, {"CE0": "1'b1", "RST0": "1'b1"})
        ),
        (
            "MULT18X18D",
            {"REG_INPUTA_CLK": '"CLK0"'},
            {"SIGNEDA": "clk"},
            "a sign that changes beside registers",
        ),
        ("MULT18X18D", {"MULT_BYPASS": '"ENABLED"'}, {}, "MULT_BYPASS ENABLED"),
        ("MULT18X18D", {}, {"SOURCEA": "1'b1"}, "the shift chain"),
        ("MULT18X18D", {}, {"SOURCEB": "1'bz"}, "the shift chain"),
    ],
)
def test_what_a_model_does_not_cover_ends_the_simulation(
    tmp_path, cell, parameters, ports, message
):
    body = "initial begin #5 clk = 1; #5 $display; end"
    done = directly(tmp_path, [instance(cell, "it", parameters, **ports)], body)
    assert done.returncode != 0
    assert re.search(rf"bench\.it\S*: {cell} has no model of {message}\n", done.stdout), done.stdout


def test_cells_and_parameters_without_a_model_are_refused():
    netlist = "  GSR \\a.b  (\n    .GSR(c)\n  );\n"
    with pytest.raises(BuildError, match=r"cells: GSR has no model$"):
        cell_models(netlist, "(* blackbox *)\nmodule GSR(input GSR);\nendmodule\n")
    netlist = '  DP16KD #(\n    .GSR("AUTO"),\n    .WEAMUX("INV")\n  ) _0_ (\n    .WEA(c)\n  );\n'
    with pytest.raises(BuildError, match=r"cells: DP16KD has no model of its parameter WEAMUX$"):
        cell_models(netlist, "")
