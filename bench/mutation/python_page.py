"""The section 'Mutants of the Python' of docs/results/trust.md."""

from __future__ import annotations

import json
import platform
from collections import Counter, defaultdict
from importlib.metadata import version
from pathlib import Path

from python_tests import ENOUGH, SLOW

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "results" / "trust.md"
JUDGED = Path(__file__).with_name("python_survivors.json")
BEGIN, END = "<!-- mutation-python -->\n", "<!-- /mutation-python -->\n"
TEXT = """## Mutants of the Python

cosmic-ray's operators (arithmetic, comparisons, `not`, `and`/`or`, True/False, numbers one more
and one less, loops that never run, `break`/`continue`, exception handlers, decorators) at every
place of `golden/` that computes; strings, docstrings and annotations are no such places, and `==`
is not exchanged for `is`. {drawn} mutants of {candidates} are drawn with seed {seed}: each file by
the number of its candidates, a place first, then one of the changes there.

Each mutant is run against those of {quick} tests in `tests/golden` that run the changed statement,
as coverage.py saw them do, or where only an import runs it those that touch the file and brief
ones, until one fails: the file's own tests, then {enough:.0f} seconds of the others, the quickest
first. {slow} tests that take more than {seconds:.0f} seconds are left out. A test that takes five
times its processor time and three seconds more has noticed it too.

Nothing proves Python alike: what is set aside was read, and the list below says why it can make no
difference; the score leaves it out. What survived at first and was a hole has tests now that were
written for it, so the score is that of these mutants; `python bench/mutation/python.py --seed N
--no-page` draws others.

| file | candidates | mutants | noticed | timed out | set aside | survivors | score |
|---|---:|---:|---:|---:|---:|---:|---:|
"""


def judged() -> dict[tuple[str, str, str, str], dict]:
    """Return what was read, by file, operator, line and changed line."""
    entries = json.loads(JUDGED.read_text())
    return {_key(entry): entry for entry in entries}


def _key(entry: dict) -> tuple[str, str, str, str]:
    return entry["file"], entry["operator"], entry["line"], entry["becomes"]


def kinds(results: list[dict]) -> list[str]:
    """Return of each result: noticed, timed out, set aside or survivor."""
    words = judged()
    found = []
    for result in results:
        kind = result["outcome"]
        if kind == "survived":
            word = words.get(_key(result))
            kind = "set aside" if word is not None and word["harmless"] else "survivor"
        found.append(kind)
    return found


def score(counts: Counter) -> float | None:
    """Return the percentage of the mutants, less those set aside, that were noticed."""
    noticed = counts["noticed"] + counts["timed out"]
    judged = noticed + counts["survivor"]
    return 100 * noticed / judged if judged else None


def _row(name: str, candidates: int, counts: Counter) -> str:
    percent = score(counts)
    cells = (
        name,
        f"{candidates:,}",
        counts.total(),
        counts["noticed"],
        counts["timed out"],
        counts["set aside"],
        counts["survivor"],
        "" if percent is None else f"{percent:.1f} %",
    )
    return f"| {' | '.join(map(str, cells))} |\n"


def _code(text: str) -> str:
    return "`" + text.replace("|", "\\|").replace("`", "'") + "`" if text else "nothing"


def _list(title: str, results: list[dict]) -> str:
    if not results:
        return f"\n{title}: none.\n"
    words = judged()
    rows = []
    for result in results:
        word = words.get(_key(result), {}).get("word", "not read yet")
        cells = _code(result["file"]), _code(result["line"]), _code(result["becomes"]), word
        rows.append(f"| {' | '.join(cells)} |\n")
    return f"\n{title}:\n\n| file | line | becomes | why |\n|---|---|---|---|\n" + "".join(rows)


def section(
    results: list[dict], candidates: dict[str, int], *, seed: int, seconds: dict[str, float]
) -> str:
    """Return the text of the section.

    Parameters
    ----------
    results : list of dict
        From `python_campaign.campaign`.
    candidates : dict of str to int
        How many mutants each file has.
    seed : int
    seconds : dict of str to float
        Of each test.
    """
    of_file: dict[str, Counter] = defaultdict(Counter)
    groups: dict[str, list[dict]] = defaultdict(list)
    for result, kind in zip(results, kinds(results), strict=True):
        of_file[result["file"]][kind] += 1
        groups[kind].append(result)
    total = sum(of_file.values(), Counter())
    slow = sum(each > SLOW for each in seconds.values())
    text = TEXT.format(
        drawn=len(results),
        candidates=f"{sum(candidates.values()):,}",
        seed=seed,
        quick=f"{len(seconds) - slow:,}",
        slow=slow,
        seconds=SLOW,
        enough=ENOUGH,
    )
    text += "".join(_row(f"`{file}`", candidates[file], counts) for file, counts in of_file.items())
    text += _row("all", sum(candidates.values()), total)
    text += _list("Survivors", groups["survivor"])
    text += _list("Set aside by reading", groups["set aside"])
    minutes = sum(result["cpu"] for result in results) / 60
    used = ", ".join(f"{name} {version(name)}" for name in ("cosmic-ray", "coverage", "pytest"))
    return text + (
        f"\n{minutes:.0f} minutes of one processor, on Python {platform.python_version()} "
        f"with {used}.\n"
    )


def write(text: str) -> None:
    """Replace the section between its two marks, or add it at the end of the page."""
    page = PAGE.read_text() if PAGE.exists() else "# Trust\n"
    before, mark, rest = page.partition(BEGIN)
    after = rest.partition(END)[2] if mark else ""
    head = before if mark else before.rstrip("\n") + "\n\n"
    PAGE.write_text(head + BEGIN + text + END + after)
