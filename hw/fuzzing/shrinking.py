"""Shrinking: the smallest case found in the time that still fails in the same way."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path

from darb.hw.fuzzing.case import FuzzCase
from darb.hw.fuzzing.comparison import ARITHMETIC, GOLDEN, PARTIES, Mismatch, Tools, check_case
from darb.hw.fuzzing.moves import Move, moves

_CHEAPEST = (GOLDEN, ARITHMETIC, *PARTIES)


def shrink(
    case: FuzzCase,
    mismatches: Sequence[Mismatch],
    tools: Tools,
    *,
    seconds: float,
    attempts: int | None = None,
    scratch: Path | None = None,
) -> FuzzCase:
    """Return a smaller case that fails as `case` does.

    Greedy: every move that leaves the mismatch is made, until none does. Where several parties
    differ, one is kept, that which is cheapest to ask.

    Parameters
    ----------
    case : FuzzCase
    mismatches : sequence of Mismatch
        Of `case`; at least one.
    tools : dict of str to Simulator or None
        That found them.
    seconds : float
        After which it ends with what it has.
    attempts : int, optional
        Moves after which it ends, too.
    scratch : Path, optional
        See `check_case`.
    """
    until = time.monotonic() + seconds
    left = math.inf if attempts is None else attempts
    wanted = min(mismatches, key=lambda mismatch: _CHEAPEST.index(mismatch.party))
    asked = {party: tool for party, tool in tools.items() if party == wanted.party}
    place = refused = 0
    while refused < len(waiting := list(moves(case))) and time.monotonic() < until and left:
        place, left = place % len(waiting), left - 1
        smaller = _made(waiting[place])
        if smaller is not None and _fails_so(smaller, wanted, asked, scratch):
            # What was a move once is likely to be one again.
            case, refused = smaller, 0
        else:
            place, refused = place + 1, refused + 1
    return case


def _made(move: Move) -> FuzzCase | None:
    """Return the smaller case, or None where there is none that the packer takes."""
    try:
        smaller = move()
        _ = smaller.images
    except Exception:
        # What is wrong with the packer, if anything is, is another failure than the one at hand.
        return None
    return smaller


def _fails_so(case: FuzzCase, wanted: Mismatch, tools: Tools, scratch: Path | None) -> bool:
    return any(wanted.is_like(found) for found in check_case(case, tools, scratch).mismatches)
