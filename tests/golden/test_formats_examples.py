"""The examples in the docstrings of the formats."""

import doctest
import importlib

import pytest


@pytest.mark.parametrize("name", ["bsr", "csr", "relative_csc"])
def test_examples(name):
    result = doctest.testmod(importlib.import_module(f"darb.golden.formats.{name}"))
    assert result.attempted >= 3
    assert not result.failed
