"""Amaranth generators of the engine, and the flow from an image to Verilog and simulation.

Names are imported when they are first asked for, so that the bench, which runs inside the
simulators, loads no Amaranth.
"""

from __future__ import annotations

import importlib

_HOMES = {
    "AxiEngine": "darb.hw.axi_engine",
    "Disturbance": "darb.hw.bench_job",
    "Engine": "darb.hw.engine",
    "SimulationError": "darb.hw.cocotb_runner",
    "SimulationResult": "darb.hw.simulation",
    "ToolMissingError": "darb.hw.simulators",
    "available_simulators": "darb.hw.simulators",
    "find_simulator": "darb.hw.simulators",
    "generate": "darb.hw.verilog",
    "generate_verilog": "darb.hw.verilog",
    "simulate": "darb.hw.simulation",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
