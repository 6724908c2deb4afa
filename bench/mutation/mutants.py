"""Mutants of a netlist: single changes of a pin's bit, drawn by yosys' `mutate`."""

from __future__ import annotations

import hashlib
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from yosys_script import run_yosys

NETLIST = "netlist.il"
LISTED = "mutants.list"
_SPARE = 1.3
"""Times as many are drawn, for those on clocks are dropped."""
_FIELDS = ("mode", "module", "cell", "port", "portbit", "ctrlbit", "wire", "wirebit")
_CLOCK = re.compile(r"\\?(\w*_)?a?clk|CLK|(RD|WR)_CLK")


@dataclass(frozen=True)
class Mutant:
    """One change of one bit of a cell's pin.

    Parameters
    ----------
    mode : str
        ``const0``, ``const1``; ``inv``; ``cnot0``, ``cnot1``: inverted where another bit of the
        pin, `ctrlbit`, is 0 or 1.
    module, cell, port : str
    portbit : int
    ctrlbit : int, optional
    wire : str
        What the pin is connected to, as far as it has a name.
    """

    mode: str
    module: str
    cell: str
    port: str
    portbit: int
    ctrlbit: int | None = None
    wire: str = ""

    @property
    def options(self) -> str:
        """What `mutate` must be told to insert it."""
        told = f"-mode {self.mode} -module {self.module} -cell {self.cell} -port {self.port}"
        told += f" -portbit {self.portbit}"
        return told if self.ctrlbit is None else f"{told} -ctrlbit {self.ctrlbit}"

    @property
    def name(self) -> str:
        """What tells it from all other mutants of its netlist, in few characters."""
        return hashlib.sha256(self.options.encode()).hexdigest()[:12]

    def __str__(self) -> str:
        cell = re.sub(r"\$[\w.]*\.(v|cc):\d+(:\w+)?", "", self.cell)
        wire = f" ({self.wire})" if self.wire else ""
        return f"{self.module} {cell}.{self.port}[{self.portbit}]{wire} {self.mode}"


def read_mutant(line: str) -> Mutant:
    """Return the mutant of a line that ``mutate -list`` wrote."""
    words = shlex.split(line.replace("\\", "\\\\"))
    told = dict(zip(words[1::2], words[2::2], strict=True))
    fields = {name: told[f"-{name}"] for name in _FIELDS if f"-{name}" in told}
    wire = fields.pop("wire", "")
    bit = fields.pop("wirebit", "")
    for name in ("portbit", "ctrlbit"):
        if name in fields:
            fields[name] = int(fields[name])
    return Mutant(**fields, wire=f"{wire}[{bit}]" if wire else "")


def draw_mutants(directory: Path, count: int, seed: int, modules: str = "") -> list[Mutant]:
    """Draw mutants of the netlist in `directory`, evenly over modules, cells, wires and bits.

    A clock is not changed: a flip-flop without one, or with an inverted one, is another design for
    a simulator, and no test could pass with it. Nor is what a memory holds at first.

    Parameters
    ----------
    directory : Path
    count, seed : int
    modules : str
        Selection of yosys; by default all modules.
    """
    drawn = round(_SPARE * count) + 8
    run_yosys(
        directory,
        f"read_rtlil {NETLIST}\nselect -set chosen {modules or '*'}\n"
        f"mutate -list {drawn} -seed {seed} -o {LISTED} @chosen t:$meminit* %d\n",
    )
    mutants = [read_mutant(line) for line in (directory / LISTED).read_text().splitlines()]
    kept = dict.fromkeys(mutant for mutant in mutants if not _CLOCK.fullmatch(mutant.port))
    return list(kept)[:count]
