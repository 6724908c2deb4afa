import dataclasses
import importlib
import inspect
import pkgutil

import pytest

import darb.golden

VALUES = {
    "BaselineConfig",
    "BlockRowConfig",
    "BsrConfig",
    "CsrConfig",
    "EngineConfig",
    "Frame",
    "IntegerNetwork",
    "Outcome",
    "Pattern",
    "RelativeCscConfig",
    "Segments",
    "StorageBits",
    "VectorSchedule",
}
"""Equal if their fields are."""
BY_KEYWORD = {
    "BaselineConfig",
    "BlockRowConfig",
    "Bsr",
    "BsrConfig",
    "Csr",
    "CsrConfig",
    "EngineConfig",
    "IntegerLayer",
    "IntegerNetwork",
    "Outcome",
    "RelativeCsc",
    "RelativeCscConfig",
    "StorageBits",
}


def records():
    """Every dataclass of darb.golden, by name."""
    found = {}
    for info in pkgutil.walk_packages(darb.golden.__path__, "darb.golden."):
        for name, kind in vars(importlib.import_module(info.name)).items():
            if isinstance(kind, type) and dataclasses.is_dataclass(kind):
                found[name] = kind
    return found


RECORDS = records()


@pytest.mark.parametrize("name", sorted(RECORDS))
def test_a_record_is_frozen(name):
    kind = RECORDS[name]
    record = object.__new__(kind)
    for field in dataclasses.fields(kind):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(record, field.name, 0)


def test_values_are_equal_if_their_fields_are_and_arrays_are_not_compared():
    compared = {name for name, kind in RECORDS.items() if kind.__eq__ is not object.__eq__}
    assert compared >= VALUES
    for name in compared - {"IntegerLayer"}:  # whose own comparison is of whole arrays
        assert not any("NDArray" in str(field.type) for field in dataclasses.fields(RECORDS[name]))


def test_records_of_many_fields_are_made_by_keyword_alone():
    keyword = inspect.Parameter.KEYWORD_ONLY
    found = {
        name
        for name, kind in RECORDS.items()
        if all(p.kind is keyword for p in inspect.signature(kind).parameters.values())
    }
    assert found >= BY_KEYWORD
