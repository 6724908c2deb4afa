"""Killed at any moment, a command leaves the old output or the new one, never a mixture."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from killed_writer import WRITERS

from darb.golden import output_directory

SCRIPT = Path(__file__).with_name("killed_writer.py")


@pytest.fixture
def can_exchange(tmp_path):
    """Skip where the system or the file system has no way of exchanging directories."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    if not output_directory._exchange(tmp_path / "one", tmp_path / "two"):
        pytest.skip("no exchange of directories here")


def killed_everywhere(tmp_path, kind, exchange):
    done = subprocess.run(
        [sys.executable, SCRIPT, tmp_path / "work", kind, exchange],
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    states = json.loads(done.stdout)
    print(f"{kind}, exchange {exchange}: {states}")
    return states.values()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that fork")
@pytest.mark.parametrize("kind", WRITERS)
def test_a_kill_leaves_the_old_or_the_new(tmp_path, can_exchange, kind):
    over_the_old, over_none, _ = killed_everywhere(tmp_path, kind, "yes")
    assert over_the_old.keys() == {"old", "new"}
    assert over_none.keys() == {"nothing", "new"}
    assert min(*over_the_old.values(), *over_none.values()) > 1
    assert sum(over_the_old.values()) > 100


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that fork")
def test_without_an_exchange_both_lie_beside_for_a_moment_and_come_back(tmp_path):
    over_the_old, over_none, recoveries = killed_everywhere(tmp_path, "export", "no")
    assert over_the_old.keys() == {"old", "new", "both beside"}
    # The moments between the two renames, and no others.
    assert over_the_old["both beside"] <= 3
    # Their next call was killed as well, everywhere, and `killed_writer` looked at what stood then.
    assert recoveries["old or new"] > 100
    assert over_none.keys() == {"nothing", "new"}
