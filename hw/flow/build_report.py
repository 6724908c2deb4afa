"""What a build came to: report.json for programs, report.md for people."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from darb.hw.flow.resources import Usage

REPORT_JSON = "report.json"
REPORT_MARKDOWN = "report.md"


@dataclass(frozen=True, kw_only=True)
class BuildReport:
    """The figures of one build, each as its tool gave it.

    Parameters
    ----------
    board, title, device : str
    storage : str
    image_digest : str
    lanes, rows : int
    seed : int
        Of placement.
    bitstream : str
        File name.
    bitstream_sha256 : str
    clock_asked_hz, clock_reached_hz : float
        What the PLL makes, and what the slowest path allows.
    clock_tolerance : float
        Share by which the board's clock may be too fast.
    usage : dict of str to Usage
    cycles : float
        Clocks a vector, back to back.
    latency : int
        Clocks from a vector's first input beat to its last output beat.
    critical_path : str
    contents : str
        How the image got into the bitstream, and how that was checked.
    tools : dict of str to str
        Version of each tool.
    seconds : dict of str to float
        Of each step; zero where it came out of the cache.
    """

    board: str
    title: str
    device: str
    storage: str
    image_digest: str
    lanes: int
    rows: int
    seed: int
    bitstream: str
    bitstream_sha256: str
    clock_asked_hz: float
    clock_reached_hz: float
    clock_tolerance: float
    usage: dict[str, Usage]
    cycles: float
    latency: int
    critical_path: str
    contents: str
    tools: dict[str, str]
    seconds: dict[str, float]

    @property
    def timing_met(self) -> bool:
        """The slowest path is fast enough for the clock that the PLL makes, however fast it is."""
        return self.clock_reached_hz >= self.clock_asked_hz * (1 + self.clock_tolerance)

    @property
    def inferences_per_second(self) -> float:
        """Vectors a second that the engine computes, its streams never waiting."""
        return self.clock_asked_hz / self.cycles

    def to_dict(self) -> dict:
        """Return the report as JSON values."""
        return {
            **dataclasses.asdict(self),
            "timing_met": self.timing_met,
            "inferences_per_second": self.inferences_per_second,
        }

    def to_rows(self) -> list[tuple[str, str]]:
        """Return the report as lines of a table: what, and how much."""
        spare = f" (+{100 * self.clock_tolerance:.0f} %)" if self.clock_tolerance else ""
        asked, reached = self.clock_asked_hz / 1e6, self.clock_reached_hz / 1e6
        clock = f"{asked:.2f} MHz{spare} asked, {reached:.2f} MHz"
        cycles = f"{self.cycles:,.1f}".removesuffix(".0")
        return [
            ("board", f"{self.title}, {self.device}"),
            ("lanes x rows", f"{self.lanes} x {self.rows} multipliers, storage {self.storage}"),
            *(
                (kind, f"{use.used:,} of {use.available:,} ({100 * use.share:.1f} %)")
                for kind, use in self.usage.items()
            ),
            ("clock", f"{clock} reached: timing {'met' if self.timing_met else 'missed'}"),
            ("cycles a vector", f"{cycles} back to back, latency {self.latency:,}"),
            ("inferences a second", f"{self.inferences_per_second:,.0f}"),
            ("critical path", self.critical_path),
            ("contents", self.contents),
            ("seed", str(self.seed)),
            ("seconds", ", ".join(f"{name} {value:.1f}" for name, value in self.seconds.items())),
            ("tools", ", ".join(f"{tool}: {version}" for tool, version in self.tools.items())),
            ("image", self.image_digest),
            ("bitstream", f"{self.bitstream}, SHA-256 {self.bitstream_sha256}"),
        ]

    def to_markdown(self) -> str:
        """Return the report as a page."""
        lines = [f"# Build for {self.title}", "", "| | |", "|---|---|"]
        lines += [f"| {what} | {text.replace('|', '/')} |" for what, text in self.to_rows()]
        return "\n".join(lines) + "\n"
