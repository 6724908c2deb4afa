"""Block pruning: exact counts of blocks, ragged edges, one budget for all layers."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darb.sw.networks import mlp
from darb.sw.pruning import SquareBlocks, mask, prune, square_block_mask
from darb.sw.pruning.square_blocks import block_means


def blocks(shape, size):
    """Yield the slices of each block by rows."""
    for row in range(0, shape[0], size):
        for column in range(0, shape[1], size):
            yield slice(row, row + size), slice(column, column + size)


@given(
    st.integers(1, 13),
    st.integers(1, 13),
    st.integers(1, 8),
    st.integers(0, 2**32 - 1),
    st.data(),
)
def test_exactly_the_best_blocks_stay(rows, columns, size, seed, data):
    scores = np.random.default_rng(seed).integers(0, 2, size=(rows, columns))
    places = list(blocks(scores.shape, size))
    means = [scores[place].mean() for place in places]
    assert block_means(scores, size).ravel().tolist() == means
    keep = data.draw(st.integers(0, len(places)))
    expected = np.zeros(scores.shape, dtype=bool)
    for index in sorted(range(len(means)), key=lambda i: (-means[i], i))[:keep]:
        expected[places[index]] = True
    assert (square_block_mask(scores, size=size, keep=keep) == expected).all()


@pytest.mark.parametrize("size", range(2, 9))
def test_whole_blocks_under_one_ratio(size):
    model = mlp((40, 48, 24), seed=2)
    pruner = prune(model, ratio=4, method=SquareBlocks(size=size), saliency="magnitude")
    report = pruner.report()
    assert report.slots == int(report.weights / 4 / size**2) * size**2
    assert report.stored <= report.slots
    for kept in pruner.masks.values():
        per_block = [kept.mask[place] for place in blocks(kept.mask.shape, size)]
        assert all(part.all() or not part.any() for part in per_block)
        assert kept.slots() == sum(bool(part.any()) for part in per_block) * size**2


def test_a_layer_of_small_weights_is_judged_by_itself():
    model = mlp((40, 48, 40), seed=2)
    before = prune(mlp((40, 48, 40), seed=2), ratio=4, method="block", saliency="magnitude").masks
    model[0].weight.data *= 0.125
    after = prune(model, ratio=4, method="block", saliency="magnitude").masks
    assert all((before[name].mask == kept.mask).all() for name, kept in after.items())


@pytest.mark.parametrize(
    ("call", "kind", "text"),
    [
        (lambda: SquareBlocks(size=0), ValueError, "size must be in 1..256, not 0"),
        (lambda: SquareBlocks(size=2.0), TypeError, "size must be an int, not 2.0"),
        (
            lambda: square_block_mask(np.ones((5, 5)), size=4, keep=5),
            ValueError,
            "keep must be in 0..4, not 5",
        ),
        (
            lambda: mask(np.ones((8, 8)), ratio=5, method=SquareBlocks(size=4)),
            ValueError,
            "ratio must be at most 4.0, for one block of each layer takes 16 slots, not 5",
        ),
    ],
)
def test_refused(call, kind, text):
    with pytest.raises(kind, match=f"^{re.escape(text)}$"):
        call()
