"""Mutation testing of the generated Verilog: draw mutants, run the benches, prove what survives.

Run it with ``python bench/mutation/verilog.py``. Everything is kept in build/mutation, by the
digests of the netlists and the benches: a run that was stopped goes on where it was, and a bench
that has changed meets only those mutants that the others have not noticed.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated

# Before NumPy starts threads: the benches' processes fork.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import equivalence
import typer
from designs import DESIGNS
from mutant_run import Campaign, Fate
from mutants import NETLIST, Mutant
from rich.console import Console
from verilog_page import PAGE, ROOT, Judged, score, section, with_section

from darb.hw.flow.tools import find_tool
from darb.hw.simulators import find_simulator

WORKPLACE = ROOT / "build" / "mutation"


def _proofs(campaign: Campaign, fates: list[Fate], jobs: int) -> list[Judged]:
    """Return every mutant's end; proofs are kept as results are."""
    how = hashlib.sha256(Path(equivalence.__file__).read_bytes()).hexdigest()[:12]
    kept = campaign.kept / f"proofs-{how}.json"
    known = json.loads(kept.read_text()) if kept.exists() else {}
    due = [fate.mutant for fate in fates if fate.bench is None and fate.mutant.name not in known]

    def prove(mutant: Mutant) -> str | None:
        place = campaign.directory / f"proof-{mutant.name}"
        found = equivalence.proof(campaign.directory / NETLIST, mutant, place)
        shutil.rmtree(place)
        return found

    with ThreadPoolExecutor(jobs) as pool:
        for mutant, found in zip(due, pool.map(prove, due), strict=True):
            known[mutant.name] = found
            kept.write_text(json.dumps(known, indent=1))
    return [
        Judged(campaign.design.name, fate, None if fate.bench else known[fate.mutant.name])
        for fate in fates
    ]


def _spent() -> float:
    """Return the processor time of this process and of all that it has started."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def main(
    jobs: Annotated[int, typer.Option(min=1, help="Simulations at once.")] = os.cpu_count() or 1,
    count: Annotated[int, typer.Option(min=4, help="Mutants in all.")] = 360,
    seed: Annotated[int, typer.Option(help="Of the mutants.")] = 1,
    page: Annotated[bool, typer.Option(help="Write the section of docs/results/trust.md.")] = True,
) -> None:
    """Run the campaign and write its section of docs/results/trust.md."""
    console = Console(highlight=False, soft_wrap=True)
    simulator = find_simulator("verilator")
    account = WORKPLACE / f"seconds-{count}-{seed}"
    before = float(account.read_text()) if account.exists() else 0.0
    judged = []
    for make in DESIGNS:
        design = make()
        place = WORKPLACE / make.__name__
        share = round(count * design.share)
        campaign = Campaign(design, place, count=share, seed=seed, simulator=simulator)
        console.print(f"{design.name}: {len(campaign.mutants)} mutants")

        def tell(fate: Fate) -> None:
            if fate.bench is None:
                console.print(f"  not noticed: {fate.mutant}", markup=False)

        ends = _proofs(campaign, campaign.run(jobs, tell), jobs)
        for each in ends:
            if each.survives:
                console.print(f"  survives: {each.fate.mutant}", markup=False)
        console.print(f"  {score(ends):.1f} %")
        judged += ends
        account.write_text(f"{before + _spent():.0f}")
    tools = (f"yosys ({find_tool('yosys').version})", simulator.version)
    console.print(f"all: {len(judged)} mutants, {score(judged):.1f} %")
    if page:
        text = section(judged, seconds=float(account.read_text()), tools=tools, seed=seed)
        PAGE.write_text(with_section(PAGE.read_text(), text))
        console.print(f"Written: {Path(os.path.relpath(PAGE))}")


if __name__ == "__main__":
    typer.run(main)
