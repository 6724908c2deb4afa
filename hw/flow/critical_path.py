"""The critical path of a routed design, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from darb.hw.flow.hierarchy import Hierarchy


@dataclass(frozen=True)
class CriticalPath:
    """The slowest way from one register to another.

    Parameters
    ----------
    source, target : str
        The components that the path leaves and enters.
    stops : tuple of str
        The components it passes through, source and target included.
    nanoseconds : float
        From the clock's edge to the end of set-up.
    routing : float
        Nanoseconds of these that are wires.
    levels : int
        Cells between the registers.
    """

    source: str
    target: str
    stops: tuple[str, ...]
    nanoseconds: float
    routing: float
    levels: int

    def __str__(self) -> str:
        """Say it in one sentence."""
        if self.source == self.target:
            way = f"Within {self.source}"
        else:
            between = [stop for stop in self.stops if stop not in (self.source, self.target)]
            through = f", through {' and '.join(between)}" if between else ""
            way = f"From {self.source} to {self.target}{through}"
        cells = f"{self.levels} cell{'s' * (self.levels != 1)} between registers"
        share = 100 * self.routing / self.nanoseconds if self.nanoseconds else 0.0
        return f"{way}: {self.nanoseconds:.1f} ns, {cells}, {share:.0f} % of it in wires."


def slowest_path(timing: Mapping, hierarchy: Hierarchy) -> CriticalPath | None:
    """Return the slowest path inside one clock of nextpnr's JSON report, None where it has none."""
    inside = [path for path in timing["critical_paths"] if path["from"] == path["to"]]
    if not inside:
        return None
    path = max(inside, key=lambda path: sum(leg["delay"] for leg in path["path"]))["path"]
    stops = []
    for leg in path:
        for end in ("from", "to"):
            stop = hierarchy.component(leg[end]["cell"])
            if stop not in stops:
                stops.append(stop)
    return CriticalPath(
        source=hierarchy.component(path[0]["from"]["cell"]),
        target=hierarchy.component(path[-1]["to"]["cell"]),
        stops=tuple(stops),
        nanoseconds=sum(leg["delay"] for leg in path),
        routing=sum(leg["delay"] for leg in path if leg["type"] == "routing"),
        levels=sum(leg["type"] == "logic" for leg in path),
    )
