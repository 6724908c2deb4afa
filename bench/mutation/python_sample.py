"""Which mutants are tried: a seeded draw, each file by the number of its candidates."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from python_mutants import Mutant, candidates, mutated


@dataclass(frozen=True)
class Stratum:
    """The candidates of one file.

    Parameters
    ----------
    file : str
    source : str
    candidates : tuple of Mutant
    """

    file: str
    source: str
    candidates: tuple[Mutant, ...]


def strata(tree: Path, folder: str) -> list[Stratum]:
    """Return what can be changed in each file under `folder`; files without a candidate are out."""
    found = []
    for path in sorted((tree / folder).rglob("*.py")):
        file, source = path.relative_to(tree).as_posix(), path.read_text()
        mutants = tuple(candidates(file, source))
        if mutants:
            found.append(Stratum(file, source, mutants))
    return found


def quotas(sizes: dict[str, int], count: int, *, least: int = 2) -> dict[str, int]:
    """Return how many of `count` each file gets: its share, rounded up, `least` and its size.

    The sum is at least `count` wherever there are that many candidates.
    """
    total = sum(sizes.values())
    return {file: min(size, max(least, -(-count * size // total))) for file, size in sizes.items()}


def draw(stratum: Stratum, count: int, seed: int) -> Iterator[tuple[Mutant, str]]:
    """Yield up to `count` mutants of a file with their source.

    A place is drawn first, then one of the changes there, so that an operator with eleven
    replacements weighs no more than a number with two. A larger `count` begins with the draw of a
    smaller one, and no file's draw depends on another file.
    """
    at: dict[tuple, list[Mutant]] = defaultdict(list)
    for mutant in stratum.candidates:
        at[mutant.place].append(mutant)
    chance = random.Random(f"{seed} {stratum.file}")
    drawn = 0
    while at and drawn < count:
        places = list(at)
        chance.shuffle(places)
        for place in places:
            if drawn == count:
                return
            mutant = at[place].pop(chance.randrange(len(at[place])))
            if not at[place]:
                del at[place]
            source = mutated(stratum.source, mutant)
            if source is not None:
                drawn += 1
                yield mutant, source
