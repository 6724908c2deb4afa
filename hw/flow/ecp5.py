"""Lattice ECP5: yosys, nextpnr-ecp5, ecppack."""

from __future__ import annotations

from importlib import resources

from darb.hw.boards import Board
from darb.hw.boards.chip_options import chip_options
from darb.hw.flow.design import MAPPED, NETLIST, PHASES, PLACED, SCOPES, TIMING, Design
from darb.hw.flow.step import Step
from darb.hw.flow.tools import PYTHON

SYNTHESIS = "synth_ecp5"
BLOCK_RAM_CELLS = ("DP16KD", "PDPW16KD")
GRAIN = 512
"""Words of the widest block RAM."""
BITSTREAM = "top.bit"
CONFIGURATION = "top.config"
READBACK = "readback.config"
PACKER = "pack_registers.py"
"""A file of this package that works in the build directory, where there may be no darb."""
# The 12F is the 25F with another identity code, which the packer does not know by itself.
_IDCODES = {"LFE5U-12F": "0x21111043"}


def packer() -> str:
    """Return the text of `PACKER`."""
    return resources.files("darb.hw.flow").joinpath(PACKER).read_text()


def register_step(source: str = MAPPED, target: str = NETLIST) -> Step:
    """Return the step that moves registers of a netlist into block RAMs and multipliers."""
    return Step(
        name="registers",
        tool=PYTHON,
        arguments=(PACKER, source, target),
        inputs=(PACKER, source),
        outputs=(target,),
    )


def implementation(board: Board, design: Design) -> tuple[Step, ...]:
    """Return the steps from Verilog to the chip's configuration."""
    script = design.synthesis_script(SYNTHESIS, grain=GRAIN, netlist=MAPPED)
    return (
        Step(
            name="synthesis",
            tool="yosys",
            arguments=("-p", script),
            inputs=design.synthesis_inputs,
            outputs=(MAPPED, SCOPES),
        ),
        register_step(),
        Step(
            name="place-and-route",
            tool="nextpnr-ecp5",
            arguments=(
                *chip_options(board),
                *design.nextpnr_arguments,
                *("--lpf", design.constraints, "--textcfg", CONFIGURATION),
                # The default one does not come to an end where most multipliers are in use.
                *("--router", "router2"),
            ),
            inputs=(NETLIST, design.constraints),
            outputs=(CONFIGURATION, PLACED, TIMING),
            marks=PHASES,
        ),
    )


def packing(board: Board) -> tuple[Step, ...]:
    """Return the steps from the configuration to the bitstream."""
    code = _IDCODES.get(board.device)
    identity = ("--idcode", code) if code else ()
    return (
        Step(
            name="bitstream",
            tool="ecppack",
            arguments=("--compress", *identity, CONFIGURATION, BITSTREAM),
            inputs=(CONFIGURATION,),
            outputs=(BITSTREAM,),
        ),
    )


def readback(board: Board) -> tuple[Step, ...]:
    """Return the steps from the bitstream back to a configuration."""
    return (
        Step(
            name="readback",
            tool="ecpunpack",
            arguments=("--input", BITSTREAM, "--textcfg", READBACK),
            inputs=(BITSTREAM,),
            outputs=(READBACK,),
        ),
    )
