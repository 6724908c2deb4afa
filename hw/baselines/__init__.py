"""Rival engines, one layer each; `darb.golden.baselines` says what they have in common."""

from darb.hw.baselines.block_row_engine import BsrEngine, CsrEngine
from darb.hw.baselines.relative_csc_engine import RelativeCscEngine
from darb.hw.baselines.simulation import baseline_verilog, generate_baseline, simulate_baseline

__all__ = [
    "BsrEngine",
    "CsrEngine",
    "RelativeCscEngine",
    "baseline_verilog",
    "generate_baseline",
    "simulate_baseline",
]
