"""One step of a build: a tool, the files it reads, the files it writes; run once, then cached."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from darb.hw.flow import step_cache
from darb.hw.flow.tools import Tool, find_tool

LogLine = Callable[[str], None]


class BuildError(RuntimeError):
    """A tool refused the design, or the design does not do what was asked."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """A call of one tool.

    Parameters
    ----------
    name : str
        Of the phase, as progress shows it.
    tool : str
        One of `darb.hw.flow.tools.PACKAGES`, or `darb.hw.flow.tools.PYTHON`.
    arguments : tuple of str
        Paths are relative to the build directory: the tools from PyPI see no other.
    inputs, outputs : tuple of str
        File names in the build directory.
    marks : mapping of str to str
        Regular expressions of log lines, and the finer phase that starts with each.
    """

    name: str
    tool: str
    arguments: tuple[str, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    marks: Mapping[str, str] = field(default_factory=dict)

    @property
    def log(self) -> str:
        """Name of the file that keeps what the tool said."""
        return f"{self.name}.log"

    def digest(self, directory: Path, tool: Tool) -> str:
        """Return the SHA-256 of all that decides the outputs: tool, arguments and inputs."""
        whole = hashlib.sha256(repr((tool.name, tool.version, self.arguments)).encode())
        for name in self.inputs:
            content = hashlib.sha256((directory / name).read_bytes()).digest()
            whole.update(name.encode() + b"\0" + content)
        return whole.hexdigest()

    def is_cached(self, directory: Path) -> bool:
        """Return whether the same call's outputs are in the cache."""
        names = (*self.outputs, self.log)
        return step_cache.holds(self.digest(directory, find_tool(self.tool)), names)

    def run(self, directory: Path, *, heard: LogLine | None = None) -> bool:
        """Run the tool in `directory`, or fetch what the same call wrote before.

        Parameters
        ----------
        directory : Path
        heard : callable, optional
            Called with each finer phase as it starts.

        Returns
        -------
        bool
            Whether the outputs came out of the cache.

        Raises
        ------
        ToolMissingError
            If the tool is not installed.
        BuildError
            If it fails; carries its first error and names the log.
        """
        tool = find_tool(self.tool)
        digest = self.digest(directory, tool)
        names = (*self.outputs, self.log)
        if step_cache.fetch(digest, directory, names):
            return True
        self._call(tool, directory, heard)
        step_cache.keep(digest, directory, names)
        return False

    def _call(self, tool: Tool, directory: Path, heard: LogLine | None) -> None:
        errors: list[str] = []
        with (directory / self.log).open("w", buffering=1) as log:
            process = subprocess.Popen(
                [*tool.command, *self.arguments],
                cwd=directory,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,
            )
            try:
                for line in process.stdout:
                    log.write(line)
                    if re.match(r"\s*ERROR", line, re.IGNORECASE):
                        errors.append(line.strip())
                    for mark, phase in self.marks.items():
                        if heard is not None and re.search(mark, line):
                            heard(phase)
                status = process.wait()
            except BaseException:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                raise
            finally:
                process.stdout.close()
        missing = [name for name in self.outputs if not (directory / name).is_file()]
        if status or missing:
            lost = f", but {', '.join(missing)} is missing" if missing and not status else ""
            reason = errors[0] if errors else f"exit status {status}{lost}"
            raise BuildError(f"{self.name}: {self.tool} failed: {reason}")
