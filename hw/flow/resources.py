"""What a placed design takes of its chip, in the same words for every family."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from darb.hw.boards.devices import Family

LUT, FF, LUT_RAM, BLOCK_RAM, MULTIPLIER = "LUT", "FF", "LUT RAM", "block RAM", "multiplier"
RESOURCES = (LUT, FF, LUT_RAM, BLOCK_RAM, MULTIPLIER)


@dataclass(frozen=True)
class Usage:
    """How many of one kind are used, and how many there are."""

    used: int
    available: int

    @property
    def share(self) -> float:
        """Used over available."""
        return self.used / self.available if self.available else float(self.used > 0)


# Names of nextpnr's utilisation report, each with how many of our kind one of them takes: the sum
# is what is used, the first name is what is available.
_BELS = {
    Family.ECP5: {
        LUT: {"TRELLIS_COMB": 1},
        FF: {"TRELLIS_FF": 1},
        LUT_RAM: {"TRELLIS_RAMW": 1},
        BLOCK_RAM: {"DP16KD": 1},
        MULTIPLIER: {"MULT18X18D": 1},
    },
    # A logic cell is a LUT with its carry and flip-flop; nextpnr does not count these apart.
    Family.ICE40: {
        LUT: {"ICESTORM_LC": 1},
        BLOCK_RAM: {"ICESTORM_RAM": 1},
        MULTIPLIER: {"ICESTORM_DSP": 1},
    },
    # An adder bit stands in a LUT; an 18 x 18 multiplier is two of 9 x 9.
    Family.GOWIN: {
        LUT: {"LUT4": 1, "ALU": 1},
        FF: {"DFF": 1},
        LUT_RAM: {"RAM16SDP4": 1},
        BLOCK_RAM: {"BSRAM": 1},
        MULTIPLIER: {"MULT9X9": 1, "MULT18X18": 2},
    },
}


def read_usage(family: Family, timing: Mapping, placed: Mapping) -> dict[str, Usage]:
    """Return the usage of each kind of `RESOURCES` that the family has.

    Parameters
    ----------
    family : Family
    timing, placed : mapping
        Nextpnr's JSON report and its placed design.
    """
    counts = timing["utilization"]
    usage = {}
    for kind, bels in _BELS[family].items():
        used = sum(counts[bel]["used"] * weight for bel, weight in bels.items())
        usage[kind] = Usage(used, counts[next(iter(bels))]["available"])
    if family is Family.ICE40:
        usage[FF] = Usage(_ice40_ffs(placed), usage[LUT].available)
    return {kind: usage[kind] for kind in RESOURCES if kind in usage}


_UTILISATION = re.compile(r"^Info:\s+(\w+):\s+(\d+)/\s*(\d+)\s", re.MULTILINE)


def over_capacity(family: Family, log: str) -> dict[str, Usage]:
    """Return what a nextpnr log says is needed more than the chip has.

    By our name for it, where we have one, else by the tool's own.
    """
    ours = {bel: kind for kind, bels in _BELS[family].items() for bel in bels}
    usage = {name: Usage(int(used), int(most)) for name, used, most in _UTILISATION.findall(log)}
    over = {name: use for name, use in usage.items() if use.used > use.available}
    return {ours.get(name, name): use for name, use in over.items()}


def top_module(placed: Mapping) -> Mapping:
    """Return the module of a placed design that is its top."""
    (module,) = (item for item in placed["modules"].values() if "top" in item["attributes"])
    return module


def _ice40_ffs(placed: Mapping) -> int:
    cells = top_module(placed)["cells"].values()
    logic = [cell for cell in cells if cell["type"] == "ICESTORM_LC"]
    return sum(int(cell["parameters"]["DFF_ENABLE"], 2) for cell in logic)
