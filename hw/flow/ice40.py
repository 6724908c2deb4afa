"""Lattice iCE40: yosys, nextpnr-ice40, icepack."""

from __future__ import annotations

from darb.hw.boards import Board
from darb.hw.boards.chip_options import chip_options
from darb.hw.flow.design import NETLIST, PHASES, PLACED, TIMING, Design
from darb.hw.flow.step import Step

SYNTHESIS = "synth_ice40 -dsp"
BLOCK_RAM_CELLS = ("SB_RAM40_4K",)
GRAIN = 256
"""Words of the widest block RAM."""
BITSTREAM = "top.bin"
CONFIGURATION = "top.asc"
READBACK = "readback.asc"


def implementation(board: Board, design: Design) -> tuple[Step, ...]:
    """Return the steps from Verilog to the chip's configuration."""
    script = design.synthesis_script(SYNTHESIS, grain=GRAIN)
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
            tool="nextpnr-ice40",
            arguments=(
                *chip_options(board),
                *design.nextpnr_arguments,
                *("--pcf", design.constraints, "--asc", CONFIGURATION),
            ),
            inputs=(NETLIST, design.constraints),
            outputs=(CONFIGURATION, PLACED, TIMING),
            marks=PHASES,
        ),
    )


def packing(board: Board) -> tuple[Step, ...]:
    """Return the steps from the configuration to the bitstream."""
    return (
        Step(
            name="bitstream",
            tool="icepack",
            arguments=(CONFIGURATION, BITSTREAM),
            inputs=(CONFIGURATION,),
            outputs=(BITSTREAM,),
        ),
    )


def readback(board: Board) -> tuple[Step, ...]:
    """Return the steps from the bitstream back to a configuration."""
    return (
        Step(
            name="readback",
            tool="iceunpack",
            arguments=(BITSTREAM, READBACK),
            inputs=(BITSTREAM,),
            outputs=(READBACK,),
        ),
    )
