import ast
import subprocess
import sys
from pathlib import Path

import pytest
from documents import ROOT

FOLDERS = ("golden", "hw", "sw", "tests", "bench", "docs")
SOURCES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))


def relative(path):
    return str(path.relative_to(ROOT))


def imported_modules(path):
    """The modules that a file imports anywhere, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: imports are absolute"
            yield node.module


@pytest.mark.parametrize("command", [["check"], ["format", "--check"]], ids=" ".join)
def test_ruff(command):
    done = subprocess.run(
        [sys.executable, "-m", "ruff", *command, "."],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_layers_only_look_down(path):
    layer = path.relative_to(ROOT).parts[0]
    for module in imported_modules(path):
        top, *rest = module.split(".")
        assert top not in ("golden", "hw", "sw"), f"{module}: write darb.{module}"
        below = rest[0] if top == "darb" and rest else None
        if layer == "golden":
            assert below == "golden" or top in {"numpy", *sys.stdlib_module_names}, module
        if layer == "hw":
            assert top != "torch", module
            assert below != "sw", module


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_a_file_is_one_concept(path):
    assert path.stem not in ("utils", "helpers", "misc", "common")
    assert len(path.read_text().splitlines()) <= 400


def test_there_are_sources_to_check():
    assert {path.relative_to(ROOT).parts[0] for path in SOURCES} >= {"golden", "hw", "sw", "tests"}
    assert all(isinstance(path, Path) for path in SOURCES)
