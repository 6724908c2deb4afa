import shutil

import numpy
from cli_runner import run

from darb.sw.cli.doctor import TOOLS, Tool, find_version


def test_it_names_every_tool_with_its_version():
    result = run("doctor")
    assert result.exit_code == 0
    for tool in TOOLS:
        assert tool.name in result.stdout
    assert numpy.__version__ in result.stdout


def test_a_missing_tool_is_named_with_its_remedy(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name, **_: None)
    result = run("doctor")
    assert result.exit_code == 0
    assert (
        "Without icarus these do not work: simulate, demo on Icarus. All else does. To get "
        "it: install the system's package iverilog.\n"
    ) in result.stdout
    assert "Nothing is missing" not in result.stdout


def test_a_missing_package_has_no_version():
    assert find_version(Tool("x", "nothing", package="darb-no-such-package")) is None


def test_a_program_that_fails_counts_as_missing():
    assert find_version(Tool("x", "nothing", command=("false",))) is None
    assert find_version(Tool("x", "nothing", command=("echo", "tool 1.2.3-x"))) == "1.2.3"
    assert find_version(Tool("x", "nothing", command=("echo", "unnumbered"))) == "unnumbered"
