"""Fenced blocks of the documents: Python in a shared namespace, shell lines in bash."""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block, with the line that its text starts on."""

    language: str
    text: str
    line: int


def blocks(document: Path) -> list[Block]:
    text = document.read_text()
    return [
        Block(match[1], match[2], text[: match.start(2)].count("\n") + 1)
        for match in _FENCE.finditer(text)
    ]


def run_python(block: Block, document: Path, names: dict) -> None:
    """Run a block: a doctest if it has prompts, else a program."""
    if not block.text.startswith(">>>"):
        exec(compile("\n" * (block.line - 1) + block.text, document, "exec"), names)
        return
    test = doctest.DocTestParser().get_doctest(
        block.text, {}, document.name, str(document), block.line - 1
    )
    test.globs = names
    report: list[str] = []
    runner = doctest.DocTestRunner()
    runner.run(test, out=report.append, clear_globs=False)
    assert not runner.failures, "".join(report)


def run_shell(line: str, directory: Path) -> str:
    """Run one command as a user would, with the suite's own darb on PATH; return its output."""
    tools = Path(sys.executable).parent
    done = subprocess.run(
        ["bash", "-euc", line],
        cwd=directory,
        env={**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{line}\n{done.stdout}"
    return done.stdout
