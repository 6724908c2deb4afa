"""Runs a script of yosys."""

from __future__ import annotations

import subprocess
from pathlib import Path

from darb.hw.flow.tools import find_tool


class YosysError(RuntimeError):
    """A script failed; carries the end of what yosys said."""


def run_yosys(directory: Path, script: str, *, check: bool = True) -> str:
    """Run `script` in `directory`, all file names relative to it; return what yosys said.

    Parameters
    ----------
    directory : Path
    script : str
    check : bool
        Refuse a failure; otherwise what it said is returned all the same.

    Raises
    ------
    ToolMissingError
        If yosys is not installed.
    YosysError
        If the script fails.
    """
    # A file, for a command line has room for few mutants.
    (directory / "script.ys").write_text(script)
    done = subprocess.run(
        [*find_tool("yosys").command, "-s", "script.ys"],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    if check and done.returncode:
        raise YosysError("\n".join(said.splitlines()[-5:]))
    return said
