"""Rival engines, one layer each; `darb.golden.baselines` says what they have in common."""

from darb.hw.baselines.bsr_engine import BsrEngine
from darb.hw.baselines.csr_engine import CsrEngine
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
