"""Which engine a board is best given: every folding's exact cycles and estimated resources."""

from __future__ import annotations

from collections.abc import Callable

from darb.golden import Image, IntegerNetwork, Storage, unpack
from darb.hw.boards import Board
from darb.sw.board_plan import Plan
from darb.sw.folding import check_shape
from darb.sw.folding_search import FoldingSearch, Networks, excess, fastest
from darb.sw.plan_remedies import remedies
from darb.sw.validation import check_int


def plan(
    source: IntegerNetwork | Image | Networks,
    board: Board,
    *,
    lanes: int | None = None,
    rows: int | None = None,
    storage: Storage = Storage.ROM,
    clock_hz: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Plan:
    """Return every folding of a network on a board, and the one to build.

    Parameters
    ----------
    source : IntegerNetwork, Image or callable
        A function is called with lanes and rows and returns the network pruned for them. An
        image's own folding is taken with its own config, the others with the smallest that holds
        its network.
    board : Board
    lanes, rows : int, optional
        Pin one of them, or both.
    storage : Storage
    clock_hz : int, optional
        Of the engine; by default what it is expected to reach.
    progress : callable, optional
        Called with the candidates done and how many there are.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If a value is out of its range, or the network suits no folding at all.
    """
    if not isinstance(board, Board):
        raise TypeError(f"board must be a Board, not {board!r}")
    if not isinstance(storage, Storage):
        raise TypeError(f"storage must be a Storage, not {storage!r}")
    check_shape(multipliers=None, lanes=lanes, rows=rows)
    if clock_hz is not None:
        check_int("clock_hz", clock_hz, 1)
    own, pinned = None, {}
    if isinstance(source, Image):
        own, network = source.config, unpack(source)
        pinned = {"output_mode": own.output_mode, "index_word_bits": own.index_word_bits}
        networks: Networks = lambda lanes, rows: network  # noqa: E731
    elif isinstance(source, IntegerNetwork):
        networks = lambda lanes, rows: source  # noqa: E731
    elif callable(source):
        networks = source
    else:
        raise TypeError(f"source must be an IntegerNetwork, an Image or a function, not {source!r}")
    search = FoldingSearch(
        networks=networks,
        pinned=pinned,
        own=own,
        lanes=lanes,
        rows=rows,
        storage=storage,
        clock_hz=clock_hz,
    )
    candidates, refused = search.run(board, progress)
    chosen = fastest(candidates)
    found = {"candidates": tuple(candidates), "chosen": chosen, "refused": refused}
    if chosen is not None:
        return Plan(board=board, storage=storage, **found)
    nearest = min(candidates, key=excess)
    network = networks(nearest.lanes, nearest.rows)
    bits = search.config(network, nearest.lanes, nearest.rows).accumulator_bits
    return Plan(
        board=board,
        storage=storage,
        nearest=nearest,
        remedies=tuple(remedies(search, board, bits)),
        **found,
    )
