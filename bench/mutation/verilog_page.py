"""The section of docs/results/trust.md on mutants of the generated Verilog."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mutant_run import Fate

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "results" / "trust.md"
WORDS = Path(__file__).with_name("verilog_survivors.json")
BEGIN, END = "<!-- mutation-verilog -->\n", "<!-- /mutation-verilog -->\n"
_AFTER = "<!-- /proofs -->\n"
_TEXT = """## Mutants of the Verilog

`make mutation` draws single changes of the generated Verilog with yosys' `mutate`, evenly over
modules, cells, wires and bits: a bit of a cell's pin stuck at 0 or 1, inverted, or inverted where
another bit of the pin is 0 or 1. All mutants of a design are in one netlist and one
Verilator build, in which a file chooses one; without any the benches must pass. The benches are
those of the suite, unchanged: `tests/hw/test_simulation.py`, `tests/hw/test_loading_simulation.py`,
`tests/hw/test_register_simulation.py` and `tests/hw/test_board_frames.py` run them too, though on
smaller networks than some of those here. A mutant
that makes the simulation run for more than three times the sound design's clocks is noticed, as a
hang. Clocks and first contents of memories are not changed, and `darb_rom`, whose words come from
files, only at its pins.

The board's engine is behind gates that let its registers answer at other times in each access, so
that the host link must wait for them; the suite runs the board with and without.

A mutant that no bench notices is harmless if yosys proves it so: with the same state and the same
inputs, the outputs and the next state are the same, in its module alone or in the whole design, the
contents of memories any; or the module's outputs are the same in every clock from the first on, by
induction. The others are holes in the tests, or listed below.

"""
_COUNT = {
    "cocotb_bench": "streams",
    "cocotbext_bench": "packets",
    "cocotbext_loading_bench": "loading",
    "cocotbext_registers_bench": "registers",
    "board_frames_bench": "serial line",
}


@dataclass(frozen=True)
class Judged:
    """A mutant's end.

    Parameters
    ----------
    design : str
    fate : Fate
    proof : str, optional
        What `equivalence.proof` says of one that no bench noticed.
    """

    design: str
    fate: Fate
    proof: str | None

    @property
    def component(self) -> str:
        """The mutated module's place in its design, copies of it taken together."""
        module = self.fate.mutant.module
        if module == "darb_mutated":
            return "board core" if self.design == "board" else "AXI top"
        place = re.sub(r"_\d+\b|\$\d+\b|\binner\.", "", module.rpartition("\\")[2])
        return place.removeprefix("darb_engine.")

    @property
    def survives(self) -> bool:
        """Whether it is neither noticed nor proven harmless."""
        return self.fate.bench is None and self.proof is None


def score(judged: Sequence[Judged]) -> float:
    """Return the share of mutants that are noticed, in per cent, the harmless ones set aside."""
    noticed = sum(each.fate.bench is not None for each in judged)
    counted = sum(each.proof is None for each in judged)
    return 100 * noticed / counted if counted else 100.0


def _row(name: str, judged: Sequence[Judged]) -> str:
    benches = [sum(each.fate.bench == bench for each in judged) for bench in _COUNT]
    hangs = sum(each.fate.notice is not None and each.fate.notice.kind == "hang" for each in judged)
    harmless = sum(each.proof is not None for each in judged)
    survivors = sum(each.survives for each in judged)
    cells = [name, len(judged), *benches, hangs, harmless, survivors, f"{score(judged):.1f} %"]
    return f"| {' | '.join(str(cell) if cell != 0 else '' for cell in cells)} |\n"


def table(judged: Sequence[Judged]) -> str:
    """Return a row for each component, and one for all."""
    names = ["component", "mutants", *_COUNT.values(), "hangs", "harmless", "survive", "score"]
    head = f"| {' | '.join(names)} |\n|---|{'---:|' * (len(names) - 1)}\n"
    rows = [
        _row(f"`{component}`", [each for each in judged if each.component == component])
        for component in sorted({each.component for each in judged})
    ]
    return head + "".join(rows) + _row("all", judged)


def survivors(judged: Sequence[Judged], words: Mapping[str, str]) -> str:
    """Return the list of survivors, with a word on each."""
    lines = [
        f"- {each.design}: `{each.fate.mutant}`: {words.get(key(each), 'not looked at yet')}.\n"
        for each in judged
        if each.survives
    ]
    if not lines:
        return "No mutant survives.\n"
    return "These survive, a mutant's pin, its wire and its change first:\n\n" + "".join(lines)


def key(judged: Judged) -> str:
    """Return what names a survivor in the file of words."""
    return f"{judged.design}: {judged.fate.mutant.options}"


def section(judged: Sequence[Judged], *, seconds: float, tools: Sequence[str], seed: int) -> str:
    """Return the whole section."""
    words = json.loads(WORDS.read_text()) if WORDS.exists() else {}
    noticed = sum(each.fate.bench is not None for each in judged)
    harmless = sum(each.proof is not None for each in judged)
    summary = (
        f"\nOf {len(judged)} mutants, seed {seed}, {noticed} are noticed, {harmless} are proven "
        f"harmless, {sum(each.survives for each in judged)} survive: a score of "
        f"{score(judged):.1f} %. Columns `streams` to `serial line` tell which bench noticed a "
        "mutant first, `hangs` how many of these ran out of clocks or beats. With "
        f"{', '.join(tools)}; {seconds / 60:.0f} minutes of one processor, proofs and compiler "
        "included.\n\n"
    )
    return _TEXT + table(judged) + summary + survivors(judged, words)


def with_section(page: str, text: str) -> str:
    """Return `page` with the section between its marks replaced, or put behind the proofs."""
    before, mark, rest = page.partition(BEGIN)
    if mark:
        return before + BEGIN + text + END + rest.partition(END)[2]
    before, mark, rest = page.partition(_AFTER)
    if mark:
        return before + mark + "\n" + BEGIN + text + END + rest
    return page.rstrip("\n") + "\n\n" + BEGIN + text + END
