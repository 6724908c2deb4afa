"""What hw/estimate says of engines before synthesis, against what place and route then counts.

Run it with ``python bench/resource_estimates.py [NAME ...]``: it places and routes every design
below as ``darb build`` does, one after another, keeps what each takes in bench/resource_facts.json,
and writes docs/results/resources.md. A design whose facts are known is not built again: take them
out of that file to have it built anew. The largest takes some ten minutes.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from darb.golden import (
    EngineConfig,
    IntegerLayer,
    IntegerNetwork,
    OutputMode,
    Pattern,
    Storage,
    fit_config,
    pack,
)
from darb.golden.bitfields import Words, to_hex
from darb.golden.memory_map import memory_shapes
from darb.hw.board_top import board_verilog
from darb.hw.boards import Board, find_board
from darb.hw.estimate import estimate_resources
from darb.hw.expected_clock import expected_clock
from darb.hw.flow.block_ram import random_contents
from darb.hw.flow.design import NETLIST, PLACED, TIMING, Design
from darb.hw.flow.resources import BLOCK_RAM, LUT_RAM, MULTIPLIER, RESOURCES, Usage, read_usage
from darb.hw.flow.toolchain import TOOLCHAINS
from darb.hw.flow.tools import find_tool

REPORT = Path(__file__).parents[1] / "docs" / "results" / "resources.md"
FACTS = Path(__file__).parent / "resource_facts.json"
EXACT = (LUT_RAM, BLOCK_RAM, MULTIPLIER)
DIGITS = (64, 256, 128, 10)
_SEED = 5


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One design: a random network of `sizes`, or the engine of a trained one, on a board."""

    name: str
    board: str
    lanes: int
    sizes: tuple[int, ...] = ()
    config: EngineConfig | None = None
    rows: int = 1
    weight_bits: int = 8
    ks: tuple[int, ...] = (2, 3, 4, 5)
    mode: OutputMode = OutputMode.ACCUMULATORS
    storage: Storage = Storage.ROM


SUBJECTS = (
    Subject(name="digits 4x1", board="icebreaker", sizes=DIGITS, lanes=4, ks=(4, 5)),
    Subject(
        name="digits 2x2", board="upduino-v3", sizes=DIGITS, lanes=2, rows=2, weight_bits=4,
        ks=(3, 4, 5),
    ),
    Subject(name="small 2x1", board="icebreaker", sizes=(32, 40, 10), lanes=2, ks=(2, 3)),
    Subject(name="digits 8x1", board="tang-nano-9k", sizes=DIGITS, lanes=8),
    Subject(name="digits 8x1", board="ulx3s-12f", sizes=DIGITS, lanes=8),
    Subject(
        name="digits 8x2 ram", board="ulx3s-25f", sizes=DIGITS, lanes=8, rows=2,
        storage=Storage.RAM,
    ),
    Subject(
        name="digits 4x4", board="orangecrab-25f", sizes=DIGITS, lanes=4, rows=4,
        mode=OutputMode.ACTIVATIONS,
    ),
    Subject(
        name="MNIST 32x1", board="ulx3s-85f", lanes=32,
        config=EngineConfig(
            lanes=32, rows=1, accumulator_bits=21, max_k=4, weight_depth=519, index_depth=138,
            row_depth=394, layer_depth=8, input_depth=13, hidden_depth=9, output_depth=10,
        ),
    ),
    Subject(
        name="MNIST 32x4", board="ulx3s-85f", lanes=32, rows=4,
        config=EngineConfig(
            lanes=32, rows=4, accumulator_bits=21, max_k=4, weight_depth=129, index_depth=34,
            row_depth=396, layer_depth=6, input_depth=13, hidden_depth=9, output_depth=10,
        ),
    ),
)  # fmt: skip


def random_network(subject: Subject) -> IntegerNetwork:
    """Return a network of the subject's sizes with full blocks of random weights."""
    rng = np.random.default_rng(_SEED)
    limit = (1 << subject.weight_bits - 1) - 1
    layers = []
    for number, (n, m) in enumerate(zip(subject.sizes, subject.sizes[1:], strict=False)):
        patterns = tuple(Pattern(int(rng.choice(subject.ks))) for _ in range(m))
        length = -(-n // subject.lanes)
        weights = np.zeros((m, n), dtype=np.int64)
        for row, pattern in enumerate(patterns):
            for start in range(0, n, length):
                end = min(start + length, n)
                for first in range(start, end, pattern.block_size):
                    last = min(first + pattern.block_size, end)
                    weights[row, rng.integers(first, last)] = rng.integers(-limit, limit + 1)
        layers.append(
            IntegerLayer(
                name=f"fc{number}",
                weights=weights,
                bias=rng.integers(-5000, 5000, m),
                multiplier=rng.integers(1 << 15, 1 << 16, m),
                shift=rng.integers(20, 26, m),
                relu=number < len(subject.sizes) - 2,
                patterns=patterns,
                columns=np.arange(n),
            )
        )
    return IntegerNetwork(layers=tuple(layers), weight_bits=subject.weight_bits)


def engine_of(subject: Subject) -> tuple[EngineConfig, dict[str, Words] | None]:
    """Return the engine, and its image memories where the network is random."""
    if subject.config is not None:
        return subject.config, None
    network = random_network(subject)
    shape = {"lanes": subject.lanes, "rows": subject.rows}
    config = fit_config(network, **shape, output_mode=subject.mode)
    return config, pack(network, config).memories


def _counted(netlist: str, cells: tuple[str, ...]) -> int:
    return sum(netlist.count(f'"type": "{cell}"') for cell in cells)


def build(subject: Subject, board: Board) -> tuple[EngineConfig, dict[str, Usage], float, bool]:
    """Return the engine, what it takes, the clock in MHz, and whether contents are exchangeable."""
    config, own = engine_of(subject)
    toolchain = TOOLCHAINS[board.family]
    clock = expected_clock(board, config)
    shapes = memory_shapes(config) if subject.storage is Storage.ROM else {}
    design = Design(
        constraints=board.constraints,
        memories=tuple(f"{name}.mem" for name in shapes),
        exchangeable=True,
        clock_hz=clock,
    )
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        text = board_verilog(board, config, storage=subject.storage, clock_hz=clock)
        (directory / "top.v").write_text(text)
        (directory / board.constraints).write_text(board.read_constraints())
        for name, text in toolchain.beside.items():
            (directory / name).write_text(text())
        for exchangeable in (True, False):
            tried = replace(design, exchangeable=exchangeable)
            contents = random_contents(shapes, grain=toolchain.grain) if exchangeable else own
            for memory, (_, width) in shapes.items():
                (directory / f"{memory}.mem").write_bytes(to_hex(contents[memory], width))
            *mapping, placement = toolchain.implementation(board, tried)
            for step in mapping:
                step.run(directory)
            netlist = (directory / NETLIST).read_text()
            if _counted(netlist, toolchain.block_ram_cells) <= board.capacity.block_rams:
                break
        placement.run(directory)
        timing = json.loads((directory / TIMING).read_text())
        usage = read_usage(board.family, timing, json.loads((directory / PLACED).read_text()))
    reached = min(clock["achieved"] for clock in timing["fmax"].values())
    return config, usage, reached, exchangeable and bool(shapes)


def _error(estimate: Usage, fact: Usage) -> str:
    if not fact.used:
        return "0" if not estimate.used else f"{estimate.used}, not 0"
    return f"{100 * (estimate.used - fact.used) / fact.used:+.1f} %"


def _cells(estimates: dict[str, Usage], facts: dict[str, Usage]) -> list[str]:
    cells = []
    for kind in RESOURCES:
        if kind not in facts:
            cells.append("")
        elif kind in EXACT and estimates[kind].used == facts[kind].used:
            cells.append(f"{facts[kind].used:,}")
        else:
            error = _error(estimates[kind], facts[kind])
            cells.append(f"{estimates[kind].used:,} / {facts[kind].used:,} ({error})")
    return cells


def report(rows: list[list[str]], worst: dict[str, float], tools: list[str]) -> str:
    """Return the page."""
    headings = ["board", "network", "storage", *RESOURCES, "MHz reached"]
    lines = [
        "# Resources: estimate and fact",
        "",
        "What `darb plan` says before synthesis, and what nextpnr counts in the placed design.",
        "Written by `python bench/resource_estimates.py`. 4x1 is 4 lanes and 1 row. The digits'",
        "networks are random, 64-256-128-10; MNIST's are the demo's, 784-300-100-10, of which the",
        "one on 32x1 is also among the designs that the estimate was fitted to. What section",
        "descriptors in logic spare was taken from the two designs with the netlist.",
        "",
        "| " + " | ".join(headings) + " |",
        "|" + "---|" * len(headings),
        *("| " + " | ".join(row) + " |" for row in rows),
        "",
        "A single number: estimate and fact are equal. Two: estimate / fact. Largest error: "
        + ", ".join(f"{kind} {100 * value:.1f} %" for kind, value in worst.items())
        + ".",
        "",
        f"Tools: {', '.join(tools)}.",
    ]
    return "\n".join(lines) + "\n"


def _read_facts() -> dict[str, dict]:
    return json.loads(FACTS.read_text()) if FACTS.is_file() else {}


def fact_of(subject: Subject) -> dict:
    """Return what a design takes: from an earlier run of its engine, or from a build now."""
    board, key = find_board(subject.board), f"{subject.name} on {subject.board}"
    known = _read_facts().get(key)
    config = engine_of(subject)[0].to_dict()
    if known and known["config"] == config:
        return known
    start = time.perf_counter()
    _, usage, reached, exchangeable = build(subject, board)
    fact = {
        "config": config,
        "exchangeable": exchangeable,
        "usage": {kind: [item.used, item.available] for kind, item in usage.items()},
        "clock_mhz": round(reached, 1),
    }
    text = json.dumps({**_read_facts(), key: fact}, indent=1)
    FACTS.write_text(text + "\n")
    print(f"{key}: built in {time.perf_counter() - start:.0f} s", flush=True)
    return fact


def _tools() -> list[str]:
    empty = Design(constraints="", memories=(), exchangeable=True, clock_hz=1)
    boards = {find_board(subject.board).family: find_board(subject.board) for subject in SUBJECTS}
    steps = [
        step
        for family, board in boards.items()
        for step in TOOLCHAINS[family].implementation(board, empty)
    ]
    return sorted({find_tool(step.tool).version for step in steps})


def main() -> None:
    """Build what was not built yet; compare, print and write."""
    wanted = sys.argv[1:]
    for subject in SUBJECTS:
        if subject.name in wanted or not wanted:
            fact_of(subject)
    rows, worst, facts = [], dict.fromkeys(RESOURCES, 0.0), _read_facts()
    for subject in SUBJECTS:
        fact = facts.get(f"{subject.name} on {subject.board}")
        if fact is None:
            continue
        board, config = find_board(subject.board), EngineConfig.from_dict(fact["config"])
        usage = {kind: Usage(*pair) for kind, pair in fact["usage"].items()}
        estimate = estimate_resources(board, config, storage=subject.storage)
        assert estimate.exchangeable == fact["exchangeable"]
        for kind, item in usage.items():
            if item.used:
                error = abs(estimate.usage[kind].used - item.used) / item.used
                worst[kind] = max(worst[kind], error)
        storage = subject.storage.value
        if subject.storage is Storage.ROM and not fact["exchangeable"]:
            storage += ", with the netlist"
        cells = _cells(estimate.usage, usage)
        rows.append([board.name, subject.name, storage, *cells, f"{fact['clock_mhz']:.1f}"])
    text = report(rows, worst, _tools())
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
