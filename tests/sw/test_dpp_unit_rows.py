"""Rows of units: every unit once, in the row where it belongs."""

import re

import pytest
import torch

from darb.golden import Segments
from darb.sw.dpp import unit_rows

CASES = [
    ((6, 10), {"granularity": "weights"}, (6, 10), (6, 10)),
    ((6, 10), {"granularity": "kernels"}, (6, 10), (6, 10)),
    ((6, 10), {"granularity": "maps"}, (1, 6), (6, 1)),
    ((6, 10), {"granularity": "tiles", "tile": 4}, (18, 4), (6, 10)),
    ((6, 10), {"granularity": "tiles", "tile": 4, "lanes": 2}, (24, 4), (6, 10)),
    ((6, 10), {"granularity": "tiles", "tile": 16}, (6, 10), (6, 10)),
    ((6, 3, 2, 5), {"granularity": "weights"}, (6, 30), (6, 3, 2, 5)),
    ((6, 3, 2, 5), {"granularity": "kernels"}, (6, 3), (6, 3, 1, 1)),
    ((6, 3, 2, 5), {"granularity": "maps"}, (1, 6), (6, 1, 1, 1)),
    ((6, 3, 2, 5), {"granularity": "tiles", "tile": 8}, (24, 8), (6, 3, 2, 5)),
    ((1, 1), {"granularity": "weights"}, (1, 1), (1, 1)),
]


@pytest.mark.parametrize(("shape", "how", "rows", "units"), CASES)
def test_shapes_and_every_unit_once(shape, how, rows, units):
    dealt = unit_rows(shape, **how)
    assert tuple(dealt.index.shape) == rows
    assert dealt.shape == units
    real = dealt.index[dealt.index >= 0]
    count = torch.Size(units).numel()
    assert sorted(real.tolist()) == list(range(count))
    assert int(dealt.widths.sum()) == count
    assert torch.broadcast_shapes(units, shape) == torch.Size(shape)
    # Back and forth is the identity.
    values = torch.arange(count, dtype=torch.float32).view(units)
    there = dealt.to_rows(values, -1.0)
    assert torch.equal(there.long(), dealt.index)
    assert torch.equal(dealt.to_weight(there), values)


@pytest.mark.parametrize(("columns", "lanes", "tile"), [(10, 4, 2), (30, 4, 4), (9, 8, 4)])
def test_tiles_restart_in_every_segment(columns, lanes, tile):
    dealt = unit_rows((2, columns), "tiles", tile=tile, lanes=lanes)
    length = Segments(columns, lanes).length
    for row, units in enumerate(dealt.index):
        places = units[units >= 0] % columns
        assert len({int(place) // length for place in places}) == 1
        assert len({int(place) % length // tile for place in places}) == 1
        assert len({int(unit) // columns for unit in units[units >= 0]}) == 1
        # Rows that are `sharing` apart choose among the same columns.
        other = dealt.index[(row + dealt.sharing) % len(dealt.index)]
        assert torch.equal(other[other >= 0] % columns, places)


@pytest.mark.parametrize(
    ("shape", "how", "kind", "text"),
    [
        (
            (4, 4),
            {"granularity": "filters"},
            ValueError,
            "granularity must be one of weights, tiles, kernels, maps, not 'filters'",
        ),
        ((4, 4), {"granularity": "tiles"}, TypeError, "tile must be an int, not None"),
        (
            (4, 4),
            {"granularity": "tiles", "tile": 6},
            ValueError,
            "tile must be a power of two, not 6",
        ),
        (
            (4, 4),
            {"granularity": "tiles", "tile": 8192},
            ValueError,
            "tile must be in 1..4096, not 8192",
        ),
        (
            (4, 4),
            {"granularity": "tiles", "tile": 4, "lanes": 3},
            ValueError,
            "lanes must be a power of two, not 3",
        ),
        (
            (4, 4),
            {"granularity": "maps", "tile": 4},
            ValueError,
            "tile must be left out for granularity maps, not 4",
        ),
        (
            (4, 4),
            {"granularity": "weights", "lanes": 4},
            ValueError,
            "lanes must be left out for granularity weights, not 4",
        ),
        (
            (4, 4, 4),
            {"granularity": "weights"},
            ValueError,
            "shape must be of a Linear's or Conv2d's weight, not (4, 4, 4)",
        ),
        ((4, 0), {"granularity": "weights"}, ValueError, "shape must be at least 1, not 0"),
    ],
)
def test_refused(shape, how, kind, text):
    with pytest.raises(kind, match=f"^{re.escape(text)}$"):
        unit_rows(shape, **how)
