"""One tool call: run, heard, cached by what goes into it, and told of when it fails."""

import os
import shlex
import sys
import time

import pytest

from darb.hw.flow.step import BuildError, Step
from darb.hw.flow.step_cache import cache_directory
from darb.hw.flow.tools import PACKAGES, find_tool, variable
from darb.hw.simulators import ToolMissingError

TOOL = """
import sys, pathlib
if "--version" in sys.argv:
    print("tool 1.{version}")
    raise SystemExit
source, target, calls = map(pathlib.Path, sys.argv[1:4])
with calls.open("a") as file:
    file.write("call\\n")
print("Info: packing\\nInfo: placing", flush=True)
text = source.read_text()
if "refuse" in text:
    print("ERROR: no " + text.strip())
    raise SystemExit(1)
if "silent" in text:
    raise SystemExit(0)
target.write_text(text.upper())
"""


@pytest.fixture
def workshop(tmp_path, monkeypatch):
    """Return a directory with a tool that yosys' variable names, and an empty cache."""
    directory = tmp_path / "work"
    directory.mkdir()
    monkeypatch.setenv("DARB_CACHE", str(tmp_path / "cache"))
    set_tool(tmp_path, monkeypatch)
    (directory / "in.txt").write_text("abc")
    return directory


def set_tool(tmp_path, monkeypatch, version=1, text=TOOL):
    program = tmp_path / "tool.py"
    program.write_text(text.replace("{version}", str(version)))
    monkeypatch.setenv("YOSYS", shlex.join([sys.executable, str(program)]))


def step(directory, **changes):
    fields = {
        "name": "synthesis",
        "tool": "yosys",
        "arguments": ("in.txt", "out.txt", str(directory.parent / "calls")),
        "inputs": ("in.txt",),
        "outputs": ("out.txt",),
        "marks": {"packing": "pack", "placing": "place"},
    }
    return Step(**(fields | changes))


def count_calls(directory):
    return len((directory.parent / "calls").read_text().splitlines())


def test_a_call_is_made_once(workshop):
    phases = []
    assert not step(workshop).is_cached(workshop)
    assert step(workshop).run(workshop, heard=phases.append) is False
    assert phases == ["pack", "place"]
    assert (workshop / "out.txt").read_text() == "ABC"
    assert "Info: packing" in (workshop / "synthesis.log").read_text()
    (workshop / "out.txt").unlink()
    (workshop / "synthesis.log").unlink()
    assert step(workshop).is_cached(workshop)
    assert step(workshop).run(workshop) is True
    assert (workshop / "out.txt").read_text() == "ABC"
    assert "Info: packing" in (workshop / "synthesis.log").read_text()
    assert count_calls(workshop) == 1


def test_other_input_arguments_or_tool_are_another_call(workshop, tmp_path, monkeypatch):
    step(workshop).run(workshop)
    (workshop / "in.txt").write_text("abd")
    assert step(workshop).run(workshop) is False
    assert (workshop / "out.txt").read_text() == "ABD"
    more = (*step(workshop).arguments, "--fast")
    assert step(workshop, arguments=more).run(workshop) is False
    set_tool(tmp_path, monkeypatch, version=2)
    assert step(workshop).run(workshop) is False
    assert count_calls(workshop) == 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("refuse this", r"synthesis: yosys failed: ERROR: no refuse this"),
        ("silent", r"synthesis: yosys failed: exit status 0, but out.txt is missing"),
    ],
)
def test_a_failure_is_told_and_not_kept(workshop, text, message):
    (workshop / "in.txt").write_text(text)
    for _ in range(2):
        with pytest.raises(BuildError, match=message):
            step(workshop).run(workshop)
    assert count_calls(workshop) == 2
    assert "packing" in (workshop / "synthesis.log").read_text()
    assert not cache_directory().exists()


def test_an_interrupt_ends_the_tool(workshop, tmp_path, monkeypatch):
    endless = "import os, pathlib, time\npathlib.Path('pid').write_text(str(os.getpid()))\n"
    endless += "print('packing', flush=True)\ntime.sleep(600)\n"
    version = "import sys\nif '--version' in sys.argv: print('1'); raise SystemExit\n"
    set_tool(tmp_path, monkeypatch, text=version + endless)

    def interrupt(phase):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        step(workshop).run(workshop, heard=interrupt)
    pid = int((workshop / "pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.parametrize("name", ["out.txt", "synthesis.log", "sha256.json"])
@pytest.mark.parametrize("damage", ["truncated", "removed", "changed"])
def test_a_damaged_entry_is_none(workshop, name, damage):
    step(workshop).run(workshop)
    (entry,) = cache_directory().iterdir()
    path = entry / name
    if damage == "removed":
        path.unlink()
    else:
        content = path.read_bytes()
        path.write_bytes(content[:-1] if damage == "truncated" else b"x" + content[1:])
    assert not step(workshop).is_cached(workshop)
    assert step(workshop).run(workshop) is False
    assert count_calls(workshop) == 2
    assert step(workshop).run(workshop) is True


def test_what_a_killed_build_left_in_the_cache_goes_after_a_day(workshop):
    for name, age in (("old", 25 * 3600), ("young", 3600)):
        left = cache_directory() / f".new.{name}"
        left.mkdir(parents=True)
        os.utime(left, (time.time() - age,) * 2)
    step(workshop).run(workshop)
    names = {path.name for path in cache_directory().iterdir()}
    assert ".new.young" in names
    assert ".new.old" not in names


def test_the_cache_is_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv("DARB_CACHE", str(tmp_path))
    assert cache_directory() == tmp_path / "steps"
    monkeypatch.delenv("DARB_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_directory() == tmp_path / "xdg" / "darb" / "steps"


def test_the_longest_unused_makes_room(workshop, monkeypatch):
    monkeypatch.setattr("darb.hw.flow.step_cache._MOST_BYTES", 900)
    kept = []
    for number in range(3):
        (workshop / "in.txt").write_text(f"{number}" * 150)
        step(workshop).run(workshop)
        (entry,) = set(cache_directory().iterdir()) - set(kept)
        os.utime(entry, (number, number))
        kept.append(entry)
    assert [entry.exists() for entry in kept] == [False, True, True]


@pytest.mark.parametrize("name", list(PACKAGES))
def test_every_tool_is_found(name, monkeypatch):
    monkeypatch.delenv(variable(name), raising=False)
    tool = find_tool(name)
    assert tool.version.startswith(f"{PACKAGES[name]} ")
    assert os.access(tool.command[0], os.X_OK)


def test_a_tool_from_elsewhere(tmp_path, monkeypatch):
    program = tmp_path / "ecppack"
    program.write_text("#!/bin/sh\necho packer 7\n")
    program.chmod(0o755)
    monkeypatch.setenv("ECPPACK", str(program))
    assert find_tool("ecppack").version == "packer 7"
    monkeypatch.setenv("ECPPACK", "no-such-program --fast")
    with pytest.raises(
        ToolMissingError,
        match="ecppack is missing: ECPPACK names 'no-such-program --fast', which is no program",
    ):
        find_tool("ecppack")


def test_a_missing_tool_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    for name, package in PACKAGES.items():
        monkeypatch.delenv(variable(name), raising=False)
        with pytest.raises(
            ToolMissingError,
            match=rf"{name} is missing: pip install 'darb\[board\]' \(its package is {package}\)",
        ):
            find_tool(name)


def test_an_unknown_tool():
    with pytest.raises(ValueError, match=r"tool must be one of yosys, .*, not 'quartus'"):
        find_tool("quartus")
