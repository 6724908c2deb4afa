"""Proofs skip where their tools are absent."""

from __future__ import annotations

import pytest
from formal_proof import Checker, missing_tools


@pytest.fixture
def checker(tmp_path, request):
    missing = missing_tools()
    if missing:
        pytest.skip(f"{missing[0]} is missing: pip install 'darb[formal]'")
    # What `record_property` does, which warns under pytest's newer form of the report.
    properties = request.node.user_properties
    return Checker(tmp_path, lambda name, value: properties.append((name, value)))
