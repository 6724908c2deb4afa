import re
import shutil
import subprocess
import sys

import pytest
from documents import ROOT


def make(*arguments, path):
    return subprocess.run(
        [shutil.which("make"), "--no-print-directory", *arguments],
        cwd=ROOT,
        env={"PATH": str(path), "HOME": "/nonexistent"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def bin_directory(tmp_path):
    """A PATH that holds what `make tools` needs and nothing else."""
    for name in ("bash", "g++", "perl", "awk"):
        (tmp_path / name).symlink_to(shutil.which(name))
    write_program(tmp_path / "python3", f'exec "{sys.executable}" "$@"')
    return tmp_path


def write_program(path, body):
    path.write_text(f"#!{shutil.which('bash')}\n{body}\n")
    path.chmod(0o755)


def test_nothing_is_missing(bin_directory):
    done = make("tools", path=bin_directory)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("tool", ["python3", "g++", "perl"])
@pytest.mark.parametrize("target", ["tools", "demo", "test"])
def test_a_missing_tool_is_named_in_one_line_with_its_remedy(bin_directory, target, tool):
    (bin_directory / tool).unlink()
    done = make(target, "TEST_ARGS=--version", "DEMO_ARGS=--help", path=bin_directory)
    assert done.returncode != 0
    assert done.stdout == ""
    first, *rest = done.stderr.splitlines()
    assert first.startswith(tool)
    assert "apt-get install" in first
    assert all(line.startswith("make: ***") for line in rest)


def test_an_old_python_is_refused(bin_directory):
    write_program(bin_directory / "python3", "exit 1")
    assert make("tools", path=bin_directory).stderr.startswith("python3 must be Python 3.11")


def test_help_lists_every_target(bin_directory):
    listed = re.findall(r"^make (\w+)", make("help", path=bin_directory).stdout, re.MULTILINE)
    text = (ROOT / "Makefile").read_text()
    assert listed == re.findall(r"^\.PHONY: (\w+)$", text, re.MULTILINE)
    assert {"demo", "test", "lint", "clean"} <= set(listed)


def test_every_dependency_is_locked():
    text = (ROOT / "requirements.lock").read_text()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9][0-9a-z.]*", line) for line in lines)
    locked = {line.split("==")[0].lower().replace("_", "-") for line in lines}
    project = (ROOT / "pyproject.toml").read_text()
    required = set(re.findall(r'^    "([\w-]+)(?:\[[\w,-]+\])?>=', project, re.MULTILINE))
    assert "numpy" in required
    assert required <= locked
