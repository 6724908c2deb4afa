"""docs/results/trust.md lists every proof with its seeded bugs, as the files here say them."""

import importlib
from pathlib import Path

import pytest
from documents import ROOT
from formal_proof import Claim

FILES = sorted(path.stem for path in Path(__file__).parent.glob("test_*.py"))
PAGE = (ROOT / "docs" / "results" / "trust.md").read_text()
ROWS = [row for row in PAGE.partition("## Proofs\n")[2].splitlines() if row.startswith("| ")]


@pytest.mark.parametrize("name", [name for name in FILES if name != Path(__file__).stem])
def test_every_proof_is_listed(name):
    module = importlib.import_module(f"formal.{name}")
    claims = [value for value in vars(module).values() if isinstance(value, Claim)]
    assert claims
    for claim in claims:
        text = claim.property.replace("|", "\\|")
        assert any(claim.component in row and text in row for row in ROWS), claim
    bugs = [bug for key, value in vars(module).items() if key.endswith("BUGS") for bug in value]
    assert bugs
    for sound, broken in bugs:
        pair = f"`{sound}` → `{broken}`".replace("|", "\\|")
        assert any(pair in row for row in ROWS), (sound, broken)
