"""Rival engines, one layer each; `darb.golden.baselines` says what they have in common."""

from darb.hw.baselines.csr_engine import CsrEngine

__all__ = ["CsrEngine"]
