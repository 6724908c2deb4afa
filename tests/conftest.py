"""What the whole suite shares: tests skip where a tool or data is absent, and the run says so."""

from __future__ import annotations

import os
import shutil

import pytest
from hypothesis import settings

# Threads of NumPy and torch fight for the cores that pytest-xdist has already handed out.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# The same examples on every machine: a failure that CI shows can be seen at home.
settings.register_profile("suite", deadline=None, derandomize=True, database=None)
settings.register_profile("explore", deadline=None, print_blob=True, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))

_ICARUS_MISSING = "Icarus Verilog (iverilog) is not on PATH"


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("icarus") and shutil.which("iverilog") is None:
        pytest.skip(_ICARUS_MISSING)
    if item.get_closest_marker("mnist") and not os.environ.get("DARB_MNIST_DIR"):
        pytest.skip("DARB_MNIST_DIR does not name a directory with the MNIST files")
    if item.get_closest_marker("fsdd") and not os.environ.get("DARB_FSDD"):
        pytest.skip("DARB_FSDD does not name the file of the Free Spoken Digit Dataset")


class _SkippedForIcarus:
    """Counts on the controlling process, where the reports of every worker arrive."""

    def __init__(self) -> None:
        self.count = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped and _ICARUS_MISSING in str(report.longrepr):
            self.count += 1

    def pytest_unconfigure(self, config: pytest.Config) -> None:
        reporter = config.pluginmanager.get_plugin("terminalreporter")
        if self.count and reporter is not None:
            reporter.write_line(
                f"skipped {self.count}: {_ICARUS_MISSING}; apt-get install iverilog"
            )


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(_SkippedForIcarus())
