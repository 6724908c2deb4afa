"""Runs one component in Amaranth's simulator."""

from __future__ import annotations

from collections.abc import Callable

from amaranth.sim import Simulator


def run_component(component: object, *testbenches: Callable) -> None:
    """Run until every one of `testbenches`, async functions of a context, has ended."""
    simulator = Simulator(component)
    simulator.add_clock(1e-6)
    for testbench in testbenches:
        simulator.add_testbench(testbench)
    simulator.run()
