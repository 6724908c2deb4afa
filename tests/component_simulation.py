"""Runs one component in Amaranth's simulator."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from amaranth.sim import Simulator


def run_component(
    component: object, *testbenches: Callable, background: Sequence[Callable] = ()
) -> None:
    """Run until each of `testbenches`, async functions of a context, has ended.

    Those of `background` run beside them and need not end.
    """
    simulator = Simulator(component)
    simulator.add_clock(1e-6)
    for testbench in testbenches:
        simulator.add_testbench(testbench)
    for testbench in background:
        simulator.add_testbench(testbench, background=True)
    simulator.run()
