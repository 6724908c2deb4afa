import shutil

import numpy
from cli_runner import run

from darb.hw.simulators import available_simulators, find_simulator
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


def test_simulators_are_those_that_the_bench_finds():
    here = available_simulators()
    for tool in TOOLS:
        if tool.simulator is not None:
            version = find_version(tool)
            assert (version is not None) == (tool.simulator in here)
            assert version is None or find_simulator(tool.simulator).version.endswith(version)


def test_a_simulator_that_lacks_something_counts_as_missing(monkeypatch):
    which = shutil.which
    monkeypatch.setattr(
        shutil, "which", lambda name, **at: None if name == "g++" else which(name, **at)
    )
    assert find_version(Tool("verilator", "simulate", simulator="verilator")) is None


def test_a_missing_package_has_no_version():
    assert find_version(Tool("x", "nothing", package="darb-no-such-package")) is None


def test_a_program_that_fails_counts_as_missing():
    assert find_version(Tool("x", "nothing", command=("false",))) is None
    assert find_version(Tool("x", "nothing", command=("echo", "tool 1.2.3-x"))) == "1.2.3"
    assert find_version(Tool("x", "nothing", command=("echo", "unnumbered"))) == "unnumbered"
