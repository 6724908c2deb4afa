"""What a bench needs of a simulator: the top's ports and its clock, by name and by number."""

from __future__ import annotations

from typing import Protocol


class BenchPins(Protocol):
    """The ports of a top inside a simulator.

    A bench stands between two clock edges: what it sets the next edge sees, what it gets depends on
    registers alone and so is the same before and after it has set anything.
    """

    def get(self, name: str) -> int:
        """Return an output, unsigned."""

    def set(self, name: str, value: int) -> None:
        """Drive an input until it is set again."""

    def clock(self) -> int:
        """Return the number of the clock at hand."""

    def restart(self) -> None:
        """Call the clock at hand number 0."""

    async def tick(self) -> None:
        """Go on to the next clock."""

    async def sleep(self, most: int) -> None:
        """Pass clocks, at most so many, while neither stream end of the engine moves; or none."""
