"""The page, plots and JSON record of the cases that are done, for `decoders.py`."""

from __future__ import annotations

import json

from decoder_engines import MULTIPLIERS
from decoder_grid import (
    BUILT_RATIO,
    NETWORK,
    RECORD,
    ROOT,
    WIDELY_BUILT,
    Case,
    cases,
    finished,
)
from decoder_layers import SHAPES
from decoder_plot import draw
from decoder_tables import (
    area,
    bits_a_weight,
    efficiency,
    network,
    over_ratios,
    storage,
    title_of,
    utilisation,
)

RESULTS = ROOT / "docs" / "results"
PAGE = RESULTS / "decoders.md"
FEW = min(MULTIPLIERS)

INTRODUCTION = """# Decoders: DARB's engine beside those of rival formats

Written by `python bench/decoders/decoders.py`; every figure is in [decoders.json](decoders.json).
What it comes to is said in [../baselines.md](../baselines.md).

All engines have multipliers of 8 x 8 bits, the same stream ends, the same post-processor and the
same tools, and serve one layer. Bits and clocks are counted by golden models that simulation holds
to every word and every clock. Rows of CSR and BSR are put in the order that gives lanes equal work,
and queues let a lane run ahead of the others by 16 rows, into the next vector too; BSR goes with
its block rows spread over lanes, and with one block row at a time on all multipliers. CSC is EIE's
scheme: rows dealt to lanes, 4-bit skips, zeros of the vector skipped.

- *useful weights*: weights that are not zero. What pads a format is stored, but not useful.
- *utilisation*: useful weights over multipliers times clocks between vectors, no activation zero.
  No engine here gives more than one row a clock, which is what limits all of them where rows have
  fewer weights than there are multipliers; DARB is then folded onto fewer.
- *decoder*: the components that turn stored words into a weight and its activation's place at a
  multiplier: sequencers, index decoder, what holds lengths, pointers or sections, EIE's queues. In
  place it is what is left of them in the placed engine, small memories of lengths and pointers with
  them where these are in LUTs; alone they are built one by one, without memories of the layer.
  Memories of activations, which CSR and BSR have once a lane, are in neither.

Placed are engines of 16 multipliers on each shape, with nextpnr's first router, and of 64 on one,
with its second, which EIE's scheme needs for 2048 x 1024 and LeNet's layer, too, and whose ways are
longer. For CSR and EIE's scheme with 64 it found no ways in half an hour. One seed each.
"""


def _by_ratio(found: list[tuple[Case, dict]], shape: tuple[int, int], multipliers: int) -> dict:
    return {
        (case.engine, case.ratio): result
        for case, result in found
        if case.shape == shape and case.multipliers == multipliers
    }


def _synthetic(found: list[tuple[Case, dict]], shape: tuple[int, int]) -> list[str]:
    title = f"{shape[0]} x {shape[1]}"
    lines = [f"## {title}, random weights in rows and columns of unlike size", ""]
    for multipliers in MULTIPLIERS:
        results = _by_ratio(found, shape, multipliers)
        if not results:
            continue
        picture = f"decoders-{shape[0]}x{shape[1]}-{multipliers}.png"
        panels = {"utilisation, %": utilisation, "stored bits a useful weight": bits_a_weight}
        draw(RESULTS / picture, f"{title}, {multipliers} multipliers", results, panels)
        lines += [f"Utilisation of {multipliers} multipliers in percent:", ""]
        lines += over_ratios(results, utilisation)
        lines += [f"![Utilisation and storage]({picture})", ""]
    results = _by_ratio(found, shape, FEW)
    lines += [f"Stored bits a useful weight, 8 of them the weight, {FEW} multipliers:", ""]
    return lines + over_ratios(results, bits_a_weight)


def _built(results: list[dict], what: str) -> list[str]:
    """Return the areas of those that were built, and DARB's efficiency among them."""
    tried = [result for result in results if result["area"] is not None]
    refused = [result for result in tried if "refused" in result["area"]]
    built = [result for result in tried if "refused" not in result["area"]]
    lines = []
    for result in refused:
        lines += [f"{title_of(result)}: {result['area']['refused']}.", ""]
    if built:
        lines += [f"Placed and routed alone on an ECP5-85F of speed grade 6, {what}:", ""]
        lines += area(built)
    for multipliers in MULTIPLIERS:
        some = [result for result in built if result["multipliers"] == multipliers]
        if len(some) > 1 and any(result["engine"] == "darb" for result in some):
            lines += [f"Decoding efficiency, {multipliers} multipliers, {what}:", ""]
            lines += efficiency(some)
    return lines


def write_page() -> None:
    """Write the page, its plots and the record."""
    found = [(case, result) for case in cases() if (result := finished(case)) is not None]
    lines = [INTRODUCTION]
    for shape in SHAPES:
        if not any(case.shape == shape for case, _ in found):
            continue
        lines += _synthetic(found, shape)
        results = [
            result
            for case, result in found
            if case.shape == shape and case.ratio in (1, BUILT_RATIO)
        ]
        if shape == WIDELY_BUILT:
            few = [result for result in results if result["multipliers"] == FEW]
            lines += [f"Stored bits at ratio {BUILT_RATIO}, item by item:", "", *storage(few)]
        lines += _built(results, f"{shape[0]} x {shape[1]} at ratio {BUILT_RATIO}")
    trained = [result for case, result in found if case.shape is None]
    if trained:
        lines += [f"## {NETWORK}, layer after layer", ""]
        lines += [
            "Each method is at the largest of the ratios run that loses at most 0.3 point of",
            "integer accuracy, as the mean over the seeds in [pruning.md](pruning.md); some would",
            "lose less than that at a ratio in between. The network is that of the first seed.",
            "",
        ]
        lines += network(trained)
        lines += _built(trained, f"first layer of {NETWORK}")
    PAGE.write_text("\n".join(lines).rstrip() + "\n")
    rows = ",\n ".join(json.dumps(result) for _, result in found)
    RECORD.write_text(f"[\n {rows}\n]\n")
