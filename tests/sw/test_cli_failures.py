import signal
import subprocess
import sys

import numpy as np
import pytest
from cli_runner import refused, run
from random_networks import random_network

from darb.hw.simulators import ToolMissingError
from darb.sw.cli.failures import describe
from darb.sw.exporting import export


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["insp"], "No such command 'insp'. Did you mean 'inspect'?"),
        (["inspect"], "Missing argument 'DIR'."),
        (["inspect", "x", "--fast"], "No such option: --fast"),
        (["demo", "--data", "cifar"], "Invalid value for '--data': "),
        (["demo", "--ratio", "many"], "Invalid value for '--ratio': "),
        (["generate", "x"], "Missing option '--output' / '-o'."),
    ],
)
def test_a_wrong_command_line_is_told_in_one_line(arguments, message):
    assert refused(*arguments).startswith(message)


def test_a_fault_of_the_program_is_not_dressed_up(tmp_path, monkeypatch):
    def faulty(directory):
        raise KeyError("a bug")

    monkeypatch.setattr("darb.sw.inspection.inspect_image", faulty)
    result = run("inspect", tmp_path)
    assert isinstance(result.exception, KeyError)
    assert result.exit_code == 1


def test_traceback_shows_where(tmp_path):
    result = run("--traceback", "inspect", tmp_path / "none")
    assert type(result.exception).__name__ == "ImageError"


def test_traceback_after_the_command_is_a_wrong_command_line(tmp_path):
    assert refused("inspect", tmp_path, "--traceback").startswith("No such option: --traceback")
    assert refused("--traceback", "inspect").startswith("Missing argument 'DIR'")


def test_an_interrupt_is_told_in_one_line(tmp_path, monkeypatch):
    def interrupted(directory):
        raise KeyboardInterrupt

    monkeypatch.setattr("darb.sw.inspection.inspect_image", interrupted)
    result = run("inspect", tmp_path)
    assert result.exit_code == 130
    assert (result.stdout, result.stderr) == ("", "error: interrupted\n")


SLEEPER = """
import signal

# A parent that ignores HUP or INT, as a shell's background does, would hand that down.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)
import sys, time
import darb.sw.inspection
from darb.sw.cli import app

def sleep(directory):
    try:
        print("asleep", flush=True)
        time.sleep(60)
    finally:
        print("cleaned", flush=True)

darb.sw.inspection.inspect_image = sleep
app(["inspect", "x"])
"""


@pytest.mark.parametrize(
    ("number", "status", "line"),
    [
        (signal.SIGINT, 130, "interrupted"),
        (signal.SIGTERM, 143, "terminated"),
        (signal.SIGHUP, 143, "terminated"),
    ],
)
def test_a_signal_cleans_up_and_is_told_in_one_line(number, status, line):
    command = [sys.executable, "-c", SLEEPER]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout.readline() == "asleep\n"
        process.send_signal(number)
        assert process.stdout.read() == "cleaned\n"
        assert process.stderr.read() == f"error: {line}\n"
    assert process.returncode == status


def test_a_message_of_many_lines_becomes_one(monkeypatch, tmp_path):
    def long_winded(directory):
        raise ValueError("first\n  second\n\nthird")

    monkeypatch.setattr("darb.sw.inspection.inspect_image", long_winded)
    assert refused("inspect", tmp_path) == "first second third"


def test_what_is_the_users_and_what_is_not():
    assert describe(ToolMissingError("iverilog is missing")) == "iverilog is missing"
    assert describe(RuntimeError("a bug")) is None
    assert describe(KeyError("a bug")) is None
    assert describe(ModuleNotFoundError("no", name="darb.sw.lost")) is None
    assert describe(PermissionError(13, "Permission denied", "/x")) == "/x: Permission denied"


@pytest.mark.parametrize(
    ("missing", "arguments", "extra"),
    [
        ("torch", "['export', 'm.pt2', '--calibration', 'x.npy', '-o', 'out']", "train"),
        ("torch", "['demo']", "train,sim"),
        ("sklearn", "['demo']", "train,sim"),
        ("matplotlib", "['demo']", "train,sim"),
        ("matplotlib", "['build', 'image', '--board', 'icebreaker', '-o', 'out']", "board"),
    ],
)
def test_a_missing_extra_is_named(tmp_path, missing, arguments, extra):
    program = f"import sys; sys.modules[{missing!r}] = None; from darb.sw.cli import app; "
    program += f"app({arguments})"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 2
    assert done.stderr == (
        f"error: {missing} must be installed for this command: pip install 'darb[{extra}]'\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_pipe_that_closes_early_is_no_failure(tmp_path):
    network = random_network(np.random.default_rng(0), (8, 4))
    image = export(network, tmp_path / "image", lanes=1, rows=1)
    program = f"from darb.sw.cli import app; app(['inspect', {str(image)!r}, '--json'])"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == ""


def test_version():
    result = run("--version")
    assert result.exit_code == 0
    assert result.stdout.startswith("darb 0.")


def test_without_arguments_there_is_help():
    assert "Usage: darb" in run().output
