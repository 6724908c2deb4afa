"""Amaranth generators of the engine, and the flow from an image to Verilog and simulation."""

from darb.hw.axi_engine import AxiEngine
from darb.hw.bench_job import Disturbance
from darb.hw.cocotb_runner import SimulationError
from darb.hw.engine import Engine
from darb.hw.simulation import SimulationResult, simulate
from darb.hw.simulators import ToolMissingError, available_simulators, find_simulator
from darb.hw.verilog import generate, generate_verilog

__all__ = [
    "AxiEngine",
    "Disturbance",
    "Engine",
    "SimulationError",
    "SimulationResult",
    "ToolMissingError",
    "available_simulators",
    "find_simulator",
    "generate",
    "generate_verilog",
    "simulate",
]
