"""A campaign: what it finds is kept and told, whatever else goes wrong."""

import os
import subprocess
import sys

import pytest
from fuzz_cases import AMARANTH, by_attempts, lessened, small_case

import darb.golden.engine_model
import darb.hw.fuzzing.campaign
import darb.hw.fuzzing.comparison
from darb.hw import SimulationError
from darb.hw.fuzzing.campaign import FuzzingError, fuzz, try_case
from darb.hw.fuzzing.comparison import check_case


@pytest.fixture(autouse=True)
def _shrinks_by_attempts(monkeypatch):
    monkeypatch.setattr(darb.hw.fuzzing.campaign, "shrink", by_attempts)


def test_a_mismatch_names_no_directory_that_is_gone(monkeypatch, tmp_path):
    def fails(directory, *_, **__):
        reason = f"amaranth cannot compile: {directory}/engine.v:7: syntax error"
        raise SimulationError(reason, directory / "build.log")

    monkeypatch.setattr(darb.hw.fuzzing.comparison, "run_in_amaranth", fails)
    (found,) = check_case(small_case(), AMARANTH, tmp_path).mismatches
    assert found.detail == "amaranth cannot compile: engine.v:7: syntax error"


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_machine_that_fails_is_no_mismatch(monkeypatch, wrapped):
    def full(*_, **__):
        error = OSError(28, "No space left on device")
        if wrapped:
            raise SimulationError("icarus stopped") from error
        raise error

    monkeypatch.setattr(darb.hw.fuzzing.comparison, "run_in_amaranth", full)
    with pytest.raises(
        FuzzingError,
        match=r"^the fuzzer could not go on: amaranth: OSError: .*No space left on device$",
    ):
        check_case(small_case(), AMARANTH)


def test_a_case_that_cannot_be_drawn_is_named(monkeypatch, tmp_path):
    def broken(seed, index):
        raise KeyError("a bug")

    monkeypatch.setattr(darb.hw.fuzzing.campaign, "random_case", broken)
    with pytest.raises(
        FuzzingError, match=r"^case 4 of seed 3 cannot be drawn: KeyError: 'a bug'$"
    ):
        try_case(3, 4, {}, tmp_path)


def test_a_failure_that_comes_but_once_says_so(monkeypatch, tmp_path):
    outputs = darb.hw.fuzzing.comparison.plain_outputs
    calls = []

    def once(*arguments):
        calls.append(arguments)
        return outputs(*arguments) + (len(calls) == 1)

    monkeypatch.setattr(darb.hw.fuzzing.comparison, "plain_outputs", once)
    (mismatch,) = try_case(0, 0, {}, tmp_path).failure.mismatches
    assert mismatch.detail.endswith(" vectors; not seen again")


def test_what_is_found_is_told_at_once(monkeypatch):
    monkeypatch.setattr(darb.golden.engine_model, "requantize", lessened)
    told = []
    campaign = fuzz(0, {}, seconds=600, most_cases=20, found=told.append)
    assert told == campaign.failures
    assert len(told) == 1


INTERRUPTED = """
import os, signal, subprocess, sys, time
from pathlib import Path
import darb.hw.fuzzing.campaign as campaign

def hang(index, arguments):
    # What a simulator is: a program of its own, of the process that the pool gave.
    Path(sys.argv[1], "pid").write_text(str(subprocess.Popen(["sleep", "600"]).pid))
    time.sleep(600)

if __name__ == "__main__":
    campaign._try = hang
    def progress(seconds, told):
        if Path(sys.argv[1], "pid").is_file() and Path(sys.argv[1], "pid").read_text():
            raise KeyboardInterrupt
    try:
        campaign.fuzz(0, {}, seconds=600, jobs=2, progress=progress)
    except KeyboardInterrupt:
        print("interrupted")
"""


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="no process groups here")
def test_an_interrupt_ends_what_the_processes_started(tmp_path):
    script = tmp_path / "interrupted.py"
    script.write_text(INTERRUPTED)
    # The pipe closes when the last process that holds it has ended.
    done = subprocess.run(
        [sys.executable, script, tmp_path], capture_output=True, text=True, timeout=500, check=True
    )
    assert done.stdout == "interrupted\n"


def test_processes_try_the_same_cases():
    alone, together = (fuzz(5, {}, seconds=600, most_cases=6, jobs=jobs) for jobs in (1, 2))
    assert together.counts == alone.counts
    assert alone.counts["cases"] == 6
    assert together.failures == []


def test_no_time_is_no_case():
    told = []
    campaign = fuzz(0, {}, seconds=0, progress=lambda seconds, _: told.append(seconds))
    assert campaign.counts["cases"] == 0
    assert told


def test_a_process_that_ends_by_itself_is_told():
    # What cannot be handed to a process ends the worker's loop as a kill would.
    with pytest.raises(FuzzingError, match=r"^a process of the fuzzer ended by itself"):
        fuzz(Killer(), {}, seconds=600, most_cases=1, jobs=2)


class Killer:
    """Ends the process that unpickles it."""

    def __reduce__(self):
        import os

        return os._exit, (3,)
