"""From an image to a bitstream, with every figure of it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import tempfile
from pathlib import Path

from darb.golden import EngineModel, Image, read_image, schedule, steady_interval, timeline
from darb.golden.output_directory import replaced_directory
from darb.golden.register_map import Storage
from darb.hw.boards import Board
from darb.hw.boards.devices import Family
from darb.hw.expected_clock import expected_clock
from darb.hw.flow.block_ram import NotInBlockRamError
from darb.hw.flow.build_report import REPORT_JSON, REPORT_MARKDOWN, BuildReport
from darb.hw.flow.critical_path import slowest_path
from darb.hw.flow.design import BOARD_VERILOG, NETLIST, PLACED, SCOPES, TIMING, Design
from darb.hw.flow.hierarchy import Hierarchy
from darb.hw.flow.image_contents import ImageContents
from darb.hw.flow.placement import PLACEMENT, read_placement
from darb.hw.flow.project import LEFT_BY_SCRIPT, PROJECT_FILES, write_project
from darb.hw.flow.resources import over_capacity, read_usage
from darb.hw.flow.step import BuildError
from darb.hw.flow.toolchain import TOOLCHAINS, Toolchain
from darb.hw.flow.tools import find_tool
from darb.hw.flow.workshop import Progress, Workshop
from darb.hw.pll import reached_hz

FAILED = ".failed"
"""Added to the name of the output: where the logs of a failed build are."""
BUILD_FILES = (
    *PROJECT_FILES,
    *LEFT_BY_SCRIPT,
    *(toolchain.bitstream for toolchain in TOOLCHAINS.values()),
    *(REPORT_JSON, REPORT_MARKDOWN, PLACEMENT, "placement.png", TIMING, "*.log"),
    ".placement.*.png",
)
"""What a build writes, whichever its board; the last if it is killed while it draws."""


def _count_block_rams(netlist: str, toolchain: Toolchain) -> int:
    return sum(netlist.count(f'"type": "{cell}"') for cell in toolchain.block_ram_cells)


def _implement(workshop: Workshop, board: Board, design: Design, contents: ImageContents) -> None:
    """Place and route; with exchangeable contents where the chip has the block RAM for them."""
    toolchain = TOOLCHAINS[board.family]
    for exchangeable in (True, False):
        contents.write_memories(workshop.directory, exchangeable=exchangeable)
        tried = dataclasses.replace(design, exchangeable=contents.exchangeable)
        synthesis, *others = toolchain.implementation(board, tried)
        workshop.run((synthesis,), slow=True)
        netlist = (workshop.directory / synthesis.outputs[0]).read_text()
        needed, most = _count_block_rams(netlist, toolchain), board.capacity.block_rams
        if needed <= most or not contents.exchangeable:
            break
        if workshop.weights_only:
            raise BuildError(
                f"--weights-only cannot be on {board.title} for this engine: all image memories in "
                f"block RAM take {needed} of them, there are {most}; the small ones are in logic, "
                "so that new weights need a new place and route"
            )
    try:
        workshop.run(tuple(others[:-1]))
        workshop.run(tuple(others[-1:]), slow=True)
    except BuildError as error:
        log = workshop.directory / others[-1].log
        over = over_capacity(board.family, log.read_text()) if log.is_file() else {}
        if not over:
            raise
        needs = ", ".join(f"{use.used:,} {name} of {use.available:,}" for name, use in over.items())
        raise BuildError(
            f"the design needs more than {board.title} has: {needs}; 'darb plan' shows what fits"
        ) from error


def _fill(workshop: Workshop, board: Board, contents: ImageContents) -> None:
    """Bring the image in, make the bitstream, and read it back."""
    toolchain = TOOLCHAINS[board.family]
    if contents.exchangeable:
        contents.put(workshop.directory)
    workshop.run(toolchain.packing(board))
    if contents.exchangeable and toolchain.readback is not None:
        workshop.run(toolchain.readback(board))
        contents.check(workshop.directory)


def _report(
    workshop: Workshop,
    image: Image,
    board: Board,
    contents: ImageContents,
    *,
    storage: Storage,
    clock_hz: int,
    seed: int,
) -> BuildReport:
    toolchain = TOOLCHAINS[board.family]
    timing = workshop.read_json(TIMING)
    plan = schedule(image, EngineModel(image).layers)
    lone = timeline(plan, image, 1)
    bitstream = (workshop.directory / toolchain.bitstream).read_bytes()
    path = slowest_path(timing, _hierarchy(workshop))
    return BuildReport(
        board=board.name,
        title=board.title,
        device=f"{board.device} {board.package} {board.speed}".strip(),
        storage=storage.value,
        image_digest=image.digest,
        lanes=image.config.lanes,
        rows=image.config.rows,
        seed=seed,
        bitstream=toolchain.bitstream,
        bitstream_sha256=hashlib.sha256(bitstream).hexdigest(),
        clock_asked_hz=float(reached_hz(board, clock_hz)),
        clock_tolerance=board.clock_tolerance,
        clock_reached_hz=1e6 * min(clock["achieved"] for clock in timing["fmax"].values()),
        usage=read_usage(board.family, timing, workshop.read_json(PLACED)),
        cycles=steady_interval(plan, image),
        latency=int(lone.outputs[0, -1] - lone.inputs[0, 0]) + 1,
        critical_path=str(path) if path else "none",
        contents=contents.describe(),
        tools=workshop.tools,
        seconds=workshop.seconds,
    )


def _keep_logs(workshop: Path, output: Path) -> str:
    """Copy what tells why a build failed to a directory beside the output; say where."""
    failed = output.with_name(output.name + FAILED)
    try:
        with replaced_directory(failed, BOARD_VERILOG, BUILD_FILES) as fresh:
            for pattern in (BOARD_VERILOG, "*.log", TIMING):
                for path in workshop.glob(pattern):
                    shutil.copyfile(path, fresh / path.name)
    except (OSError, ValueError) as error:
        return f"; the logs could not be kept: {error}"
    return f"; logs: {failed}"


def _remove_logs(output: Path) -> None:
    """Remove what `_keep_logs` left of an earlier failure."""
    failed = output.with_name(output.name + FAILED)
    if (failed / BOARD_VERILOG).is_file():
        for pattern in (BOARD_VERILOG, "*.log", TIMING):
            for path in failed.glob(pattern):
                path.unlink()
        if not any(failed.iterdir()):
            failed.rmdir()


def build(
    image_directory: str | Path,
    board: Board,
    output: str | Path,
    *,
    storage: Storage = Storage.ROM,
    memory_check: bool = False,
    clock_hz: int | None = None,
    baud: int | None = None,
    seed: int = 1,
    weights_only: bool = False,
    progress: Progress | None = None,
) -> BuildReport:
    """Build an image's bitstream for a board.

    The design is placed with random contents, then the image's take their place, so that other
    weights of the same config cost seconds; every tool's call is cached by all that goes into it.

    Parameters
    ----------
    image_directory : path
    board : Board
    output : path
        New, empty, or an earlier build, which is replaced: bitstream, report.json, report.md, the
        project's files, logs, and placement.json, where each cell is.
    storage : Storage
    memory_check : bool
        The engine can be asked for the CRC of its memories; see `MemoryChecker`.
    clock_hz, baud : int, optional
        Of the engine and of the serial port; what `expected_clock` says, and the board's, by
        default.
    seed : int
        Of placement.
    weights_only : bool
        Refuse to place and route.
    progress : callable, optional
        Called with the step, what is done of it, the total, and the phase inside it.

    Returns
    -------
    BuildReport

    Raises
    ------
    ImageError
        If the image is damaged.
    ToolMissingError
        If a tool is not installed.
    BuildError
        If a tool fails or timing is missed; the logs are then kept beside `output`.
    ValueError
        If no open tool builds for the board, `output` holds something else, or a frequency cannot
        be reached.
    """
    output = Path(output)
    if board.family is Family.XILINX:
        raise ValueError(
            f"board must be one that open tools build for, not {board.name!r}: write its project "
            f"with 'darb generate --board {board.name}' and let Vivado build that"
        )
    if weights_only and storage is Storage.RAM:
        raise ValueError(
            "weights_only must be left out with storage ram, whose bitstream holds no weights, "
            f"not {weights_only!r}"
        )
    image = read_image(image_directory)
    clock_hz = expected_clock(board, image.config) if clock_hz is None else clock_hz
    toolchain = TOOLCHAINS[board.family]
    for tool in toolchain.tools:
        find_tool(tool)
    with replaced_directory(output, BOARD_VERILOG, BUILD_FILES) as fresh:
        write_project(
            fresh,
            image,
            board,
            storage=storage,
            memory_check=memory_check,
            clock_hz=clock_hz,
            baud=baud,
            seed=seed,
        )
        with tempfile.TemporaryDirectory(prefix=".darb-", dir=fresh.parent) as name:
            workshop = Workshop(Path(name), progress or _quiet, weights_only)
            for file in (BOARD_VERILOG, board.constraints, *toolchain.beside):
                shutil.copyfile(fresh / file, workshop.directory / file)
            try:
                report = _build_in(workshop, image, board, storage, clock_hz, seed)
            except (BuildError, NotInBlockRamError) as error:
                raise BuildError(f"{error}{_keep_logs(workshop.directory, output)}") from error
            for pattern in (toolchain.bitstream, TIMING, "*.log"):
                for path in workshop.directory.glob(pattern):
                    shutil.copyfile(path, fresh / path.name)
            placement = read_placement(workshop.read_json(PLACED), _hierarchy(workshop))
            (fresh / PLACEMENT).write_text(json.dumps(placement) + "\n")
        (fresh / REPORT_JSON).write_text(json.dumps(report.to_dict(), indent=1) + "\n")
        (fresh / REPORT_MARKDOWN).write_text(report.to_markdown())
    _remove_logs(output)
    return report


def _build_in(
    workshop: Workshop, image: Image, board: Board, storage: Storage, clock_hz: int, seed: int
) -> BuildReport:
    contents = ImageContents(image, board.family, storage)
    design = Design(
        constraints=board.constraints,
        memories=contents.files,
        exchangeable=True,
        clock_hz=float(reached_hz(board, clock_hz)) * (1 + board.clock_tolerance),
        seed=seed,
        judged_later=True,
    )
    _implement(workshop, board, design, contents)
    _fill(workshop, board, contents)
    report = _report(
        workshop, image, board, contents, storage=storage, clock_hz=clock_hz, seed=seed
    )
    if not report.timing_met:
        reached = int(report.clock_reached_hz / (1 + board.clock_tolerance) / 1e6)
        raise BuildError(
            f"timing: {report.clock_asked_hz / 1e6:.2f} MHz were asked, "
            f"{report.clock_reached_hz / 1e6:.2f} reached (try --clock {reached}, or another "
            f"--seed). {report.critical_path}"
        )
    return report


def _hierarchy(workshop: Workshop) -> Hierarchy:
    scopes = workshop.directory / SCOPES
    listed = scopes.read_text() if scopes.is_file() else ""
    return Hierarchy.read((workshop.directory / NETLIST).read_text(), listed)


def _quiet(step: str, done: int, total: int, note: str) -> None:
    """Show nothing."""
