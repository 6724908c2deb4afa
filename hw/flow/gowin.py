"""Gowin LittleBee: yosys, nextpnr-himbaechel, Apycula's gowin_pack."""

from __future__ import annotations

from darb.hw.boards import Board
from darb.hw.boards.chip_options import chip_options
from darb.hw.flow.design import NETLIST, PHASES, PLACED, TIMING, Design
from darb.hw.flow.step import Step

BLOCK_RAM_CELLS = ("SP", "SPX9", "SDPB", "SDPX9B", "DPB", "DPX9B", "pROM", "pROMX9")
GRAIN = 512
"""Words of the widest block RAM."""
BITSTREAM = "top.fs"
CONFIGURATION = PLACED
"""gowin_pack takes nextpnr's placed design; there is no text form of the bitstream."""


def implementation(board: Board, design: Design) -> tuple[Step, ...]:
    """Return the steps from Verilog to the placed and routed design."""
    script = design.synthesis_script("synth_gowin", grain=GRAIN)
    return (
        Step(
            name="synthesis",
            tool="yosys",
            arguments=("-p", script),
            inputs=design.synthesis_inputs,
            outputs=(NETLIST,),
        ),
        Step(
            name="place-and-route",
            tool="nextpnr-himbaechel-gowin",
            arguments=(
                *chip_options(board),
                *design.nextpnr_arguments,
                *("--vopt", f"cst={design.constraints}"),
            ),
            inputs=(NETLIST, design.constraints),
            outputs=(PLACED, TIMING),
            marks=PHASES,
        ),
    )


def packing(board: Board) -> tuple[Step, ...]:
    """Return the steps from the placed design to the bitstream."""
    options = chip_options(board)
    family = next(value for value in options if value.startswith("family=")).partition("=")[2]
    return (
        Step(
            name="bitstream",
            tool="gowin_pack",
            arguments=("-d", family, "-o", BITSTREAM, PLACED),
            inputs=(PLACED,),
            outputs=(BITSTREAM,),
        ),
    )
