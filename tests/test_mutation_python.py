"""The mutation of golden's Python: its mutants, its draw, its runs and its section."""

import importlib
import json
from collections import Counter
from pathlib import Path

import pytest

pytest.importorskip("cosmic_ray", reason="needs darb[mutation]")
pytest.importorskip("coverage", reason="needs darb[mutation]")

BENCH = Path(__file__).parents[1] / "bench" / "mutation"
FILE, TESTS = "golden/ceiling.py", "tests/golden/test_ceiling.py"
SOURCE = '''"""Ceilings."""

from __future__ import annotations

LEAST: int = 1


def ceiling(value: int | None, unit: int, *, count: int = LEAST) -> int:
    """Return 2 + 2 in no case."""
    while value % unit != 0:
        value += 1
    return max(value, count)
'''
WEAK = """from darb.golden.ceiling import ceiling


def test_a_multiple():
    assert ceiling(8, 4) == 8


def test_the_next_multiple():
    assert ceiling(7, 4) == 8
"""
PROJECT = '[tool.setuptools.package-dir]\n"darb.golden" = "golden"\n'


@pytest.fixture
def bench(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCH))
    return importlib.import_module


@pytest.fixture
def tree(tmp_path):
    """Return a project of one module with tests that leave something out."""
    files = {"pyproject.toml": PROJECT, FILE: SOURCE, TESTS: WEAK, "golden/__init__.py": ""}
    for name, text in files.items():
        path = tmp_path / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "tree"


def changes(bench, operator=""):
    """Return the changed line of each mutant of the file, and the mutant."""
    mutants = bench("python_mutants")
    found = {}
    for mutant in mutants.candidates(FILE, SOURCE):
        source = mutants.mutated(SOURCE, mutant)
        if source is not None and mutant.operator.startswith(operator):
            found[mutants.change(SOURCE, source)[1]] = (mutant, SOURCE, source)
    return found


def test_every_place_that_computes_is_changed_and_nothing_else(bench):
    found = changes(bench)
    assert "LEAST: int = 2" in found
    assert "value -= 1" not in found
    assert "while value // unit != 0:" in found
    assert "while value % unit < 0:" in found
    assert "while not value % unit != 0:" in found
    # Neither docstring, nor annotation, nor the star of the parameters, nor `is` for `!=`.
    kept = [line for line in SOURCE.splitlines() if "def " in line or '"""' in line]
    for line in kept:
        for mutant, _, source in found.values():
            assert line in source.splitlines(), mutant
    assert not any(" is " in line for line in found)


def test_a_draw_takes_places_first_and_grows(bench):
    sample, mutants = bench("python_sample"), bench("python_mutants")
    stratum = sample.Stratum(FILE, SOURCE, tuple(mutants.candidates(FILE, SOURCE)))
    few, more = (list(sample.draw(stratum, count, seed=1)) for count in (5, 12))
    assert more[:5] == few
    assert len({mutant.place for mutant, _ in few}) == 5
    assert list(sample.draw(stratum, 5, seed=2)) != few
    everything = list(sample.draw(stratum, 10**6, seed=1))
    assert len(everything) == len({source for _, source in everything}) > 20
    assert sample.quotas({"a": 1000, "b": 10, "c": 1}, 100) == {"a": 99, "b": 2, "c": 1}


def test_what_weak_tests_leave_out_survives_and_is_known_the_next_time(
    bench, tree, tmp_path, monkeypatch
):
    campaign, tests = bench("python_campaign"), bench("python_tests")
    campaign.prepare(tree)
    recorded = tests.record(tree, "golden", "tests/golden", tmp_path)
    multiple, following = f"{TESTS}::test_a_multiple", f"{TESTS}::test_the_next_multiple"
    lines = SOURCE.splitlines()
    assert set(recorded.seconds) == {multiple, following}
    assert recorded.lines[FILE][1 + lines.index("        value += 1")] == {following}
    assert 1 + lines.index("LEAST: int = 1") not in recorded.lines[FILE]

    found = changes(bench)
    # Counting by two never meets a multiple of four from seven on.
    wanted = ("value += 2", "while value % unit == 0:", "LEAST: int = 2")
    monkeypatch.setattr(campaign, "SPARE", 0.5)
    planned, runs = [found[line] for line in wanted], tmp_path / "runs"
    endless, wrong, left_out = results = list(campaign.campaign([tree], recorded, planned, runs))
    assert (endless["outcome"], endless["by"], endless["ran"]) == ("timed out", following, 1)
    assert (wrong["outcome"], wrong["line"]) == ("noticed", "while value % unit != 0:")
    assert (left_out["outcome"], left_out["by"], left_out["ran"]) == ("survived", None, 2)
    assert left_out["becomes"] == "LEAST: int = 2"
    assert (tree / FILE).read_text() == SOURCE

    with monkeypatch.context() as nothing_runs:
        nothing_runs.setattr(campaign, "run", None)
        nothing_runs.setattr(tests, "_observe", None)
        assert tests.record(tree, "golden", "tests/golden", tmp_path) == recorded
        assert list(campaign.campaign([tree], recorded, planned, runs)) == results
        # Another test may notice what survived; what was noticed stays noticed.
        more = tests.Tests({**recorded.seconds, "tests/golden/test_more.py::test": 0.0}, {})
        (tree / "tests/golden/test_more.py").write_text("def test(): assert True\n")
        assert list(campaign.campaign([tree], more, planned[:2], runs)) == results[:2]
        with pytest.raises(TypeError, match="'NoneType' object is not callable"):
            list(campaign.campaign([tree], more, planned[2:], runs))

    page = bench("python_page")
    monkeypatch.setattr(page, "JUDGED", tmp_path / "judged.json")
    monkeypatch.setattr(page, "PAGE", tmp_path / "trust.md")
    page.JUDGED.write_text("[]")
    assert Counter(page.kinds(results)) == {"timed out": 1, "noticed": 1, "survivor": 1}
    page.PAGE.write_text("# Trust\n\nBefore.\n")
    for _ in range(2):
        page.write(page.section(results, {FILE: 44}, seed=1, seconds=recorded.seconds))
    text = page.PAGE.read_text()
    assert text.startswith(
        "# Trust\n\nBefore.\n\n<!-- mutation-python -->\n## Mutants of the Python"
    )
    assert f"| `{FILE}` | 44 | 3 | 1 | 1 | 0 | 1 | 66.7 % |" in text
    assert f"| `{FILE}` | `LEAST: int = 1` | `LEAST: int = 2` | not read yet |" in text
    assert text.count("<!-- /mutation-python -->\n") == 1
    entry = {name: left_out[name] for name in ("file", "operator", "line", "becomes")}
    page.JUDGED.write_text(json.dumps([{**entry, "harmless": True, "word": "no value is 1"}]))
    assert (
        page.section(results, {FILE: 44}, seed=1, seconds=recorded.seconds).count(
            "| no value is 1 |"
        )
        == 1
    )
    assert page.score(Counter(page.kinds(results))) == 100


def test_tests_that_fail_as_they_are_are_told(bench, tree):
    (tree / TESTS).write_text("def test_wrong(): assert 1 == 2\n")
    bench("python_campaign").prepare(tree)
    with pytest.raises(RuntimeError, match=r"(?s)the unchanged tree must pass, not '.*test_wrong"):
        bench("python_tests").record(tree, "golden", "tests/golden", tree / "runs")


def test_what_was_read_is_about_lines_that_are_there():
    for entry in json.loads((BENCH / "python_survivors.json").read_text()):
        assert set(entry) == {"file", "operator", "line", "becomes", "harmless", "word"}
        source = " ".join((BENCH.parents[1] / entry["file"]).read_text().split())
        assert entry["line"] in source, entry
        assert len(entry["word"]) > 10, entry
