"""docs/results/trust.md: every test that it names exists, and every row says what notices."""

import re

import pytest
from documents import ROOT

DOCUMENT = ROOT / "docs" / "results" / "trust.md"
FAULTS = DOCUMENT.read_text().partition("## Faults tried and noticed\n")[2].partition("\n## ")[0]
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", DOCUMENT.read_text())))
ROWS = re.findall(r"^\| (?!fault |---)(.*) \|$", FAULTS, re.MULTILINE)


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_a_test_that_is_named_exists(path, name):
    text = (ROOT / path).read_text()
    wanted = name or r"test_\w+"
    assert re.search(rf"^(?:async )?def {wanted}\(", text, re.MULTILINE)


def test_every_row_has_a_test_a_number_of_cases_and_what_notices():
    assert len(ROWS) > 40
    for row in ROWS:
        fault, where, cases, notices = row.split(" | ")
        assert fault, row
        assert notices, row
        assert re.fullmatch(r"`tests/[\w/]+\.py::\w+`", where), row
        assert re.fullmatch(r"[\d,]+( \w+)?", cases), row
