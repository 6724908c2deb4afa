"""Irregular pruning against torch's own, and its exact counts."""

import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import prune as torch_prune

from darb.sw.networks import mlp
from darb.sw.pruning import Irregular, irregular_mask, irregular_masks, mask, prune

torch.set_num_threads(1)


@given(st.integers(1, 8), st.integers(1, 20), st.integers(0, 2**32 - 1), st.data())
def test_exact_count_with_ties_and_the_first_stay(rows, columns, seed, data):
    scores = np.random.default_rng(seed).integers(0, 3, size=(rows, columns))
    keep = data.draw(st.integers(0, scores.size))
    kept = irregular_mask(scores, keep=keep)
    flat = scores.ravel()
    order = sorted(range(flat.size), key=lambda i: (-flat[i], i))
    assert np.flatnonzero(kept).tolist() == sorted(order[:keep])


@pytest.mark.parametrize("ratio", [1, 1.7, 4, 13, 50])
def test_a_layer_as_torch_prunes_it(ratio):
    layer = nn.Linear(40, 30, bias=False)
    kept = mask(layer.weight.detach().numpy(), ratio=ratio, method="irregular").mask
    torch_prune.l1_unstructured(layer, "weight", amount=layer.weight.numel() - int(kept.sum()))
    assert (layer.weight_mask.bool().numpy() == kept).all()
    assert kept.sum() == int(1200 / ratio)


def test_all_layers_together_as_torch_prunes_them():
    model = mlp((32, 48, 24, 10), seed=3)
    layers = [module for module in model if isinstance(module, nn.Linear)]
    weights = [layer.weight.detach().abs() for layer in layers]
    keep = sum(weight.numel() for weight in weights) // 8
    kept = irregular_masks(weights, keep=keep)
    torch_prune.global_unstructured(
        [(layer, "weight") for layer in layers],
        torch_prune.L1Unstructured,
        amount=sum(weight.numel() for weight in weights) - keep,
    )
    assert all(
        torch.equal(layer.weight_mask.bool(), mask)
        for layer, mask in zip(layers, kept, strict=True)
    )


def test_normalized_layers_compare_by_their_shares():
    small = np.random.default_rng(0).random((20, 20)) / 100
    large = np.random.default_rng(1).random((20, 20))
    plain = irregular_masks([small, large], keep=80)
    fair = irregular_masks([small, large], keep=80, normalized=True)
    assert [int(mask.sum()) for mask in plain] == [0, 80]
    assert sum(int(mask.sum()) for mask in fair) == 80
    assert all(30 < int(mask.sum()) < 50 for mask in fair)
    nothing = irregular_masks([np.zeros((2, 3)), np.ones((2, 3))], keep=6, normalized=True)
    assert [int(mask.sum()) for mask in nothing] == [0, 6]


def test_every_layer_alone():
    method = Irregular(scope="layer")
    report = prune(mlp((32, 48, 10)), ratio=8, method=method, saliency="magnitude").report()
    assert [layer.stored for layer in report.layers] == [32 * 48 // 8, 480 // 8]


@pytest.mark.parametrize(
    ("call", "kind", "text"),
    [
        (
            lambda: irregular_mask(np.ones((2, 3)), keep=7),
            ValueError,
            "keep must be in 0..6, not 7",
        ),
        (
            lambda: Irregular(scope="row"),
            ValueError,
            "scope must be one of global, layer, not 'row'",
        ),
        (lambda: Irregular(normalized=1), TypeError, "normalized must be a bool, not 1"),
        (
            lambda: mask(np.ones((2, 3)), ratio=7, method="irregular"),
            ValueError,
            "ratio must be at most 6 for a weight to stay in layer 0, not 7",
        ),
    ],
)
def test_refused(call, kind, text):
    with pytest.raises(kind, match=f"^{re.escape(text)}$"):
        call()
