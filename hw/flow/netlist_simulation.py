"""A module as a netlist of ECP5 cells, with the models that a simulator needs of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from darb.golden.memory_map import MEMORIES
from darb.golden.register_map import Storage
from darb.hw.flow.design import MAPPED, NETLIST, mapping_commands, read_command
from darb.hw.flow.ecp5 import GRAIN, PACKER, SYNTHESIS, packer, register_step
from darb.hw.flow.step import BuildError, Step
from darb.hw.verilog import TOP, VERILOG

NETLISTS = ("ecp5",)
"""Families whose netlists can be simulated."""
NETLIST_VERILOG = "netlist.v"
CELLS_VERILOG = "cells.v"
# Yosys knows where its own library is, whichever yosys it is and wherever it sees its files.
_LIBRARY = "read_verilog -lib -ppdump +/ecp5/cells_sim.v"
_MODULE = re.compile(r"^(\(\* blackbox \*\)\n)?module\s+([\w$\\]+).*?\bendmodule\b", re.M | re.S)
_CELL = re.compile(r"^  ([A-Z]\w*) (?:#\((.*?)^  \) )?\S+ +\(", re.M | re.S)


def synthesise(
    directory: Path,
    *,
    top: str,
    verilog: str,
    memories: Sequence[str] = (),
    grain: int | None = None,
) -> tuple[str, str]:
    """Synthesise as for a board; write the netlist and the models of its cells as Verilog.

    The models are yosys' own, and ours in ``ecp5_models.v`` where it has none. Flip-flops start as
    the FPGA's configuration leaves them; nothing else stands in for values that the netlist does
    not define: they are X.

    Parameters
    ----------
    directory : Path
        Where everything is read and written.
    top : str
        Module.
    verilog : str
        Name of the file that defines it.
    memories : sequence of str
        Names of the files that it reads with $readmemh.
    grain : int, optional
        Words of the widest block RAM: as a board with exchangeable contents has them, ROMs fill
        whole rows of block RAM.

    Returns
    -------
    tuple of str
        Names of the two files: netlist and cells.

    Raises
    ------
    ToolMissingError
        If yosys is not installed.
    BuildError
        If it fails, or the netlist has a cell or a parameter that there is no model of.
    """
    script = f"{read_command(verilog, grain=grain)}; {mapping_commands(SYNTHESIS, top)}"
    (directory / PACKER).write_text(packer())
    for step in (
        Step(
            name="synthesis",
            tool="yosys",
            arguments=("-p", f"{script} -json {MAPPED}"),
            inputs=(verilog, *memories),
            outputs=(MAPPED,),
        ),
        register_step(),
        Step(
            name="netlist",
            tool="yosys",
            arguments=("-p", f"read_json {NETLIST}; write_verilog -noattr {NETLIST_VERILOG}"),
            inputs=(NETLIST,),
            outputs=(NETLIST_VERILOG,),
        ),
    ):
        step.run(directory)
    for name in (PACKER, MAPPED, NETLIST):
        (directory / name).unlink()
    library = Step(name="cells", tool="yosys", arguments=("-p", _LIBRARY), inputs=(), outputs=())
    library.run(directory)
    netlist = (directory / NETLIST_VERILOG).read_text()
    models = cell_models(netlist, (directory / library.log).read_text())
    (directory / CELLS_VERILOG).write_text(models)
    return NETLIST_VERILOG, CELLS_VERILOG


def synthesise_engine(directory: Path, storage: Storage) -> tuple[str, str]:
    """Synthesise the engine that `darb.hw.verilog.generate` wrote to `directory`.

    Of storage `rom` with the image in block RAM of its own, as `darb build` places it. See
    `synthesise`.
    """
    rom = storage is Storage.ROM
    memories = tuple(f"{name}.mem" for name in MEMORIES) if rom else ()
    return synthesise(
        directory, top=TOP, verilog=VERILOG, memories=memories, grain=GRAIN if rom else None
    )


def cell_models(netlist: str, library: str) -> str:
    """Return Verilog of every cell in a netlist.

    Parameters
    ----------
    netlist : str
        Flat, as yosys writes it.
    library : str
        Text with yosys' own models.

    Raises
    ------
    BuildError
        If a cell or a parameter has no model.
    """
    ours = _modules(resources.files("darb.hw").joinpath("ecp5_models.v").read_text())
    models = _modules(library) | ours
    used = []
    for cell, parameters in _CELL.findall(netlist):
        for name in re.findall(r"^    \.(\w+)\(", parameters, re.M):
            # A simulator would only warn, and go on without it.
            if cell in ours and not re.search(rf"\b{name} =", ours[cell]):
                raise BuildError(f"cells: {cell} has no model of its parameter {name}")
        if cell not in models:
            raise BuildError(f"cells: {cell} has no model")
        if cell not in used:
            used.append(cell)
    for cell in used:
        inner = dict.fromkeys(re.findall(r"[\w$]+", models[cell]))
        used += [name for name in inner if name in models and name not in used]
    return "\n\n".join(models[cell] for cell in used) + "\n"


def _modules(text: str) -> dict[str, str]:
    """Return the modules in a text by name, without those that only declare their ports."""
    return {found[2]: found[0] for found in _MODULE.finditer(text) if found[1] is None}
