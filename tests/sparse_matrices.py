"""Random sparse integer matrices of every awkward kind, for the storage formats."""

import numpy as np
from hypothesis import strategies as st


@st.composite
def sparse_matrices(draw, most_rows=40, most_columns=70):
    """A matrix and its weight_bits: any density, some rows and columns emptied."""
    weight_bits = draw(st.integers(2, 8))
    limit = 2 ** (weight_bits - 1) - 1
    shape = draw(st.integers(1, most_rows)), draw(st.integers(1, most_columns))
    density = draw(st.sampled_from([0.0, 0.02, 0.1, 0.3, 1.0]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    weights = rng.integers(1, limit + 1, shape) * rng.choice([-1, 1], shape)
    weights *= rng.random(shape) < density
    if draw(st.booleans()):
        weights[rng.random(shape[0]) < 0.3] = 0
        weights[:, rng.random(shape[1]) < 0.3] = 0
    return weights.astype(np.int8), weight_bits
