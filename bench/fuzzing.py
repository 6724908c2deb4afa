"""Run `darb fuzz` and write the section 'Fuzzing' of docs/results/trust.md.

python bench/fuzzing.py --minutes 30 --seed 1
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from page_section import with_section

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "build" / "fuzzing"
PAGE = ROOT / "docs" / "results" / "trust.md"
TEXT = """## Fuzzing

`darb fuzz` draws engines, networks and stimuli at random, edges of every number among them, and
compares plain integer arithmetic, the golden model, Amaranth's simulator, Verilator and Icarus, bit
for bit and clock for clock; [docs/verification.md](../verification.md) says how. That it finds what
is broken on purpose, and makes it small, is tested by `tests/hw/test_fuzzing.py` and
`tests/sw/test_cli_fuzz.py`.

"""
COMMAND = "darb fuzz --minutes {minutes:g} --seed {seed}"


def section(report: dict) -> str:
    """Return the section that tells of a run.

    Parameters
    ----------
    report : dict
        Of ``fuzz.json``.
    """
    tools = report["tools"]
    clocks = ", ".join(f"{count:,} in {name}" for name, count in report["clocks"].items())
    simulators = [tools[name] for name in ("verilator", "icarus") if name in tools]
    rows = [
        ("command", f"`{COMMAND.format(**report)}`"),
        ("minutes", f"{report['seconds'] / 60:.1f}"),
        *((name, f"{report[name]:,}") for name in ("cases", "networks", "runs", "vectors")),
        ("clocks compared", clocks),
        ("simulators", ", ".join([f"Amaranth {tools['amaranth']}", *simulators])),
        ("mismatches", str(report["mismatches"])),
    ]
    lines = [f"| {name} | {value} |\n" for name, value in rows]
    return TEXT + "| | |\n|---|---|\n" + "".join(lines)


def main() -> None:
    """Fuzz and write the section; a mismatch writes nothing and ends with darb's own status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=OUT, help="for fuzz.json and what fails")
    given = parser.parse_args()
    darb = Path(sys.executable).with_name("darb")
    options = ["--minutes", f"{given.minutes:g}", "--seed", str(given.seed)]
    done = subprocess.run([darb, "fuzz", *options, "--out", given.out], check=False)
    if done.returncode:
        sys.exit(done.returncode)
    report = json.loads((given.out / "fuzz.json").read_text())
    PAGE.write_text(with_section(PAGE.read_text(), "fuzz", section(report)))


if __name__ == "__main__":
    main()
