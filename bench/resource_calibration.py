"""What synthesis and packing make of engines of many shapes: what hw/estimate is fitted to.

Run it with ``python bench/resource_calibration.py [BOARD ...]``: it synthesises every design that
is not yet in bench/resource_rows.json exactly as ``darb build`` does, packs it with nextpnr, which
settles all counts but that of Gowin's pass-through LUTs, and adds a row. What was synthesised
before comes out of the cache that DARB_CACHE names. Contents are random: they change no count, for
every image memory is in block RAM.
"""

from __future__ import annotations

import collections
import dataclasses
import json
import re
import sys
import tempfile
import time
from pathlib import Path

from darb.golden import EngineConfig, OutputMode, Storage
from darb.golden.bitfields import to_hex
from darb.golden.memory_map import memory_shapes
from darb.hw.board_top import board_verilog
from darb.hw.boards import Board, Family, chip_options, find_board
from darb.hw.estimate.resource_estimate import GRAINS
from darb.hw.flow.block_ram import random_contents
from darb.hw.flow.design import NETLIST, TOP, Design
from darb.hw.flow.hierarchy import Hierarchy
from darb.hw.flow.step import BuildError, Step
from darb.hw.flow.toolchain import TOOLCHAINS

ROWS = Path(__file__).parent / "resource_rows.json"
BOARDS = ("ulx3s-85f", "tang-nano-9k", "icebreaker", "arty-a7-35")
PACKED = "packed.json"

_DIGITS = EngineConfig(
    lanes=8,
    rows=1,
    accumulator_bits=20,
    max_k=5,
    weight_depth=394,
    index_depth=125,
    row_depth=354,
    layer_depth=7,
    input_depth=6,
    hidden_depth=28,
    output_depth=10,
)
_SHAPES = (
    (_DIGITS, {}),
    (
        _DIGITS,
        {
            "lanes": 4,
            "max_k": 6,
            "weight_depth": 788,
            "index_depth": 220,
            "row_depth": 346,
            "layer_depth": 11,
            "input_depth": 11,
            "hidden_depth": 55,
        },
    ),
    (
        _DIGITS,
        {
            "lanes": 1,
            "accumulator_bits": 18,
            "input_depth": 40,
            "hidden_depth": 64,
            "output_depth": 5,
            "max_k": 3,
            "layer_depth": 5,
            "weight_depth": 600,
        },
    ),
    (
        _DIGITS,
        {
            "lanes": 2,
            "rows": 2,
            "weight_bits": 4,
            "activation_bits": 4,
            "max_k": 4,
            "accumulator_bits": 14,
            "output_mode": OutputMode.ARGMAX,
            "index_word_bits": 8,
            "hidden_depth": 12,
            "input_depth": 30,
        },
    ),
    (
        _DIGITS,
        {
            "lanes": 4,
            "rows": 2,
            "output_mode": OutputMode.ACTIVATIONS,
            "max_k": 6,
            "accumulator_bits": 24,
            "hidden_depth": 70,
            "output_depth": 40,
        },
    ),
    (
        _DIGITS,
        {
            "lanes": 8,
            "weight_bits": 6,
            "activation_bits": 7,
            "accumulator_bits": 22,
            "output_mode": OutputMode.ARGMAX,
            "max_k": 2,
            "hidden_depth": 5,
            "input_depth": 13,
            "layer_depth": 20,
        },
    ),
    (
        _DIGITS,
        {
            "lanes": 2,
            "rows": 4,
            "weight_bits": 5,
            "accumulator_bits": 21,
            "max_k": 0,
            "index_depth": 1,
            "hidden_depth": 33,
            "input_depth": 16,
        },
    ),
    (
        _DIGITS,
        {
            "lanes": 4,
            "rows": 2,
            "accumulator_bits": 32,
            "input_depth": 200,
            "hidden_depth": 20,
            "output_depth": 100,
            "row_depth": 1500,
            "weight_depth": 2000,
            "max_k": 6,
        },
    ),
    (_DIGITS, {"lanes": 16, "hidden_depth": 17, "input_depth": 13, "max_k": 4}),
    (
        _DIGITS,
        {
            "lanes": 8,
            "activation_bits": 5,
            "weight_bits": 3,
            "accumulator_bits": 16,
            "index_word_bits": 24,
            "max_k": 8,
            "hidden_depth": 128,
            "input_depth": 3,
        },
    ),
)
_LARGE = (
    (_DIGITS, {"lanes": 4, "rows": 4, "output_mode": OutputMode.ACTIVATIONS, "max_k": 6,
               "accumulator_bits": 24, "hidden_depth": 40, "output_depth": 40}),
    (_DIGITS, {"lanes": 32, "accumulator_bits": 21, "max_k": 4, "weight_depth": 519,
               "index_depth": 138, "row_depth": 394, "layer_depth": 8, "input_depth": 13,
               "hidden_depth": 9}),
)  # fmt: skip
_LOADABLE = (0, 3, 7)
_LARGE_ON = ("ulx3s-85f", "tang-nano-9k")


def designs(board: str) -> list[tuple[Storage, EngineConfig]]:
    """Return what is measured for a board."""
    shapes = (*_SHAPES, *_LARGE) if board in _LARGE_ON else _SHAPES
    configs = [dataclasses.replace(base, **fields) for base, fields in shapes]
    rom = [(Storage.ROM, config) for config in configs]
    return rom + [(Storage.RAM, configs[number]) for number in _LOADABLE]


def _packing(board: Board, design: Design, placement: Step) -> Step:
    constraints = {
        Family.ECP5: ("--lpf", design.constraints),
        Family.ICE40: ("--pcf", design.constraints),
        Family.GOWIN: ("--vopt", f"cst={design.constraints}"),
    }[board.family]
    return Step(
        name="packing",
        tool=placement.tool,
        arguments=(
            *chip_options(board),
            *("--json", NETLIST, "--write", PACKED, "--pack-only"),
            *constraints,
        ),
        inputs=placement.inputs,
        outputs=(PACKED,),
    )


def _slices_of_gowin(cells: dict) -> collections.Counter:
    """Count, by component's cell, the flip-flops that share a place with what feeds them."""
    driver, readers = {}, collections.Counter()
    for cell in cells.values():
        for port, bits in cell["connections"].items():
            for bit in bits:
                if cell.get("port_directions", {}).get(port) == "output":
                    driver[bit] = cell["type"], port
                elif isinstance(bit, int):
                    readers[bit] += 1
    shared = collections.Counter()
    for name, cell in cells.items():
        if not cell["type"].startswith("DFF"):
            continue
        (bit,) = cell["connections"]["D"]
        kind, port = driver.get(bit, ("", ""))
        if kind.startswith("LUT") and readers[bit] == 1:
            shared[name] = 1
        elif (kind, port) == ("ALU", "SUM"):
            # Of those fed by an adder, placement keeps about three in four beside it.
            shared[name] = 0.76
    return shared


def _count(family: Family, packed: dict, netlist: dict, hierarchy: Hierarchy) -> dict:
    kinds = {
        "TRELLIS_COMB": "luts", "TRELLIS_FF": "ffs", "TRELLIS_RAMW": "lut_rams",
        "DP16KD": "block_rams", "MULT18X18D": "multipliers", "ICESTORM_LC": "luts",
        "ICESTORM_RAM": "block_rams", "ICESTORM_DSP": "multipliers", "ALU": "luts",
        "RAM16SDP4": "lut_rams", "MULT9X9": "multipliers", "MULT18X18": "multipliers",
        **dict.fromkeys(("SP", "SPX9", "DP", "DPX9", "DPB", "SDP", "SDPB", "SDPX9B"), "block_rams"),
        **dict.fromkeys(("LUT1", "LUT2", "LUT3", "LUT4"), "luts"),
    }  # fmt: skip
    (module,) = (item for item in packed["modules"].values() if item["cells"])
    total, parts = collections.Counter(), collections.defaultdict(collections.Counter)
    shared = collections.Counter()
    if family is Family.GOWIN:
        shared = _slices_of_gowin(netlist["modules"][TOP]["cells"])
    for name, cell in module["cells"].items():
        part = re.sub(r"\$\d+|_\d+|\.words", "", hierarchy.component(name))
        counts = {kinds.get(cell["type"], "others"): 1}
        if cell["type"] == "MULT18X18":
            counts["multipliers"] = 2
        if cell["type"] == "ICESTORM_LC":
            counts["ffs"] = int(cell["parameters"]["DFF_ENABLE"], 2)
        if cell["type"].startswith("DFF"):
            counts = {"ffs": 1, "luts": 1 - shared[name]}
        for kind, count in counts.items():
            total[kind] += count
            if kind in ("luts", "ffs"):
                parts[part][kind] += count
    return {
        **{
            kind: round(total[kind])
            for kind in ("luts", "ffs", "lut_rams", "block_rams", "multipliers")
        },
        "parts": {
            part: [round(counts["luts"]), counts["ffs"]] for part, counts in sorted(parts.items())
        },
    }


_XILINX = {
    **{f"LUT{inputs}": {"luts": 1} for inputs in range(1, 7)},
    **{f"RAM{words}M": {"luts": 4, "lut_rams": 1} for words in (32, 64)},
    "SRL16E": {"luts": 1},
    "RAMB18E1": {"block_rams": 0.5},
    "RAMB36E1": {"block_rams": 1},
    "DSP48E1": {"multipliers": 1},
    **{f"FD{kind}": {"ffs": 1} for kind in ("RE", "SE", "CE", "PE")},
}


def _count_xilinx(netlist: dict) -> collections.Counter:
    total = collections.Counter(
        dict.fromkeys(("luts", "ffs", "lut_rams", "block_rams", "multipliers"), 0)
    )
    for cell in netlist["modules"][TOP]["cells"].values():
        total.update(_XILINX.get(cell["type"], {}))
    return total


def _synthesis_for_xilinx(design: Design) -> Step:
    # With multipliers, yosys 0.70 loses them and all that hangs on them.
    command = "synth_xilinx -family xc7 -flatten -nodsp"
    return Step(
        name="synthesis",
        tool="yosys",
        arguments=("-p", design.synthesis_script(command, grain=GRAINS[Family.XILINX])),
        inputs=design.synthesis_inputs,
        outputs=(NETLIST,),
    )


def measure(board: Board, storage: Storage, config: EngineConfig) -> dict:
    """Synthesise and pack one design; return its row."""
    shapes = memory_shapes(config) if storage is Storage.ROM else {}
    clock = board.engine_clock_hz
    design = Design(
        constraints=board.constraints,
        memories=tuple(f"{name}.mem" for name in shapes),
        exchangeable=True,
        clock_hz=clock,
    )
    if board.family is Family.XILINX:
        mapping, placement = [_synthesis_for_xilinx(design)], None
    else:
        *mapping, placement = TOOLCHAINS[board.family].implementation(board, design)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        text = board_verilog(board, config, storage=storage, clock_hz=clock)
        (directory / "top.v").write_text(text)
        (directory / board.constraints).write_text(board.read_constraints())
        if placement is not None:
            for name, text in TOOLCHAINS[board.family].beside.items():
                (directory / name).write_text(text())
        for memory, words in random_contents(shapes, grain=GRAINS[board.family]).items():
            (directory / f"{memory}.mem").write_bytes(to_hex(words, shapes[memory][1]))
        for step in mapping:
            step.run(directory)
        netlist = (directory / NETLIST).read_text()
        if placement is not None:
            _packing(board, design, placement).run(directory)
            packed = json.loads((directory / PACKED).read_text())
    row = {"board": board.name, "storage": storage.value, "config": config.to_dict()}
    if placement is None:
        return {**row, **_count_xilinx(json.loads(netlist)), "parts": {}}
    hierarchy = Hierarchy.read(netlist)
    return {**row, **_count(board.family, packed, json.loads(netlist), hierarchy)}


def _read_rows() -> list[dict]:
    return json.loads(ROWS.read_text()) if ROWS.is_file() else []


def main() -> None:
    """Measure what is missing; write each row as it is known."""
    known = {(row["board"], row["storage"], json.dumps(row["config"])) for row in _read_rows()}
    for name in sys.argv[1:] or BOARDS:
        for storage, config in designs(name):
            if (name, storage.value, json.dumps(config.to_dict())) in known:
                continue
            start = time.perf_counter()
            try:
                row = measure(find_board(name), storage, config)
            except BuildError as error:
                print(f"{name} {storage} {config}: {error}", flush=True)
                continue
            # Read anew, for another board's rows may have come in meanwhile.
            rows = [*_read_rows(), row]
            lines = ",\n".join(json.dumps(row) for row in rows)
            ROWS.write_text(f"[\n{lines}\n]\n")
            counts = {kind: row[kind] for kind in row if kind.endswith("s") and kind != "parts"}
            print(f"{name} {storage} {time.perf_counter() - start:.0f} s: {counts}", flush=True)


if __name__ == "__main__":
    main()
