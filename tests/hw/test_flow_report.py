"""What the tools say of a placed design, in darb's words."""

import json

import pytest

from darb.hw.boards.devices import Family
from darb.hw.flow.build_report import BuildReport
from darb.hw.flow.critical_path import slowest_path
from darb.hw.flow.hierarchy import Hierarchy
from darb.hw.flow.placement import read_placement
from darb.hw.flow.resources import Usage, over_capacity, read_usage

NETLIST = json.dumps(
    {
        "cells": {
            name: {"hide_name": 0, "type": kind}
            for name, kind in (
                ("core", "$scopeinfo"),
                ("core.link", "$scopeinfo"),
                ("core.engine.engine", "$scopeinfo"),
                ("core.engine.engine.queue", "$scopeinfo"),
                ("core.engine.engine.queue.full", "LUT4"),
            )
        }
    },
    indent=2,
)
HIERARCHY = Hierarchy.read(NETLIST)


@pytest.mark.parametrize(
    ("cell", "component"),
    [
        ("core.engine.engine.queue.full_LUT4_Z_1", "queue"),
        ("core.engine.engine.queue.full", "queue"),
        ("core.engine.engine.step$3.valid_TRELLIS_FF_Q", "engine"),
        ("core.engine.engine", "engine"),
        ("core.link.$12_LUT4_A", "core.link"),
        ("core.linked", "core"),
        ("uart_rx$iob", "top level"),
    ],
)
def test_component_of_a_cell(cell, component):
    assert HIERARCHY.component(cell) == component


def test_components_of_a_list():
    hierarchy = Hierarchy.read(
        "", "top/core\ntop/core.engine.engine\ntop/core.engine.engine.post\n"
    )
    assert hierarchy.component("core.engine.engine.post.sum_LUT4_Z") == "post"
    assert hierarchy.component("core.x") == "core"


def leg(kind, delay, source, target):
    return {"type": kind, "delay": delay, "from": {"cell": source}, "to": {"cell": target}}


def timing(*paths):
    return {"critical_paths": list(paths)}


def path(*legs, start="posedge clk", end="posedge clk"):
    return {"from": start, "to": end, "path": list(legs)}


A, B, C, D = (
    "core.engine.engine.queue.a",
    "core.engine.engine.b",
    "core.link.c",
    "core.engine.engine.queue.d",
)
LONG = path(
    leg("clk-to-q", 0.5, A, A),
    leg("routing", 3.0, A, B),
    leg("logic", 0.25, B, B),
    leg("routing", 1.0, B, C),
    leg("setup", 0.25, C, C),
)
SHORT = path(
    leg("clk-to-q", 0.5, A, A),
    leg("routing", 1.0, A, D),
    leg("logic", 0.5, D, D),
    leg("logic", 0.0, D, D),
    leg("setup", 0.0, D, D),
)
ASYNCHRONOUS = path(leg("routing", 90.0, A, C), start="<async>")


def test_the_slowest_path_in_words():
    slowest = slowest_path(timing(SHORT, ASYNCHRONOUS, LONG), HIERARCHY)
    assert (slowest.nanoseconds, slowest.routing, slowest.levels) == (5.0, 4.0, 1)
    assert str(slowest) == (
        "From queue to core.link, through engine: 5.0 ns, 1 cell between registers, 80 % of it in "
        "wires."
    )
    inside = slowest_path(timing(SHORT, ASYNCHRONOUS), HIERARCHY)
    assert str(inside) == ("Within queue: 2.0 ns, 2 cells between registers, 50 % of it in wires.")
    assert slowest_path(timing(ASYNCHRONOUS), HIERARCHY) is None


def placed(*cells):
    top = {
        "attributes": {"top": "1"},
        "cells": {
            name: {
                "type": kind,
                "attributes": {"NEXTPNR_BEL": bel} if bel else {},
                "parameters": {"DFF_ENABLE": ff},
            }
            for name, kind, bel, ff in cells
        },
    }
    return {"modules": {"other": {"attributes": {}, "cells": {}}, "top": top}}


def test_placement_by_component_largest_first():
    design = placed(
        ("core.link.a", "LUT4", "X1/Y2/SLICEA.LUT0", "0"),
        (A, "LUT4", "X10/Y0/SLICEA.LUT0", "0"),
        (D, "LUT4", "X10/Y0/SLICEA.LUT1", "0"),
        ("core.engine.engine.queue.e", "LUT4", "X9Y3/LUT1", "0"),
        ("constant", "GND", "", "0"),
    )
    assert read_placement(design, HIERARCHY) == {
        "queue": [[9, 3, 1], [10, 0, 2]],
        "core.link": [[1, 2, 1]],
    }


def utilisation(**counts):
    return {"utilization": {name: {"used": u, "available": a} for name, (u, a) in counts.items()}}


def test_usage_of_ecp5():
    report = utilisation(
        TRELLIS_COMB=(10, 100), TRELLIS_FF=(20, 100), TRELLIS_RAMW=(3, 12), DP16KD=(4, 56),
        MULT18X18D=(5, 28), EHXPLLL=(1, 2),
    )  # fmt: skip
    assert read_usage(Family.ECP5, report, placed()) == {
        "LUT": Usage(10, 100),
        "FF": Usage(20, 100),
        "LUT RAM": Usage(3, 12),
        "block RAM": Usage(4, 56),
        "multiplier": Usage(5, 28),
    }


def test_usage_of_ice40_counts_flip_flops_in_logic_cells():
    report = utilisation(ICESTORM_LC=(3, 5280), ICESTORM_RAM=(1, 30), ICESTORM_DSP=(0, 8))
    cells = [
        ("a", "ICESTORM_LC", "X1/Y1/lc0", "1"),
        ("b", "ICESTORM_LC", "X1/Y1/lc1", "0"),
        ("c", "ICESTORM_LC", "X1/Y1/lc2", "00000000000000000000000000000001"),
        ("d", "ICESTORM_RAM", "X1/Y1/ram", "1"),
    ]
    assert read_usage(Family.ICE40, report, placed(*cells)) == {
        "LUT": Usage(3, 5280),
        "FF": Usage(2, 5280),
        "block RAM": Usage(1, 30),
        "multiplier": Usage(0, 8),
    }


def test_usage_of_gowin_counts_adders_as_luts_and_wide_multipliers_twice():
    report = utilisation(
        LUT4=(100, 8640), ALU=(20, 6480), DFF=(50, 6480), RAM16SDP4=(9, 270), BSRAM=(7, 26),
        MULT9X9=(8, 40), MULT18X18=(1, 20),
    )  # fmt: skip
    usage = read_usage(Family.GOWIN, report, placed())
    assert usage["LUT"] == Usage(120, 8640)
    assert usage["multiplier"] == Usage(10, 40)
    assert usage["multiplier"].share == 0.25


def test_what_is_over_capacity():
    log = (
        "Info: Device utilisation:\n"
        "Info: \t          TRELLIS_COMB: 30000/24288   123%\n"
        "Info: \t            TRELLIS_FF:  2408/24288     9%\n"
        "Info: \t                DP16KD:    60/   56   107%\n"
    )
    log += "Info: \t               EHXPLLL:     3/    2   150%\n"
    assert over_capacity(Family.ECP5, log) == {
        "LUT": Usage(30000, 24288),
        "block RAM": Usage(60, 56),
        "EHXPLLL": Usage(3, 2),
    }
    assert over_capacity(Family.ECP5, "nothing") == {}


def report(**changes):
    fields = {
        "board": "icebreaker",
        "title": "iCEBreaker",
        "device": "iCE40UP5K SG48",
        "storage": "rom",
        "image_digest": "0123",
        "lanes": 4,
        "rows": 1,
        "seed": 1,
        "bitstream": "top.bin",
        "bitstream_sha256": "abcd",
        "clock_asked_hz": 24e6,
        "clock_reached_hz": 31.5e6,
        "clock_tolerance": 0.0,
        "usage": {"LUT": Usage(10, 40)},
        "cycles": 96.0,
        "latency": 120,
        "critical_path": "Within a|b.",
        "contents": "loaded at run time",
        "tools": {"yosys": "yosys 1"},
        "seconds": {"synthesis": 2.04},
    }
    return BuildReport(**(fields | changes))


def test_report_for_programs():
    fields = report().to_dict()
    assert json.loads(json.dumps(fields)) == fields
    assert fields["usage"] == {"LUT": {"used": 10, "available": 40}}
    assert fields["timing_met"] is True
    assert fields["inferences_per_second"] == 250_000.0
    assert report(clock_reached_hz=23.9e6).to_dict()["timing_met"] is False


def test_report_for_people():
    page = report().to_markdown()
    assert page.startswith("# Build for iCEBreaker\n\n| | |\n|---|---|\n")
    assert "| LUT | 10 of 40 (25.0 %) |" in page
    assert "| clock | 24.00 MHz asked, 31.50 MHz reached: timing met |" in page
    assert "| cycles a vector | 96 back to back, latency 120 |" in page
    assert "| critical path | Within a/b. |" in page
    inexact = report(clock_tolerance=0.1, clock_reached_hz=26.5e6)
    assert inexact.timing_met
    assert not report(clock_tolerance=0.1, clock_reached_hz=26.3e6).timing_met
    assert "24.00 MHz (+10 %) asked, 26.50 MHz reached" in inexact.to_markdown()
    missed = report(clock_reached_hz=20e6, cycles=96.5).to_markdown()
    assert "20.00 MHz reached: timing missed" in missed
    assert "| cycles a vector | 96.5 back to back, latency 120 |" in missed
