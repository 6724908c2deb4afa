"""Structured pruning against torch's own, and its exact counts."""

import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import prune as torch_prune

from darb.sw.networks import mlp
from darb.sw.pruning import Structured, mask, prune, structured_mask

torch.set_num_threads(1)


@given(
    st.integers(1, 6),
    st.integers(1, 6),
    st.integers(1, 4),
    st.sampled_from(["row", "column", "channel", "kernel"]),
    st.integers(0, 2**32 - 1),
    st.data(),
)
def test_exact_count_of_whole_units_and_the_first_of_equals(rows, channels, area, unit, seed, data):
    scores = np.random.default_rng(seed).integers(0, 2, size=(rows, channels, area))
    per_unit = {
        "row": scores.reshape(rows, -1),
        "column": scores.reshape(rows, -1).T,
        "channel": scores.transpose(1, 0, 2).reshape(channels, -1),
        "kernel": scores.reshape(-1, area),
    }[unit]
    keep = data.draw(st.integers(0, len(per_unit)))
    energy = (per_unit**2).sum(axis=1)
    best = sorted(range(len(energy)), key=lambda i: (-energy[i], i))[:keep]
    expected = np.zeros(per_unit.shape, dtype=bool)
    expected[best] = True
    if unit == "column":
        expected = expected.T
    elif unit == "channel":
        expected = expected.reshape(channels, rows, area).transpose(1, 0, 2)
    got = structured_mask(scores.reshape(rows, -1), unit=unit, keep=keep, area=area)
    assert (got == expected.reshape(rows, -1)).all()


@pytest.mark.parametrize(("unit", "dim"), [("row", 0), ("column", 1)])
@pytest.mark.parametrize("ratio", [1, 2, 3.3, 16])
def test_a_linear_layer_as_torch_prunes_it(unit, dim, ratio):
    layer = nn.Linear(40, 32, bias=False)
    kept = mask(layer.weight.detach().numpy(), ratio=ratio, method=Structured(unit=unit)).mask
    units = layer.weight.shape[dim]
    torch_prune.ln_structured(layer, "weight", amount=units - int(units / ratio), n=2, dim=dim)
    assert (layer.weight_mask.bool().numpy() == kept).all()


@pytest.mark.parametrize(("unit", "dim"), [("row", 0), ("channel", 1)])
def test_a_convolution_as_torch_prunes_it(unit, dim):
    layer = nn.Conv2d(12, 16, 3)
    weight = layer.weight.detach().abs()
    kept = structured_mask(weight.flatten(1), unit=unit, keep=5, area=9)
    torch_prune.ln_structured(layer, "weight", amount=weight.shape[dim] - 5, n=2, dim=dim)
    assert torch.equal(layer.weight_mask.bool().flatten(1), kept)


def test_layers_share_one_budget():
    model = mlp((32, 48, 24, 10), seed=5)
    report = prune(
        model, ratio=8, method=Structured(unit="column", scope="global"), saliency="magnitude"
    ).report()
    assert report.stored == report.slots <= report.weights / 8
    assert report.stored > report.weights / 8 - 48
    for layer in report.layers:
        assert layer.stored % layer.rows == 0
        assert layer.stored > 0


def test_a_pruned_row_keeps_its_bias():
    model = mlp((32, 48, 10))
    bias = model[0].bias.detach().clone()
    pruned = prune(model, ratio=4, method="structured", saliency="magnitude").finalize()
    assert torch.equal(model[0].bias.detach(), bias)
    assert (~pruned.layers["0"].mask.any(axis=1)).sum() == 36


@pytest.mark.parametrize(
    ("call", "kind", "text"),
    [
        (
            lambda: structured_mask(np.ones((2, 6)), unit="channel", keep=1, area=4),
            ValueError,
            "area must divide the 6 columns, not 4",
        ),
        (
            lambda: structured_mask(np.ones((2, 6)), unit="channel", keep=4, area=2),
            ValueError,
            "keep must be in 0..3, not 4",
        ),
        (
            lambda: structured_mask(np.ones((2, 6)), unit="filter", keep=1),
            ValueError,
            "unit must be one of row, column, channel, kernel, not 'filter'",
        ),
        (
            lambda: mask(np.ones((2, 6)), ratio=3, method="structured"),
            ValueError,
            "ratio must be at most 2, for layer 0 has no more rows, not 3",
        ),
        (
            lambda: mask(
                np.ones((2, 6)), ratio=7, method=Structured(unit="column", scope="global")
            ),
            ValueError,
            "ratio must be at most 6.0, for one column of each layer has 2 weights, not 7",
        ),
    ],
)
def test_refused(call, kind, text):
    with pytest.raises(kind, match=f"^{re.escape(text)}$"):
        call()
