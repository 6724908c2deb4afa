"""The Verilog of a board on both simulators: every reply byte for byte, to good frames and bad."""

import json

import pytest
from board_frames import board_core, board_job

from darb.hw.cocotb_runner import build, run_cocotb
from darb.hw.simulators import find_simulator
from darb.hw.verilog import TOP, VERILOG, component_verilog


@pytest.mark.parametrize(
    ("simulator", "delays"),
    [
        ("verilator", False),
        ("verilator", True),
        pytest.param("icarus", True, marks=pytest.mark.icarus),
    ],
)
def test_every_reply_is_the_one_that_is_due(simulator, delays, tmp_path):
    config, job = board_job(seed=51)
    core = board_core(config, delays=delays)
    (tmp_path / VERILOG).write_text(component_verilog(core, TOP))
    (tmp_path / "job.json").write_text(json.dumps(job))
    tool = find_simulator(simulator)
    build(tmp_path, tool)
    with tool.active():
        run_cocotb(
            tmp_path,
            tool,
            module="board_frames_bench",
            environment={"FRAMES_JOB": str(tmp_path / "job.json")},
        )
