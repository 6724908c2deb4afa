"""How long the command line takes to answer, against its limit.

Run it with ``python bench/command_line.py``: it prints the fastest and the median of ten runs of
``darb --help`` in seconds, and each as a share of half a second.
"""

import shutil
import statistics
import subprocess
import time

LIMIT = 0.5
RUNS = 10


def seconds(command: list[str]) -> float:
    """Return the wall-clock time of one run."""
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - began


def main() -> None:
    """Measure and print."""
    program = shutil.which("darb")
    if program is None:
        raise SystemExit("darb is not on PATH: source .venv/bin/activate")
    times = [seconds([program, "--help"]) for _ in range(RUNS)]
    for name, value in (("fastest", min(times)), ("median", statistics.median(times))):
        print(f"darb --help, {name} of {RUNS}: {value:.3f} s, {value / LIMIT:.0%} of {LIMIT} s")


if __name__ == "__main__":
    main()
