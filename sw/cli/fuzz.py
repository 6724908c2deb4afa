"""``darb fuzz``: random engines, networks and stimuli in every simulator, until one differs."""

from __future__ import annotations

import math
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from darb.hw.fuzzing.campaign import Campaign
    from darb.hw.fuzzing.case_file import Reproduction
    from darb.hw.fuzzing.comparison import Verdict

SIMULATORS = "amaranth,verilator,icarus"
REPORT = "fuzz.json"


def fuzz(
    minutes: Annotated[
        float, typer.Option(min=0, help="How long; the cases under way are then finished.")
    ] = 1.0,
    seed: Annotated[int, typer.Option(min=0, help="Case I of a seed is always the same.")] = 0,
    cases: Annotated[int | None, typer.Option(min=1, help="End after so many cases, too.")] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Cases at once; by default one a core.")
    ] = None,
    simulators: Annotated[
        str, typer.Option(metavar="NAME,...", help="What each case is run in.")
    ] = SIMULATORS,
    out: Annotated[
        Path,
        typer.Option("--out", "-o", metavar="DIR", help=f"Where {REPORT} and what fails go."),
    ] = Path("darb-fuzz"),
    replay: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Run one case that failed once more.")
    ] = None,
) -> None:
    """Compare random cases with the golden model, bit for bit and clock for clock.

    A case is an engine, its networks and what is sent to them. The first that fails ends the
    command with status 1; it is made as small as can be and written to a file. So does what keeps
    the fuzzer from going on.
    """
    from darb.hw.fuzzing.comparison import FuzzingError, find_tools
    from darb.hw.simulators import ToolMissingError
    from darb.sw.cli.failures import tell

    if not math.isfinite(60 * minutes):
        raise ValueError(f"minutes must be a finite number, not {minutes!r}")
    try:
        tools = find_tools(tuple(simulators.split(",")))
    except ToolMissingError as error:
        raise ToolMissingError(
            f"{error}; --simulators {SIMULATORS} names what to run, leave out what is missing"
        ) from None
    try:
        if replay is not None:
            _replay(replay, tools)
            return
        _check_writable(out)
        campaign = _run(seed, tools, minutes=minutes, cases=cases, jobs=jobs, out=out)
    except FuzzingError as error:
        tell(str(error))
        raise typer.Exit(1) from None
    _write_report(campaign, minutes, out)
    again = "" if simulators == SIMULATORS else f" --simulators {simulators}"
    _show(campaign, out, again)
    if campaign.failures:
        raise typer.Exit(1)


def _check_writable(out: Path) -> None:
    """Make the directory; what cannot be written there shall be known before hours of work."""
    out.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.NamedTemporaryFile(prefix=".darb-fuzz-", dir=out):
            pass
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(out)) from None


def _run(
    seed: int, tools: dict, *, minutes: float, cases: int | None, jobs: int | None, out: Path
) -> Campaign:
    from darb.hw.fuzzing.campaign import fuzz as run
    from darb.hw.fuzzing.case_file import write_case
    from darb.sw.cli.screen import stages

    total = max(1, round(60 * minutes))
    with stages() as show:

        def progress(seconds: float, campaign: Campaign) -> None:
            left = max(0, total - int(seconds))
            note = f"{campaign.counts['cases']:,} cases, {left} s left, "
            note += "a mismatch" if campaign.failures else "no mismatch"
            show("fuzz", min(int(seconds), total), total, note)

        return run(
            seed,
            tools,
            seconds=60 * minutes,
            most_cases=cases,
            jobs=jobs or os.cpu_count() or 1,
            progress=progress,
            # At once: what ends the campaign later shall lose nothing.
            found=lambda failure: write_case(_case_path(out, failure), failure),
        )


def _case_path(out: Path, failure: Reproduction) -> Path:
    return out / f"case-{failure.seed}-{failure.index}.json"


def _write_report(campaign: Campaign, minutes: float, out: Path) -> None:
    from darb.hw.fuzzing.case_file import write_whole

    report = {
        "seed": campaign.seed,
        "minutes": minutes,
        "seconds": round(campaign.seconds, 1),
        **{name: campaign.counts[name] for name in ("cases", "networks", "runs", "vectors")},
        "clocks": dict(campaign.clocks),
        "mismatches": len(campaign.failures),
        "failures": [_case_path(out, failure).name for failure in campaign.failures],
        "tools": campaign.tools,
    }
    write_whole(out / REPORT, report)


def _show(campaign: Campaign, out: Path, again: str) -> None:
    """Tell what was tried; `again` are the options that a replay needs."""
    from darb.sw.cli.failures import tell
    from darb.sw.cli.screen import show_next, show_table

    counts = campaign.counts
    rows = [("seed", str(campaign.seed)), ("seconds", f"{campaign.seconds:,.0f}")]
    rows += [(name, f"{counts[name]:,}") for name in ("cases", "networks", "runs", "vectors")]
    rows += [(f"clocks, {name}", f"{count:,}") for name, count in campaign.clocks.items()]
    rows.append(("mismatches", str(len(campaign.failures))))
    show_table(rows, title="Fuzzing")
    if not campaign.failures:
        show_next("Every output and every clock equals the golden model's.")
    for failure in campaign.failures:
        path = _case_path(out, failure)
        show_next(f"Again: darb fuzz --replay {path}{again}")
        tell(f"case {failure.index} of seed {failure.seed}: {failure.mismatches[0]}; {path}")


def _replay(path: Path, tools: dict) -> None:
    from darb.hw.fuzzing.case_file import read_case
    from darb.hw.fuzzing.comparison import check_case
    from darb.sw.cli.failures import tell
    from darb.sw.cli.screen import show_next, show_table

    found = read_case(path)
    case, verdict = found.case, check_case(found.case, tools)
    shapes = ", ".join(
        " ".join(f"{layer.shape[0]}x{layer.shape[1]}" for layer in network.layers)
        for network in case.networks
    )
    rows = [
        ("shrunk from", f"case {found.index} of seed {found.seed}"),
        ("engine", f"{case.config.lanes} lanes, {case.config.rows} rows, {case.storage}"),
        ("networks", shapes),
        ("vectors", f"{verdict.vectors:,}"),
    ]
    rows += [("then", str(mismatch)) for mismatch in found.mismatches]
    rows += [("now", told) for told in _told(verdict)]
    show_table(rows, title="Replay")
    if not verdict.mismatches:
        show_next("Every output and every clock equals the golden model's.")
        return
    tell(f"{path}: {verdict.mismatches[0]}")
    raise typer.Exit(1)


def _told(verdict: Verdict) -> list[str]:
    return [str(mismatch) for mismatch in verdict.mismatches] or ["no mismatch"]
