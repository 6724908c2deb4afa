"""Run every proof of tests/formal and write the section 'Proofs' of docs/results/trust.md.

python bench/proofs.py
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

from page_section import with_section

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "results" / "trust.md"
TEXT = """## Proofs

SymbiYosys with the solver Yices; `make formal` runs them, and so does the suite. `prove` holds for
ever, whatever comes at the inputs, by k-induction with k = depth; `bmc` holds in the first `depth`
clocks. A reset may come at any clock unless the configuration says otherwise. Each seeded bug is a
change of the component's source that breaks the property within the depth that its test gives;
another test shows that the assumptions can be met. Seconds are of one processor, for the proof
alone.

| component | property | mode, depth | configuration | seconds | seeded bugs, each noticed |
|---|---|---|---|---:|---|
"""


def recorded(report: Path) -> list[dict[str, str]]:
    """Return what each test recorded of itself."""
    tests = []
    for case in ElementTree.parse(report).iter("testcase"):
        found = {item.get("name", ""): item.get("value", "") for item in case.iter("property")}
        if "kind" in found:
            tests.append(found)
    return tests


def _code(text: str) -> str:
    return "`" + text.replace("|", "\\|").replace("`", "'") + "`"


def table(tests: list[dict[str, str]]) -> str:
    """Return a row for each proof."""
    rows = []
    for text in dict.fromkeys(test["property"] for test in tests):
        named = [test for test in tests if test["property"] == text]
        proofs = [test for test in named if test["kind"] == "proof"]
        bugs = "<br>".join(
            f"{_code(bug['sound'])} → {_code(bug['broken'])}"
            for bug in named
            if bug["kind"] == "bug"
        )
        depths = " and ".join(dict.fromkeys(proof["depth"] for proof in proofs))
        seconds = sum(float(proof["seconds"]) for proof in proofs)
        mode, first = f"{proofs[0]['mode']}, {depths}", proofs[0]
        claim = text.replace("|", "\\|")
        cells = first["component"], claim, mode, first["configuration"], f"{seconds:.1f}", bugs
        rows.append(f"| {' | '.join(cells)} |\n")
    return "".join(rows)


def main() -> None:
    """Run every proof and write the section."""
    with tempfile.TemporaryDirectory() as directory:
        report = Path(directory) / "report.xml"
        pytest = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-n",
            "0",
            f"--junitxml={report}",
            "-o",
            "junit_family=xunit1",
        ]
        subprocess.run(
            [*pytest, "tests/formal", "--ignore=tests/formal/test_trust_table.py"],
            cwd=ROOT,
            check=True,
        )
        tests = recorded(report)
    if not tests:
        sys.exit("no proof ran: pip install 'darb[formal]'")
    seconds = sum(float(test["seconds"]) for test in tests)
    bugs = sum(test["kind"] == "bug" for test in tests)
    summary = (
        f"\n{bugs} seeded bugs are noticed; all of it takes {seconds:.0f} s of one processor.\n"
    )
    page = PAGE.read_text() if PAGE.exists() else "# Trust\n"
    PAGE.write_text(with_section(page, "proofs", (TEXT, table(tests), summary)))


if __name__ == "__main__":
    main()
