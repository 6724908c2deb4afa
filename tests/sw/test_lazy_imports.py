import subprocess
import sys

import pytest

import darb.sw

HEAVY = ("torch", "amaranth", "numpy", "matplotlib", "sklearn", "cocotb", "rich")


def output_of(program):
    command = [sys.executable, "-c", program]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def loaded_after(program):
    script = f"{program}; import sys; print(*(m for m in {HEAVY!r} if m in sys.modules))"
    return output_of(script).splitlines()[-1].split()


def test_the_command_line_imports_nothing_heavy():
    assert loaded_after("import darb.sw.cli") == []


def test_help_needs_neither_torch_nor_amaranth():
    program = "from darb.sw.cli import app; app(['--help'], standalone_mode=False)"
    assert set(loaded_after(program)) <= {"rich"}


def test_inspecting_needs_neither_torch_nor_amaranth():
    assert set(loaded_after("import darb.sw.inspection")) == {"numpy"}


@pytest.mark.parametrize("name", darb.sw.__all__)
def test_every_name_is_there(name):
    assert getattr(darb.sw, name).__name__ == name


@pytest.mark.parametrize("order", ["import darb.sw.quantization, darb.sw.exporting; ", ""])
def test_functions_are_not_hidden_by_modules_of_their_name(order):
    program = f"{order}from darb.sw import prune, quantize, export; print(prune, quantize, export)"
    assert output_of(program).count("<function ") == 3


def test_other_names_are_refused():
    with pytest.raises(AttributeError, match=r"^module 'darb.sw' has no attribute 'nothing'$"):
        darb.sw.nothing  # noqa: B018
    assert {"prune", "export"} <= set(dir(darb.sw))
