"""One Verilator build that holds a design and all its mutants, one of them chosen at run time."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from mutants import NETLIST, Mutant
from yosys_script import run_yosys

from darb.hw.cocotb_runner import build
from darb.hw.simulators import Simulator
from darb.hw.verilog import TOP

MUTATED = "darb_mutated"
BOUND_REACHED = "the bound of clocks is reached"
_SOURCE, _KEPT, _STUB = "design.v", "kept.v", "kept_ports.v"
_NETLIST, _WRAPPER = "mutated.v", "wrapper.v"
_ORDERS = "mutant.mem"
_CONTROL = "mutant"
_MODULE = r"(module {name} #[\s\S]*?\n\);\n)[\s\S]*?\nendmodule\n"
_ARM = re.compile(r"^      \d+'b[?1]+:\n        \S+ = b\[\d+(?::\d+)?\];\n", re.M)
_ARMS = re.compile(rf"(?:{_ARM.pattern})+", re.M)
_PORT = re.compile(r"^  (input|output) (?:(?:reg|wire) )?((?:\[\d+:0\] )?)(\w+);$", re.M)
# A mutant may close a loop; a multiplexer of many inputs is a casez whose first match counts.
_LINT = "/* verilator lint_off UNOPTFLAT */\n/* verilator lint_off CASEOVERLAP */\n"


def elaborate(verilog: str, directory: Path, kept: Sequence[str] = ("darb_rom",)) -> str:
    """Write the netlist of generated Verilog to `directory`, module by module; return its digest.

    Processes are multiplexers and flip-flops then, and what is constant inside a module is folded.
    The modules `kept` stay as they are: the words of ``darb_rom`` come from files at run time.
    """
    directory.mkdir(parents=True, exist_ok=True)
    whole, ports = "", ""
    for name in kept:
        module = re.search(_MODULE.format(name=name), verilog)
        if module is not None:
            whole += module[0]
            ports += f"{module[1]}endmodule\n"
            verilog = verilog.replace(module[0], "")
    (directory / _KEPT).write_text(whole)
    # Already where yosys only wants its ports it would look for the files.
    (directory / _STUB).write_text(ports)
    (directory / _SOURCE).write_text(verilog)
    run_yosys(
        directory,
        f"read_verilog -lib {_STUB}\nread_verilog {_SOURCE}\nhierarchy -top {TOP}\n"
        f"proc\nopt\nrename {TOP} {MUTATED}\nclean\nwrite_rtlil {NETLIST}\n",
    )
    # How mutants are built counts as well: results are kept by this digest.
    built = (directory / NETLIST).read_bytes() + Path(__file__).read_bytes()
    return hashlib.sha256(built).hexdigest()


def _as_in_the_source(text: str) -> str:
    """Return a netlist whose multiplexers choose as the Verilog they come from.

    Where a mutant selects two inputs at once, the case that is written first counts: yosys writes
    it last, and says that this cannot be.
    """
    text = text.replace(" // synopsys parallel_case", "")
    return _ARMS.sub(lambda arms: "".join(reversed(_ARM.findall(arms[0]))), text)


def _wrapper(netlist: str, width: int) -> str:
    """Return Verilog of the top: the mutated netlist, told which mutant it is by a file.

    The benches see the ports they know. The file names the mutant, 0 for none, and after how many
    clocks the simulation shall end, whatever the bench waits for.
    """
    top = re.search(rf"^module {MUTATED}\([\s\S]*?^endmodule", netlist, re.M)[0]
    ports = [port for port in _PORT.findall(top) if port[2] != _CONTROL]
    (clock,) = (name for _, _, name in ports if name in ("clk", "aclk"))
    declared = ",\n".join(f"  {way} wire {size}{name}" for way, size, name in ports)
    connected = ",\n".join(f"    .{name}({name})" for _, _, name in ports)
    return f"""module {TOP}(
{declared}
);
  reg [31:0] orders [0:1];
  reg [31:0] clocks;
  initial begin
    $readmemh("{_ORDERS}", orders);
    clocks = 0;
  end
  always @(posedge {clock}) begin
    clocks <= clocks + 1;
    if (clocks == orders[1]) begin
      $display("{BOUND_REACHED}");
      $finish;
    end
  end
  {MUTATED} mutated (
    .{_CONTROL}(orders[0][{width - 1}:0]),
{connected}
  );
endmodule
"""


def build_mutants(directory: Path, mutants: Sequence[Mutant], simulator: Simulator) -> Path:
    """Compile the netlist in `directory` with `mutants`, the first of them number 1.

    Returns
    -------
    Path
        Where it stands; the same mutants are not compiled again.
    """
    told = "\n".join(mutant.options for mutant in mutants)
    netlist = (directory / NETLIST).read_bytes()
    key = hashlib.sha256(netlist + told.encode() + simulator.version.encode()).hexdigest()[:12]
    place = directory / key
    if (place / "done").exists():
        return place
    place.mkdir(exist_ok=True)
    (place / NETLIST).write_bytes(netlist)
    (place / _KEPT).write_bytes((directory / _KEPT).read_bytes())
    width = (len(mutants) + 1).bit_length()
    inserted = "".join(
        f"mutate -ctrl {_CONTROL} {width} {number} {mutant.options}\n"
        for number, mutant in enumerate(mutants, start=1)
    )
    run_yosys(place, f"read_rtlil {NETLIST}\n{inserted}write_verilog -noattr {_NETLIST}\n")
    text = (place / _NETLIST).read_text()
    (place / _NETLIST).write_text(_LINT + _as_in_the_source(text))
    (place / _WRAPPER).write_text(_wrapper(text, width))
    build(place, simulator, verilog=(_NETLIST, _KEPT, _WRAPPER))
    (place / "done").touch()
    return place


def run_directory(place: Path, directory: Path, number: int, clocks: int) -> None:
    """Make `directory` one to run mutant `number` in, for `clocks` at most."""
    directory.mkdir(parents=True, exist_ok=True)
    link = directory / "sim_build"
    if not link.is_symlink():
        link.symlink_to((place / "sim_build").resolve())
    (directory / _ORDERS).write_text(f"{number:08x}\n{clocks:08x}\n")
