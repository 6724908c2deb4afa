"""AMD Artix-7: a Tcl script for Vivado."""

from __future__ import annotations

from darb.hw.boards import Board
from darb.hw.boards.chip_options import chip_options
from darb.hw.flow.design import BOARD_VERILOG, TOP

SCRIPT = "build.tcl"


def project_script(board: Board, memories: tuple[str, ...]) -> str:
    """Return a script that takes a project's files to top.bit.

    To be run as ``vivado -mode batch -source build.tcl`` in the project's directory.
    """
    (part,) = chip_options(board)
    lines = [
        f"# Builds top.bit for {board.title}: vivado -mode batch -source {SCRIPT}",
        f"read_verilog {BOARD_VERILOG}",
        *(f"read_mem {name}" for name in memories),
        f"read_xdc {board.constraints}",
        f"synth_design -top {TOP} -part {part}",
        "opt_design",
        "place_design",
        "phys_opt_design",
        "route_design",
        "report_utilization -file utilization.rpt",
        "report_timing_summary -file timing.rpt",
        "if {[get_property SLACK [get_timing_paths -max_paths 1]] < 0} {",
        '  error "timing is missed: see timing.rpt"',
        "}",
        "write_bitstream -force top.bit",
    ]
    return "\n".join(lines) + "\n"
