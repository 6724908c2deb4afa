"""Stands for a cocotb bench: one simulator process, forked once for each mutant before clock 0.

Python, cocotb and the bench are loaded once, which takes ten times as long as most mutants run. A
child is in its own directory before the simulator reads a file, and goes on as the bench itself;
the parent, when all are done, does so too, with the sound design.
"""

import ctypes
import importlib
import json
import os
import resource
import signal
import sys
from pathlib import Path

from cocotb import _shutdown

_MOST_SECONDS, _PATIENCE_SECONDS = 60, 900
"""Of a child's processor time, and of a clock on the wall: a mutant whose zero-delay loop never
settles reaches no clock."""

orders = json.loads(Path(os.environ["MUTATION_ORDERS"]).read_text())
bench = importlib.import_module(orders["module"])


def leave() -> None:
    """End at once: the threads that Verilator waits for at its end are the parent's."""
    sys.stdout.flush()
    ctypes.CDLL(None).fflush(None)
    os._exit(0)


def become(run: dict) -> None:
    """Be the simulator of one mutant."""
    os.chdir(run["directory"])
    os.environ.update(run["environment"], COCOTB_RESULTS_FILE="results.xml")
    log = os.open("run.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(log, stream)
    resource.setrlimit(resource.RLIMIT_CPU, (_MOST_SECONDS, _MOST_SECONDS))
    signal.alarm(_PATIENCE_SECONDS)
    _shutdown.register(leave)


for run in orders["runs"]:
    sys.stdout.flush()
    child = os.fork()
    if not child:
        become(run)
        break
    os.waitpid(child, 0)

globals().update({name: value for name, value in vars(bench).items() if not name.startswith("__")})
