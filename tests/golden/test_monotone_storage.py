"""Less to store never takes more words."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from darb.golden import IntegerLayer, IntegerNetwork, Pattern, fit_config, pack
from darb.golden.loading import used_words


@st.composite
def networks(draw):
    """Draw a layer of any patterns; where its weights are makes no difference to any size."""
    rows, columns = draw(st.integers(1, 12)), draw(st.integers(1, 40))
    patterns = draw(
        st.lists(
            st.builds(Pattern, st.integers(1, 4), st.integers(1, 2)), min_size=rows, max_size=rows
        )
    )
    layer = IntegerLayer(
        name="only",
        weights=np.zeros((rows, columns), dtype=np.int64),
        bias=[0] * rows,
        multiplier=[1 << 15] * rows,
        shift=[20] * rows,
        relu=False,
        patterns=tuple(patterns),
        columns=np.arange(columns),
    )
    return IntegerNetwork(layers=(layer,))


shapes = st.builds(
    lambda lanes, rows: {"lanes": 1 << lanes, "rows": 1 << rows},
    st.integers(0, 3),
    st.integers(0, 2),
)


def sizes(network, shape):
    """Return the words of each memory that are read."""
    return used_words(pack(network, fit_config(network, **shape)))


def with_rows(network, kept, patterns):
    (layer,) = network.layers
    fields = ("weights", "bias", "multiplier", "shift")
    chosen = {name: getattr(layer, name)[kept] for name in fields}
    smaller = replace(layer, **chosen, patterns=tuple(patterns[row] for row in kept))
    return IntegerNetwork(layers=(smaller,))


@settings(max_examples=60)
@given(networks(), shapes, st.data())
def test_a_row_less(network, shape, data):
    (layer,) = network.layers
    rows = len(layer.patterns)
    if rows > 1:
        gone = data.draw(st.integers(0, rows - 1))
        kept = [row for row in range(rows) if row != gone]
        smaller = sizes(with_rows(network, kept, layer.patterns), shape)
        for name, size in sizes(network, shape).items():
            assert smaller[name] <= size, name


@settings(max_examples=60)
@given(networks(), shapes)
def test_larger_blocks_and_fewer_weights_in_each(network, shape):
    """In every row alike, so that no row leaves its group."""
    (layer,) = network.layers
    full = sizes(network, shape)
    rows = list(range(len(layer.patterns)))
    for less in (lambda p: Pattern(p.k + 1, p.keep), lambda p: Pattern(p.k, 1)):
        smaller = sizes(with_rows(network, rows, [less(p) for p in layer.patterns]), shape)
        assert smaller["weights"] <= full["weights"]
