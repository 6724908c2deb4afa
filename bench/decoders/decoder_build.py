"""Place and route of an engine by itself on an ECP5-85F, and which components take what of it."""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from amaranth.lib import wiring

from darb.hw.boards import find_board
from darb.hw.boards.chip_options import chip_options
from darb.hw.boards.devices import Family
from darb.hw.flow.critical_path import slowest_path
from darb.hw.flow.design import MAPPED, NETLIST, PHASES, PLACED, SCOPES, TIMING, mapping_commands
from darb.hw.flow.ecp5 import PACKER, packer, register_step
from darb.hw.flow.hierarchy import Hierarchy
from darb.hw.flow.resources import RESOURCES, read_usage, top_module
from darb.hw.flow.step import Step
from darb.hw.flow.workshop import Workshop
from darb.hw.verilog import TOP, component_verilog

BOARD = "ulx3s-85f"
CLOCK_MHZ = 150
"""Asked of the placer; no engine reaches it, so that each is placed as fast as it goes."""
_SYNTHESIS = "synth_ecp5 -nowidelut"
"""Wide look-up tables, the default, take twice the LUTs in decoders."""
_VERILOG = "engine.v"
_CELLS = {"LUT": ("TRELLIS_COMB",), "FF": ("TRELLIS_FF",)}


@dataclass(frozen=True, kw_only=True)
class Area:
    """What a design takes of the chip.

    Parameters
    ----------
    used : dict of str to int
        By the names of `darb.hw.flow.resources.RESOURCES`.
    decoder : dict of str to int
        LUTs and FFs of the components that a regular expression names.
    clock_mhz : float
        Reached, by nextpnr's estimate.
    path : str
        What limits it.
    """

    used: dict[str, int]
    decoder: dict[str, int]
    clock_mhz: float
    path: str

    def to_json(self) -> dict[str, object]:
        """Return it as plain values."""
        return asdict(self)


def _steps(files: Mapping[str, bytes], seed: int, router: str) -> tuple[Step, ...]:
    board = find_board(BOARD)
    mapping = mapping_commands(_SYNTHESIS, TOP, scopes=SCOPES)
    synthesis = Step(
        name="synthesis",
        tool="yosys",
        arguments=("-p", f"read_verilog {_VERILOG}; {mapping} -json {MAPPED}"),
        inputs=(_VERILOG, *files),
        outputs=(MAPPED, SCOPES),
    )
    place = Step(
        name="place-and-route",
        tool="nextpnr-ecp5",
        arguments=(
            *chip_options(board),
            # Without pads: what is measured is the engine, not the way to the pins.
            "--out-of-context",
            *("--json", NETLIST, "--write", PLACED, "--report", TIMING),
            *("--freq", str(CLOCK_MHZ), "--timing-allow-fail", "--seed", str(seed)),
            *("--router", router),
        ),
        inputs=(NETLIST,),
        outputs=(PLACED, TIMING),
        marks=PHASES,
    )
    return synthesis, register_step(), place


def _components(placed: Mapping, hierarchy: Hierarchy, wanted: str) -> dict[str, int]:
    """Return how many LUTs and FFs the components have whose path matches `wanted`."""
    counts: Counter = Counter()
    kinds = {cell: kind for kind, cells in _CELLS.items() for cell in cells}
    for name, cell in top_module(placed)["cells"].items():
        kind = kinds.get(cell["type"])
        if kind and re.search(wanted, hierarchy.component(name)):
            counts[kind] += 1
    return {kind: counts[kind] for kind in _CELLS}


def build(
    component: wiring.Component,
    files: Mapping[str, bytes],
    *,
    decoder: str,
    router: str,
    seed: int = 1,
    progress: Callable[[str, int, int, str], None],
) -> Area:
    """Synthesise, place and route; what was done before comes out of the cache.

    Parameters
    ----------
    component : wiring.Component
        Its clock and reset are ports.
    files : mapping of str to bytes
        What its Verilog reads.
    decoder : str
        Regular expression of the paths of components that count as the decoder.
    router : str
        Nextpnr's ``router1``, which finds shorter ways, or ``router2``, which comes to an end in
        fuller designs.
    seed : int
        Of placement.
    progress : callable
        See `Workshop`.

    Raises
    ------
    BuildError
        If a tool fails.
    """
    with tempfile.TemporaryDirectory() as directory:
        workshop = Workshop(Path(directory), progress, weights_only=False)
        (workshop.directory / _VERILOG).write_text(component_verilog(component, TOP))
        (workshop.directory / PACKER).write_text(packer())
        for name, content in files.items():
            (workshop.directory / name).write_bytes(content)
        workshop.run(_steps(files, seed, router))
        timing, placed = workshop.read_json(TIMING), workshop.read_json(PLACED)
        netlist = (workshop.directory / NETLIST).read_text()
        hierarchy = Hierarchy.read(netlist, (workshop.directory / SCOPES).read_text())
        usage = read_usage(Family.ECP5, timing, placed)
        path = slowest_path(timing, hierarchy)
        return Area(
            used={kind: usage[kind].used for kind in RESOURCES if kind in usage},
            decoder=_components(placed, hierarchy, decoder),
            clock_mhz=min(clock["achieved"] for clock in timing["fmax"].values()),
            path=str(path) if path else "none",
        )
