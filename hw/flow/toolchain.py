"""Each family's steps, under one interface."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from darb.hw.boards import Board
from darb.hw.boards.devices import Family
from darb.hw.flow import ecp5, gowin, ice40
from darb.hw.flow.design import Design
from darb.hw.flow.step import Step
from darb.hw.flow.tools import PYTHON


@dataclass(frozen=True, kw_only=True)
class Toolchain:
    """How one family is built.

    Parameters
    ----------
    implementation : callable
        The steps from Verilog to the configuration, of a `Board` and a `Design`.
    packing, readback : callable
        The steps from the configuration to the bitstream and back, of a `Board`; without
        `readback` no public tool reads memory contents out of a bitstream.
    tools : tuple of str
        All that they call.
    configuration, bitstream : str
        File names.
    read_back : str, optional
        The configuration that `readback` writes.
    grain : int
        Words of the family's widest block RAM.
    block_ram_cells : tuple of str
        What yosys calls the block RAMs in a netlist.
    beside : mapping of str to callable
        Files that the steps need in the build directory, and what returns their text.
    """

    implementation: Callable[[Board, Design], tuple[Step, ...]]
    packing: Callable[[Board], tuple[Step, ...]]
    readback: Callable[[Board], tuple[Step, ...]] | None = None
    tools: tuple[str, ...]
    configuration: str
    bitstream: str
    read_back: str | None = None
    grain: int
    block_ram_cells: tuple[str, ...]
    beside: Mapping[str, Callable[[], str]] = field(default_factory=dict)


TOOLCHAINS = {
    Family.ECP5: Toolchain(
        implementation=ecp5.implementation,
        packing=ecp5.packing,
        readback=ecp5.readback,
        tools=("yosys", PYTHON, "nextpnr-ecp5", "ecppack", "ecpunpack"),
        beside={ecp5.PACKER: ecp5.packer},
        configuration=ecp5.CONFIGURATION,
        bitstream=ecp5.BITSTREAM,
        read_back=ecp5.READBACK,
        grain=ecp5.GRAIN,
        block_ram_cells=ecp5.BLOCK_RAM_CELLS,
    ),
    Family.ICE40: Toolchain(
        implementation=ice40.implementation,
        packing=ice40.packing,
        readback=ice40.readback,
        tools=("yosys", "nextpnr-ice40", "icepack", "iceunpack"),
        configuration=ice40.CONFIGURATION,
        bitstream=ice40.BITSTREAM,
        read_back=ice40.READBACK,
        grain=ice40.GRAIN,
        block_ram_cells=ice40.BLOCK_RAM_CELLS,
    ),
    Family.GOWIN: Toolchain(
        implementation=gowin.implementation,
        packing=gowin.packing,
        tools=("yosys", "nextpnr-himbaechel-gowin", "gowin_pack"),
        configuration=gowin.CONFIGURATION,
        bitstream=gowin.BITSTREAM,
        grain=gowin.GRAIN,
        block_ram_cells=gowin.BLOCK_RAM_CELLS,
    ),
}
"""The families whose bitstreams are made here; Vivado makes xilinx'."""
