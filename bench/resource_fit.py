"""The coefficients of hw/estimate that serve the measured designs best.

Run it with ``python bench/resource_fit.py``: it fits bench/resource_rows.json, which
bench/resource_calibration.py writes, board by board, and prints coefficients, none below zero, and
how far each row is from its estimate then. They go into hw/estimate/coefficients.py.
"""

from __future__ import annotations

import collections
import json
from pathlib import Path

import numpy as np
from scipy.optimize import nnls

from darb.golden import EngineConfig, Storage
from darb.golden.fixed_point import MULTIPLIER_BITS
from darb.hw.boards import Board, Family, find_board
from darb.hw.estimate.quantities import board_quantities
from darb.hw.estimate.resource_estimate import map_memories

ROWS = Path(__file__).parent / "resource_rows.json"

# What is known needs no fit: an adder's bit, an ECP5's LUT RAM, a ROM of at most 16 words.
_KNOWN = {
    Family.ECP5: {"adder_bits": 1.0, "accumulator_bits": 1.0, "lut_rams": 4.0, "rom_bits": 0.0625},
    Family.ICE40: {"adder_bits": 1.0, "rom_bits": 0.0625},
    Family.GOWIN: {"adder_bits": 1.0, "rom_bits": 0.0625},
    Family.XILINX: {"adder_bits": 1.0, "lut_rams": 4.0, "rom_bits": 0.0156},
}


def _solve(
    quantities: list[dict[str, float]], counts: list[int], known: dict[str, float]
) -> tuple[dict[str, float], list[float]]:
    """Return the coefficients of least relative error, and each row's."""
    names = sorted(
        {name for row in quantities for name, value in row.items() if value} - known.keys()
    )
    matrix = np.array([[row.get(name, 0) for name in names] for row in quantities], dtype=float)
    given = [sum(known.get(name, 0) * value for name, value in row.items()) for row in quantities]
    weight = 1 / np.array(counts)
    rest = np.array(counts) - given
    solution, _ = nnls(matrix * weight[:, None], rest * weight)
    fitted = {name: round(float(x), 3) for name, x in zip(names, solution, strict=True) if x}
    whole = known | fitted
    errors = [
        sum(whole.get(name, 0) * value for name, value in row.items()) / count - 1
        for row, count in zip(quantities, counts, strict=True)
    ]
    return whole, errors


def _fit_board(board: Board, rows: list[dict]) -> None:
    luts, ffs, bits = [], [], []
    for row in rows:
        config, storage = EngineConfig.from_dict(row["config"]), Storage(row["storage"])
        exchangeable = storage is Storage.ROM
        memories = map_memories(config, storage, board.family, exchangeable=exchangeable)
        total, further, registers = collections.Counter(), collections.Counter(), 0
        for part in board_quantities(config, storage, board.family, memories).values():
            total.update(part.luts)
            further.update(part.ffs)
            registers += part.register_bits
        if board.family is Family.XILINX:
            # Here all products are in logic.
            product = config.activation_bits * config.weight_bits
            total["product_bits"] = config.multipliers * product
            total["product_bits"] += config.accumulator_bits * (MULTIPLIER_BITS + 1)
        luts.append(dict(total))
        ffs.append({**further, "registers": registers})
        bits.append(row["ffs"])
    coefficients, errors = _solve(ffs, bits, {"registers": 1.0})
    print(f"{board.family}: flip-flops {coefficients}")
    print("  errors", " ".join(f"{error:+.1%}" for error in errors))
    if board.family in (Family.ICE40, Family.GOWIN):
        for row, count in zip(luts, bits, strict=True):
            row["ffs"] = count
    coefficients, errors = _solve(luts, [row["luts"] for row in rows], _KNOWN[board.family])
    print(f"{board.family}: look-up tables {coefficients}")
    print("  errors", " ".join(f"{error:+.1%}" for error in errors))


def main() -> None:
    """Fit each board's rows."""
    rows = json.loads(ROWS.read_text())
    for name in dict.fromkeys(row["board"] for row in rows):
        _fit_board(find_board(name), [row for row in rows if row["board"] == name])


if __name__ == "__main__":
    main()
