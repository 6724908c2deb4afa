"""A case in a file: read as it was written, or refused."""

import json

import numpy as np
import pytest
from fuzz_cases import as_text, small_case

from darb.hw.fuzzing.case_file import Reproduction, read_case, write_case
from darb.hw.fuzzing.comparison import Mismatch
from darb.hw.fuzzing.random_case import random_case


def test_a_case_survives_its_file(tmp_path):
    case = random_case(3, 2)
    found = Mismatch("icarus", "clocks", "run 0, 1 in 2 vectors")
    write_case(tmp_path / "case.json", Reproduction(case, 3, 2, (found,), {"python": "3"}))
    again = read_case(tmp_path / "case.json")
    assert (again.seed, again.index, again.mismatches) == (3, 2, (found,))
    assert again.tools == {"python": "3"}
    assert as_text(again.case, tmp_path / "b") == as_text(case, tmp_path / "a")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v.pop("format"), "case.json must be a file that darb fuzz wrote, of format "),
        (lambda v: v.pop("runs"), "case.json: runs is missing"),
        (lambda v: v.update(runs=[]), "case.json: a case must have at least one run, not ()"),
        (lambda v: v["runs"][0].update(network=1), "run 0 must name a network in 0..0, not 1"),
        (lambda v: v["runs"][0].update(vectors=[[1] * 9]), "must have shape (B, 5), not (1, 9)"),
        (
            lambda v: v["runs"][0].update(vectors=np.zeros((0, 5)).tolist()),
            "input vectors must have shape (B, 5), not (0,)",
        ),
        (lambda v: v["config"].update(lanes=3), "case.json: lanes must be a power of two, not 3"),
        (lambda v: v.update(storage="disk"), "case.json: 'disk' is not a valid Storage"),
        (lambda v: v.update(networks=7), "case.json: 'int' object is not iterable"),
        (lambda v: v.update(memory_check=1), "case.json: memory_check must be a bool, not 1"),
        (
            lambda v: v["runs"][0].update(vectors=[[1, 2, 3, 4, 5.5]]),
            "case.json: vectors must be integers, not float64",
        ),
        (
            lambda v: v["networks"][0]["layers"][0].update(bias=[0.5] * 4),
            "case.json: bias must be integers, not float64",
        ),
    ],
)
def test_files_that_are_none(tmp_path, change, message):
    path = tmp_path / "case.json"
    write_case(path, Reproduction(small_case(), 0, 0, (), {}))
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))
    with pytest.raises(ValueError, match=r"case\.json") as caught:
        read_case(path)
    assert message in str(caught.value)


def test_a_file_too_deep_is_none(tmp_path):
    path = tmp_path / "case.json"
    path.write_text("[" * 100_000)
    with pytest.raises(ValueError, match=r"case\.json must be a file that darb fuzz wrote"):
        read_case(path)
