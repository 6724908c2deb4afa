"""The tables of docs/results/decoders.md, for `decoder_page.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from decoder_efficiency import DEFINITIONS
from decoder_engines import CONTENDERS
from decoder_layers import RATIOS

ITEMS = ("values", "indices", "pointers", "padding")


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    """Return the lines of a table, and an empty one."""
    heads = list(heads)
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    return [*lines, *("| " + " | ".join(row) + " |" for row in rows), ""]


def title_of(result: dict) -> str:
    """Return an engine's title, with the pruning of its network where there is one."""
    title = CONTENDERS[result["engine"]].title
    row = result["row"]
    return title if row is None else f"{title}; {row}, ratio {result['ratio']}"


def utilisation(result: dict) -> float:
    """Return useful weights over multipliers times clocks, in percent, layer after layer.

    All multipliers count that the engine was given, though a fold may use fewer.
    """
    weights = sum(layer["weights"] for layer in result["layers"])
    clocks = sum(layer["interval"] for layer in result["layers"])
    return 100 * weights / (result["multipliers"] * clocks)


def bits_a_weight(result: dict) -> float:
    """Return all stored bits over useful weights."""
    layers = result["layers"]
    bits = sum(sum(layer["storage"].values()) for layer in layers)
    return bits / sum(layer["weights"] for layer in layers)


def over_ratios(results: dict, figure: Callable[[dict], float]) -> list[str]:
    """Return a figure of every engine over the ratios; results are by engine and ratio."""
    rows = []
    for engine, contender in CONTENDERS.items():
        cells = [
            f"{figure(results[engine, ratio]):.1f}" if (engine, ratio) in results else ""
            for ratio in RATIOS
        ]
        if any(cells):
            rows.append([contender.title, *cells])
    return table(["", *(f"ratio {ratio}" for ratio in RATIOS)], rows)


def storage(results: Iterable[dict]) -> list[str]:
    """Return the bits of a layer item by item."""
    rows = []
    for result in results:
        layer = result["layers"][0]
        bits = (f"{layer['storage'][item]:,}" for item in ITEMS)
        rows.append([title_of(result), f"{layer['weights']:,}", *bits])
    return table(["", "useful weights", *ITEMS], rows)


def area(results: Iterable[dict]) -> list[str]:
    """Return what place and route counts."""
    heads = ["", "multipliers", "fold", "LUT", "FF", "DP16KD", "MULT18X18D", "MHz"]
    heads += ["decoder in place: LUT, FF", "alone: LUT, FF"]
    rows = []
    for result in results:
        built, layer = result["area"], result["layers"][0]
        used, inside, alone = built["used"], built["decoder"], built["decoder_alone"]
        cells = [f"{used[kind]:,}" for kind in ("LUT", "FF", "block RAM", "multiplier")]
        cells += [f"{built['clock_mhz']:.1f}"]
        cells += [f"{part['LUT']:,}, {part['FF']:,}" for part in (inside, alone)]
        rows.append([title_of(result), str(result["multipliers"]), layer["fold"], *cells])
    return table(heads, rows)


def network(results: Iterable[dict]) -> list[str]:
    """Return a network's storage and clocks, its layers one after another."""
    heads = ["", "multipliers", "accuracy, %", "useful weights", "stored bits", "clocks"]
    heads += ["utilisation, %", "clocks, zeros in the vectors skipped"]
    rows = []
    for result in results:
        layers = result["layers"]
        clocks = sum(layer["interval"] for layer in layers)
        weights = sum(layer["weights"] for layer in layers)
        zeros = sum(layer["zeros_interval"] for layer in layers)
        bits = sum(sum(layer["storage"].values()) for layer in layers)
        rows.append(
            [
                title_of(result),
                str(result["multipliers"]),
                f"{100 * result['accuracy']:.2f}",
                f"{weights:,}",
                f"{bits:,}",
                f"{clocks:,.0f}",
                f"{utilisation(result):.1f}",
                "" if zeros == clocks else f"{zeros:,.0f}",
            ]
        )
    return table(heads, rows)


def efficiency(results: Iterable[dict]) -> list[str]:
    """Return DARB's figures over those of every rival, by definition."""
    results = list(results)
    (ours,) = (result for result in results if result["engine"] == "darb")
    rivals = [result for result in results if result["engine"] not in ("darb", "dense")]
    rows = []
    for name, value in DEFINITIONS.items():
        quotients = (value(ours) / value(theirs) for theirs in rivals)
        rows.append([name, *(f"{quotient:.2f}" for quotient in quotients)])
    return table(["DARB's over that of", *map(title_of, rivals)], rows)
