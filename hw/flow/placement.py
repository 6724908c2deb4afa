"""Where each cell of a placed design is."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

from darb.hw.flow.hierarchy import Hierarchy
from darb.hw.flow.resources import top_module

PLACEMENT = "placement.json"
_PLACE = re.compile(r"X(\d+)/?Y(\d+)/")


def read_placement(placed: Mapping, hierarchy: Hierarchy) -> dict[str, list[list[int]]]:
    """Return, for each component of the design, the tiles it is in.

    Parameters
    ----------
    placed : mapping
        Nextpnr's placed design.
    hierarchy : Hierarchy
        Of its netlist.

    Returns
    -------
    dict of str to list of [x, y, cells]
        Components in the order of their size, largest first; tiles in the order of x, then y.
    """
    tiles: dict[str, Counter] = {}
    for name, cell in top_module(placed)["cells"].items():
        place = _PLACE.match(cell["attributes"].get("NEXTPNR_BEL", ""))
        if place is not None:
            owner = tiles.setdefault(hierarchy.component(name), Counter())
            owner[int(place[1]), int(place[2])] += 1
    order = sorted(tiles, key=lambda owner: (-tiles[owner].total(), owner))
    return {
        owner: [[x, y, count] for (x, y), count in sorted(tiles[owner].items())] for owner in order
    }
