"""A design beside its netlist of ECP5 cells, on the same random data in Icarus Verilog."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np

from darb.hw.flow.ecp5 import GRAIN
from darb.hw.flow.netlist_simulation import synthesise

CLOCKS = 500
MEMORIES = resources.files("darb.hw").joinpath("memories.v").read_text()
PARTS = (Path(__file__).parent / "hw" / "netlist_parts.v").read_text()
BENCH = """
module bench;
    reg clk = 0;
    reg [{width}-1:0] i = 0;
    reg [{width}-1:0] stimulus [0:{clocks}-1];
    wire [{outputs}-1:0] rtl_o, cells_o;
    dut rtl(.clk(clk), .i(i), .o(rtl_o));
    netlist cells(.clk(clk), .i(i), .o(cells_o));
    task look; $display("%b %b", rtl_o, cells_o); endtask
    integer n;
    initial begin
        $readmemh("stimulus.txt", stimulus);
        #5;
        for (n = 0; n < {clocks}; n = n + 1) begin
            i = stimulus[n];
            #5 look; clk = 1;
            #5 look; clk = 0;
        end
        $finish;
    end
endmodule
"""


@dataclass
class Part:
    """One instance: its module, parameters, inputs (bits, or an address's range), output bits."""

    module: str
    parameters: dict[str, object]
    inputs: dict[str, int | range]
    bits: int
    contents: tuple[int, int] | None = None


def address_bits(depth):
    return max(1, (depth - 1).bit_length())


def rom(width, depth):
    shape = {"WIDTH": width, "DEPTH": depth, "ADDRESS": address_bits(depth)}
    ports = {"en": 1, "addr": range(depth)}
    return Part("darb_rom", shape, ports, width, contents=(width, depth))


def ram(module, width, depth):
    shape = {"WIDTH": width, "DEPTH": depth, "ADDRESS": address_bits(depth)}
    reading = {"r_en": 1, "r_addr": range(depth)}
    if module == "darb_loadable_rom":
        # What a read beside a write of the same word gets is nobody's business.
        reading = {"en": 1, "addr": range(depth // 2, depth)}
        depth //= 2
    writing = {"w_en": 1, "w_addr": range(depth), "w_data": width}
    return Part(module, shape, {**writing, **reading}, width)


def byte_ram(count, address):
    ports = {"w_en": count, "w_addr": range(1 << address), "w_data": 9 * count}
    ports |= {"r_en": 1, "r_addr": range(1 << address)}
    shape = {"BYTES": count, "ADDRESS": address}
    return Part("byte_ram", shape, ports, 9 * count, contents=(9 * count, 1 << address))


def gathering_ram(width, address):
    ports = {"w_en": 1, "w_addr": range(4 << address), "w_data": width}
    ports |= {"r_en": 1, "r_addr": range(1 << address)}
    shape = {"WIDTH": width, "ADDRESS": address}
    return Part("gathering_ram", shape, ports, 4 * width, contents=(width, 4 << address))


def reset_ram(width, address):
    ports = {"w_en": 1, "w_addr": range(1 << address), "w_data": width, "rst": 1, "r_en": 1}
    ports["r_addr"] = range(1 << address - 1)
    shape = {"WIDTH": width, "ADDRESS": address}
    return Part("reset_ram", shape, ports, 2 * width, contents=(width, 1 << address))


def dual_ram(width, address, mode):
    ports = {"en": 2, "w_en": 2, "addr": range(1 << address), "w_data": 2 * width}
    ports |= {"other_addr": range(1 << address - 1), "rst": 2}
    shape = {"WIDTH": width, "ADDRESS": address, "MODE": mode}
    return Part("dual_ram", shape, ports, 2 * width, contents=(width, 1 << address))


def product(a, b, a_signed, b_signed):
    shape = {"A": a, "B": b, "A_SIGNED": a_signed, "B_SIGNED": b_signed}
    return Part("product", shape, {"a": a, "b": b}, a + b)


def registered_product(a, b, a_signed=1, b_signed=1, kind=0):
    shape = {"A": a, "B": b, "A_SIGNED": a_signed, "B_SIGNED": b_signed, "KIND": kind}
    ports = {"en": 1, "rst": 1, "a": a, "b": b}
    return Part("registered_product", shape, ports, a + b)


def top(parts):
    """Return the module `dut`: every part side by side, inputs and outputs packed."""
    lines, taken, outputs = [], 0, 0
    for number, part in enumerate(parts):
        shape = [f".{name}({value})" for name, value in part.parameters.items()]
        if part.contents:
            shape.append(f'.FILE("part_{number}.mem")')
        ports = [".clk(clk)", f".data(o[{outputs} +: {part.bits}])"]
        for name, kind in part.inputs.items():
            bits = kind if isinstance(kind, int) else address_bits(kind.stop)
            ports.append(f".{name}(i[{taken} +: {bits}])")
            taken += bits
        outputs += part.bits
        lines.append(f"{part.module} #({', '.join(shape)}) p{number}({', '.join(ports)});")
    head = f"module dut(input clk, input [{taken - 1}:0] i, output [{outputs - 1}:0] o);"
    return "\n".join([head, *lines, "endmodule\n"]), taken, outputs


def draw(rng, kind):
    """Return an input: extremes are frequent, and so is an address that was there before."""
    if isinstance(kind, range):
        few = [kind.start, kind.start + 1, kind.start + 2, kind.start + 5, kind.stop - 1]
        return int(rng.choice(few) if rng.random() < 0.6 else rng.choice(kind))
    top_bit = 1 << kind - 1
    if kind > 2 and rng.random() < 0.2:
        return int(rng.choice([0, 1, top_bit, top_bit - 1, 2 * top_bit - 1]))
    return int.from_bytes(rng.bytes(-(-kind // 8)), "little") % (2 * top_bit)


class Design:
    """A design beside its netlist, and what both do on random data."""

    def __init__(self, directory: Path, parts: Sequence[Part], seed: int) -> None:
        self.directory, self.parts, self.seed = directory, parts, seed
        rng = np.random.default_rng(seed)
        text, width, self.outputs = top(self.parts)
        (directory / "dut.v").write_text(MEMORIES + PARTS + text)
        files = []
        for number, part in enumerate(self.parts):
            if part.contents:
                bits, depth = part.contents
                words = [int.from_bytes(rng.bytes(8), "little") % (1 << bits) for _ in range(depth)]
                files.append(f"part_{number}.mem")
                (directory / files[-1]).write_text("".join(f"{word:x}\n" for word in words))
        with (directory / "stimulus.txt").open("w") as file:
            for _ in range(CLOCKS):
                word, place = 0, 0
                for part in self.parts:
                    for kind in part.inputs.values():
                        word |= draw(rng, kind) << place
                        place += kind if isinstance(kind, int) else address_bits(kind.stop)
                file.write(f"{word:x}\n")
        netlist, cells = synthesise(
            directory, top="dut", verilog="dut.v", memories=files, grain=GRAIN
        )
        self.netlist = (directory / netlist).read_text()
        (directory / netlist).write_text(self.netlist.replace("module dut(", "module netlist("))
        self.cells = (directory / cells).read_text()
        bench = BENCH.format(width=width, clocks=CLOCKS, outputs=self.outputs)
        (directory / "bench.v").write_text(bench)

    def run(self, cells: str | None = None) -> dict[int, str]:
        """Return the parts that ever differ, and where: with other models of the cells, or ours."""
        (self.directory / "cells.v").write_text(self.cells if cells is None else cells)
        sources = ["bench.v", "dut.v", "netlist.v", "cells.v"]
        done = simulated(self.directory, sources)
        assert done.returncode == 0, done.stdout + done.stderr
        lines = [line.split() for line in done.stdout.splitlines() if re.match("[01xz]+ ", line)]
        assert len(lines) == 2 * CLOCKS
        wrong = {}
        for number, (rtl, netlist) in enumerate(lines):
            assert re.fullmatch("[01]+", rtl)
            end = self.outputs
            for index, part in enumerate(self.parts):
                here = slice(end - part.bits, end)
                end -= part.bits
                if rtl[here] != netlist[here]:
                    told = f"clock {number // 2}: {netlist[here]}, not {rtl[here]}"
                    wrong.setdefault(index, f"{part.module} {part.parameters}, {told}")
        return wrong


def simulated(directory, sources):
    """Compile and run Verilog on Icarus."""
    subprocess.run(
        ["iverilog", "-g2012", "-o", "bench.vvp", "-s", "bench", *sources],
        cwd=directory,
        check=True,
        capture_output=True,
    )
    command = ["vvp", "-n", "bench.vvp"]
    return subprocess.run(command, cwd=directory, check=False, capture_output=True, text=True)
