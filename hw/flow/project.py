"""A board's project: Verilog, constraints, memories, and a script that builds them by hand."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

from darb.golden import Image, read_image
from darb.golden.bitfields import to_hex
from darb.golden.memory_map import MEMORIES, memory_shapes
from darb.golden.output_directory import replaced_directory
from darb.golden.register_map import Storage
from darb.hw.board_top import board_verilog
from darb.hw.boards import Board
from darb.hw.boards.devices import Family
from darb.hw.expected_clock import expected_clock
from darb.hw.flow import vivado
from darb.hw.flow.design import BOARD_VERILOG, Design
from darb.hw.flow.step import Step
from darb.hw.flow.toolchain import TOOLCHAINS
from darb.hw.flow.tools import PACKAGES, PYTHON, variable
from darb.hw.pll import reached_hz

MANIFEST = "board.json"
SCRIPT = "build.sh"
PROJECT_FILES = (
    BOARD_VERILOG,
    MANIFEST,
    SCRIPT,
    vivado.SCRIPT,
    *(name for toolchain in TOOLCHAINS.values() for name in toolchain.beside),
    *(f"{name}.mem" for name in MEMORIES),
    *("*.lpf", "*.pcf", "*.cst", "*.xdc"),
)
"""What `generate_project` writes."""
LEFT_BY_SCRIPT = (
    *(
        "mapped.json",
        "netlist.json",
        "scopes.txt",
        "placed.json",
        "timing.json",
        "top.config",
        "top.asc",
        "*.log",
        "*.jou",
    ),
    *("top.bit", "top.bin", "top.fs", "*.rpt", "top.dcp"),
    # And a build in the same place.
    *("report.json", "report.md", "placement.json", "placement.png"),
)
"""What running its script adds."""


def _command(step: Step) -> str:
    """Return a shell line that does what `step` does; variables may name other programs."""
    plain = step.tool == PYTHON or PACKAGES[step.tool] == "apycula"
    program = step.tool if plain else f"yowasp-{step.tool}"
    arguments = " ".join(map(shlex.quote, step.arguments))
    return f"${{{variable(step.tool)}:-{program}}} {arguments}"


def build_script(board: Board, design: Design) -> str:
    """Return a shell script from the project's files to the bitstream."""
    toolchain = TOOLCHAINS[board.family]
    steps = (*toolchain.implementation(board, design), *toolchain.packing(board))
    packages = sorted({PACKAGES[step.tool] for step in steps if step.tool != PYTHON})
    return "\n".join(
        [
            "#!/bin/sh",
            f"# Builds {toolchain.bitstream} for {board.title}. The tools: pip install "
            + " ".join(packages),
            "# Others of the same names serve as well, e.g. YOSYS=yosys sh build.sh",
            "set -eu",
            'cd "$(dirname "$0")"',
            *map(_command, steps),
            f"echo 'Wrote {toolchain.bitstream}'",
            "",
        ]
    )


def write_project(
    directory: Path,
    image: Image,
    board: Board,
    *,
    storage: Storage = Storage.ROM,
    memory_check: bool = False,
    clock_hz: int | None = None,
    baud: int | None = None,
    seed: int = 1,
) -> None:
    """Write a project's files into an existing directory; see `generate_project`."""
    clock_hz = expected_clock(board, image.config) if clock_hz is None else clock_hz
    baud = board.baud if baud is None else baud
    text = board_verilog(
        board,
        image.config,
        storage=storage,
        memory_check=memory_check,
        clock_hz=clock_hz,
        baud=baud,
    )
    (directory / BOARD_VERILOG).write_text(text)
    (directory / board.constraints).write_text(board.read_constraints())
    memories = ()
    if storage is Storage.ROM:
        memories = tuple(f"{name}.mem" for name in MEMORIES)
        for name, (_, width) in memory_shapes(image.config).items():
            (directory / f"{name}.mem").write_bytes(to_hex(image.memories[name], width))
    manifest = {
        "board": board.name,
        "storage": storage.value,
        "memory_check": memory_check,
        "clock_hz": float(reached_hz(board, clock_hz)),
        "baud": baud,
        "config": image.config.to_dict(),
        "digest": image.digest,
    }
    (directory / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")
    if board.family is Family.XILINX:
        script = vivado.project_script(board, memories)
        (directory / vivado.SCRIPT).write_text(script)
        return
    for name, text in TOOLCHAINS[board.family].beside.items():
        (directory / name).write_text(text())
    design = Design(
        constraints=board.constraints,
        memories=memories,
        exchangeable=False,
        clock_hz=float(reached_hz(board, clock_hz)) * (1 + board.clock_tolerance),
        seed=seed,
    )
    (directory / SCRIPT).write_text(build_script(board, design))


def generate_project(
    image_directory: str | Path,
    board: Board,
    output: str | Path,
    *,
    storage: Storage = Storage.ROM,
    memory_check: bool = False,
    clock_hz: int | None = None,
    baud: int | None = None,
) -> Path:
    """Write a board's project, all or nothing.

    Parameters
    ----------
    image_directory : path
        Of `darb.golden.write_image`; verified first.
    board : Board
    output : path
        New, empty, or an earlier project, which is replaced.
    storage : Storage
    memory_check : bool
        The engine can be asked for the CRC of its memories; see `MemoryChecker`.
    clock_hz, baud : int, optional
        Of the engine and of the serial port; what `expected_clock` says, and the board's, by
        default.

    Returns
    -------
    Path
        `output`.

    Raises
    ------
    ImageError
        If the image is damaged.
    ValueError
        If `output` holds something else, or a frequency cannot be reached.
    """
    output = Path(output)
    image = read_image(image_directory)
    known = (*PROJECT_FILES, *LEFT_BY_SCRIPT)
    with replaced_directory(output, BOARD_VERILOG, known) as fresh:
        write_project(
            fresh,
            image,
            board,
            storage=storage,
            memory_check=memory_check,
            clock_hz=clock_hz,
            baud=baud,
        )
    return output
