"""Proofs skip where their tools are absent."""

from __future__ import annotations

import pytest
from formal_proof import Checker, missing_tools


@pytest.fixture
def checker(tmp_path, record_property):
    missing = missing_tools()
    if missing:
        pytest.skip(f"{missing[0]} is missing: pip install 'darb[formal]'")
    return Checker(tmp_path, record_property)
