import json
import subprocess
from importlib import resources

import numpy as np
import pytest

from darb.hw.boards import Family
from darb.hw.estimate.memory_cells import MemoryKind
from darb.hw.estimate.memory_mapping import MemoryUse, map_memory
from darb.hw.flow.tools import find_tool

_COMMANDS = {
    Family.ECP5: "synth_ecp5",
    Family.ICE40: "synth_ice40",
    Family.GOWIN: "synth_gowin",
    Family.XILINX: "synth_xilinx -family xc7 -flatten",
}
_BLOCK_RAMS = {
    **dict.fromkeys(("DP16KD", "PDPW16KD", "SB_RAM40_4K", "RAMB36E1"), 1.0),
    **dict.fromkeys(("SP", "SPX9", "DPB", "DPX9B", "SDPB", "SDPX9B", "pROM", "pROMX9"), 1.0),
    "RAMB18E1": 0.5,
}
_LUT_RAMS = ("TRELLIS_DPR16X4", "RAM16SDP4", "RAM32M", "RAM64M")


def _instance(number, use, depth, width, rng, directory):
    """Return the Verilog of one memory, used as the engine uses it, its ports from `i`."""
    bits = max(1, (depth - 1).bit_length())
    fields = f".WIDTH({width}), .DEPTH({depth}), .ADDRESS({bits})"
    ports = f".clk(clk), .data(d{number})"
    lines = [f"wire [{width - 1}:0] d{number};"]
    if use is MemoryUse.ROM:
        words = rng.integers(0, 2, (depth, width))
        text = "\n".join(f"{int(''.join(map(str, word)), 2):x}" for word in words)
        (directory / f"m{number}.mem").write_text(text)
        fields += f', .FILE("m{number}.mem")'
        ports += f", .en(i[63]), .addr(i[{bits - 1}:0])"
    else:
        loadable = use is MemoryUse.LOADABLE_ROM
        read, address = ("en", "addr") if loadable else ("r_en", "r_addr")
        ports += f", .w_en(i[62]), .w_addr(i[{bits + 15}:16]), .w_data(s{number})"
        ports += f", .{read}(i[61]), .{address}(i[{bits - 1}:0])"
        # Every bit that is written is one of its own.
        lines.append(f"reg [{width - 1}:0] s{number};")
        lines.append(f"always @(posedge clk) s{number} <= {{s{number}, i[60]}};")
    lines.append(f"{use.value} #({fields}) m{number}({ports});")
    return "\n".join(lines)


def _by_yosys(family, memories, rng, directory, *, in_block_ram):
    """Return (block RAMs, LUT RAMs) of each memory, as yosys maps it."""
    parts = [_instance(n, *memory, rng, directory) for n, memory in enumerate(memories)]
    sums = " ^ ".join(f"^d{number}" for number in range(len(memories)))
    text = (resources.files("darb.hw") / "memories.v").read_text()
    body = "\n".join(parts)
    text += f"module top(input clk, input [63:0] i, output o);\n{body}\nassign o = {sums};\n"
    (directory / "top.v").write_text(text + "endmodule\n")
    define = "-D DARB_ROM_GRAIN=1 " if in_block_ram else ""
    script = f"read_verilog {define}top.v; {_COMMANDS[family]} -top top -run begin:map_ffram; "
    script += "select -module top; write_json -selected netlist.json"
    command = [*find_tool("yosys").command, "-q", "-p", script]
    subprocess.run(command, cwd=directory, check=True, capture_output=True)
    counts = [[0.0, 0] for _ in memories]
    cells = json.loads((directory / "netlist.json").read_text())["modules"]["top"]["cells"]
    for name, cell in cells.items():
        if not name.startswith("m") or ".words" not in name:
            continue
        number = int(name[1:].partition(".")[0])
        counts[number][0] += _BLOCK_RAMS.get(cell["type"], 0)
        counts[number][1] += cell["type"] in _LUT_RAMS
    return [tuple(pair) for pair in counts]


def _random_memories(rng, uses):
    memories = []
    for number in range(6):
        use = uses[number % len(uses)]
        if use is MemoryUse.RAM:
            depth, width = 1 << int(rng.integers(2, 10)), int(rng.integers(2, 33))
        else:
            depth, width = int(2 ** rng.uniform(6, 11)), int(rng.integers(4, 80))
        memories.append((use, depth, width))
    return memories


@pytest.mark.slow
@pytest.mark.parametrize("in_block_ram", [False, True])
@pytest.mark.parametrize("family", list(Family))
def test_yosys_maps_memories_alike(family, in_block_ram, tmp_path):
    seed = 11 + 2 * list(Family).index(family) + in_block_ram
    rng = np.random.default_rng(seed)
    uses = [MemoryUse.ROM] if in_block_ram else list(MemoryUse)
    memories = _random_memories(rng, uses)
    facts = _by_yosys(family, memories, rng, tmp_path, in_block_ram=in_block_ram)
    for (use, depth, width), fact in zip(memories, facts, strict=True):
        mapping = map_memory(family, depth=depth, width=width, use=use, in_block_ram=in_block_ram)
        told = (mapping.block_rams, mapping.lut_rams)
        assert told == fact, f"seed {seed}: {use.value} of {depth} x {width}"


def test_a_rom_asked_into_block_ram_goes_there_whatever_it_costs():
    shape = {"depth": 8, "width": 96, "use": MemoryUse.ROM}
    assert map_memory(Family.ICE40, **shape).kind is MemoryKind.LOGIC
    forced = map_memory(Family.ICE40, **shape, in_block_ram=True)
    assert (forced.kind, forced.cells) == (MemoryKind.BLOCK_RAM, 6)


def test_cells_of_which_nothing_is_read_are_dropped():
    shape = {"depth": 512, "width": 62, "use": MemoryUse.ROM, "in_block_ram": True}
    assert map_memory(Family.ICE40, **shape).cells == 8
    # Eight bits a cell: bits 24 to 31 are one.
    assert map_memory(Family.ICE40, **shape, unread=range(20, 32)).cells == 7
    assert map_memory(Family.ICE40, **shape, unread=range(20, 31)).cells == 8
    none = map_memory(Family.ICE40, **shape, unread=range(62))
    assert (none.kind, none.cells, none.width) == (MemoryKind.LOGIC, 0, 0)


@pytest.mark.parametrize(
    ("family", "depth", "width", "kind", "cells", "ranges"),
    [
        (Family.ECP5, 64, 8, MemoryKind.LUT_RAM, 8, 4),
        (Family.ECP5, 256, 8, MemoryKind.BLOCK_RAM, 1, 1),
        (Family.GOWIN, 16, 20, MemoryKind.LUT_RAM, 5, 1),
        (Family.ICE40, 8, 8, MemoryKind.LOGIC, 0, 1),
        (Family.ICE40, 32, 8, MemoryKind.BLOCK_RAM, 1, 1),
        (Family.ICE40, 1024, 8, MemoryKind.BLOCK_RAM, 2, 1),
    ],
)
def test_working_memories_go_where_they_are_cheapest(family, depth, width, kind, cells, ranges):
    mapping = map_memory(family, depth=depth, width=width, use=MemoryUse.RAM)
    assert (mapping.kind, mapping.cells, mapping.ranges) == (kind, cells, ranges)
