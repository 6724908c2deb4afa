import json
import re

import pytest
from cli_runner import refused, run
from fuzz_cases import by_attempts
from seeded_bug import seeded_bug

import darb.hw.engine
import darb.hw.fuzzing.campaign
import darb.hw.fuzzing.comparison
from darb.hw.fuzzing.case_file import Reproduction
from darb.hw.fuzzing.comparison import PARTIES, FuzzingError, Mismatch
from darb.hw.fuzzing.random_case import random_case
from darb.hw.simulators import ToolMissingError
from darb.sw.cli.fuzz import SIMULATORS

QUICK = ("--simulators", "amaranth", "--jobs", "1", "--minutes", "30")


@pytest.fixture(autouse=True)
def _shrinks_by_attempts(monkeypatch):
    monkeypatch.setattr(darb.hw.fuzzing.campaign, "shrink", by_attempts)


def cells(stdout):
    """Return the first column of a table with the second."""
    lines = [line.split("│") for line in stdout.splitlines() if line.startswith("│")]
    return {parts[1].strip(): parts[2].strip() for parts in lines}


def test_a_campaign_counts_what_it_tried(tmp_path):
    result = run("fuzz", *QUICK, "--cases", 2, "--seed", 30, "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    report = json.loads((tmp_path / "out" / "fuzz.json").read_text())
    told = cells(result.stdout)
    assert (told["seed"], told["cases"], told["mismatches"]) == ("30", "2", "0")
    for name in ("cases", "networks", "runs", "vectors", "seed", "mismatches"):
        assert told[name] == f"{report[name]:,}"
    assert told["clocks, amaranth"] == f"{report['clocks']['amaranth']:,}"
    assert report["tools"].keys() == {"python", "darb", "amaranth", "numpy"}
    assert report["failures"] == []
    assert "Every output and every clock equals the golden model's." in result.stdout
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["fuzz.json"]


def test_a_bug_is_found_and_its_file_replays_it(tmp_path, monkeypatch):
    sound, broken = "shifted[1 : bits + 1] + shifted[0]", "shifted[1 : bits + 1]"
    processor = seeded_bug(darb.hw.engine.RowPostProcessor, sound, broken)
    monkeypatch.setattr(darb.hw.engine, "RowPostProcessor", processor)
    result = run("fuzz", *QUICK, "--cases", 5, "--out", tmp_path)
    assert result.exit_code == 1, result.output
    report = json.loads((tmp_path / "fuzz.json").read_text())
    assert report["mismatches"] == 1
    (name,) = report["failures"]
    path = tmp_path / name
    assert f"Again: darb fuzz --replay {path} --simulators amaranth\n" in result.stdout
    told = "amaranth and golden differ in outputs: run 0, 1 in 1 vectors"
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert re.fullmatch(rf"error: case \d of seed 0: {told}; {re.escape(str(path))}", line)
    assert path.stat().st_size < 2000

    result = run("fuzz", "--simulators", "amaranth", "--replay", path)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"error: {path}: amaranth and golden differ in outputs: run 0")
    assert cells(result.stdout)["now"].startswith("amaranth and golden differ in outputs")
    monkeypatch.undo()
    result = run("fuzz", "--simulators", "amaranth", "--replay", path)
    assert result.exit_code == 0, result.output
    told = cells(result.stdout)
    assert told["then"].startswith("amaranth and golden differ in outputs")
    assert told["now"] == "no mismatch"
    assert told["engine"] == "1 lanes, 1 rows, rom"


def test_what_the_command_line_cannot_mean(tmp_path):
    message = refused("fuzz", "--simulators", "amaranth,vcs", "-o", tmp_path)
    assert message == "simulators must be of amaranth, verilator, icarus, not 'vcs'"
    path = tmp_path / "case.json"
    assert refused("fuzz", *QUICK, "--replay", path) == f"{path}: No such file or directory"
    path.write_text("{}")
    assert refused("fuzz", *QUICK, "--replay", path).startswith(
        f"{path} must be a file that darb fuzz wrote"
    )
    assert "'--minutes'" in refused("fuzz", "--minutes", "-1")
    assert refused("fuzz", *QUICK, "-o", path) == f"{path}: File exists"


@pytest.mark.parametrize("minutes", ["inf", "1e308"])
def test_minutes_without_an_end(tmp_path, minutes):
    message = refused(
        "fuzz", "--simulators", "amaranth", "--minutes", minutes, "-o", tmp_path / "out"
    )
    assert message == f"minutes must be a finite number, not {float(minutes)!r}"
    assert not (tmp_path / "out").exists()


def test_a_directory_that_cannot_be_written_is_told_before_anything_is_tried(tmp_path, monkeypatch):
    def read_only(**fields):
        raise PermissionError(13, "Permission denied", "a temporary file")

    monkeypatch.setattr("tempfile.NamedTemporaryFile", read_only)
    monkeypatch.setattr(darb.hw.fuzzing.campaign, "fuzz", None)
    assert refused("fuzz", *QUICK, "-o", tmp_path) == f"{tmp_path}: Permission denied"


def test_what_was_found_is_kept_when_the_fuzzer_cannot_go_on(tmp_path, monkeypatch):
    def found_and_lost(seed, tools, *, found, **rest):
        case = random_case(seed, 0)
        found(Reproduction(case, seed, 0, (Mismatch("icarus", "clocks", ""),), {}))
        raise FuzzingError("the fuzzer could not go on: a reason")

    monkeypatch.setattr(darb.hw.fuzzing.campaign, "fuzz", found_and_lost)
    result = run("fuzz", *QUICK, "-o", tmp_path)
    assert result.exit_code == 1
    assert result.stderr.endswith("error: the fuzzer could not go on: a reason\n")
    assert [path.name for path in tmp_path.iterdir()] == ["case-0-0.json"]


def test_a_missing_simulator_is_told_with_what_leaves_it_out(tmp_path, monkeypatch):
    def missing(name):
        raise ToolMissingError("Icarus Verilog is missing: install it")

    monkeypatch.setattr(darb.hw.fuzzing.comparison, "find_simulator", missing)
    assert refused("fuzz", "-o", tmp_path / "out") == (
        "Icarus Verilog is missing: install it; --simulators amaranth,verilator,icarus names what "
        "to run, leave out what is missing"
    )
    assert not (tmp_path / "out").exists()


def test_the_default_is_every_simulator():
    assert tuple(SIMULATORS.split(",")) == PARTIES
