import dataclasses
import importlib
import inspect
import pkgutil

import pytest

import darb.golden
from darb.golden import OutputMode
from darb.golden.baselines import (
    BsrConfig,
    CsrConfig,
    RelativeCscConfig,
    fit_bsr,
    fit_csr,
    fit_relative_csc,
)

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

NUMBERS = {"weight_bits": 8, "activation_bits": 8}
ENGINE = {**NUMBERS, "accumulator_bits": 32, "output_mode": OutputMode.ACCUMULATORS}
RIVAL = {**ENGINE, "beat": 1, "relu": False}
DEFAULTS = {
    "BaselineConfig": RIVAL,
    "BlockRowConfig": {**RIVAL, "queue_depth": 16},
    "Bsr": {"weight_bits": 8},
    "BsrConfig": {**RIVAL, "queue_depth": 16, "blocks_a_step": 1},
    "Csr": {"weight_bits": 8},
    "CsrConfig": {**RIVAL, "queue_depth": 16},
    "EngineConfig": {**ENGINE, "index_word_bits": 12, "max_k": 6},
    "Frame": {"payload": b""},
    "Image": {"input_scale": 1.0, "output_scales": ()},
    "IntegerLayer": {"align": 1},
    "IntegerNetwork": {**NUMBERS, "input_scale": 1.0, "output_scales": ()},
    "Pattern": {"keep": 1},
    "RelativeCsc": {"weight_bits": 8, "index_bits": 4, "by_rows": False},
    "RelativeCscConfig": {**RIVAL, "queue_depth": 8, "index_bits": 4},
    "Segments": {"align": 1},
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


@pytest.mark.parametrize("name", sorted(DEFAULTS))
def test_defaults(name):
    fields = {field.name: field.default for field in dataclasses.fields(RECORDS[name])}
    assert {field: fields[field] for field in DEFAULTS[name]} == DEFAULTS[name]


@pytest.mark.parametrize(
    ("fit", "kind"),
    [(fit_csr, CsrConfig), (fit_bsr, BsrConfig), (fit_relative_csc, RelativeCscConfig)],
)
def test_a_fit_has_the_defaults_of_its_config_and_seeks_the_narrowest_beat(fit, kind):
    defaults = {field.name: field.default for field in dataclasses.fields(kind)}
    found = {
        name: parameter.default
        for name, parameter in inspect.signature(fit).parameters.items()
        if parameter.default not in (inspect.Parameter.empty, None)
    }
    assert found == {name: defaults[name] for name in found}
    assert {*NUMBERS, "queue_depth", "output_mode"} <= found.keys()
    assert inspect.signature(fit).parameters["beat"].default is None
