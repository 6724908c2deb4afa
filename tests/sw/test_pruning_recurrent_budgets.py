"""LSTM and GRU matrices as layers: budgets that they share, and a column order for each."""

import pytest
import torch
from recurrent_tagger import KINDS, MATRICES, X, tagger, weights_of
from torch import nn

from darb.sw.pruning import LayerOverride, prune
from darb.sw.pruning.layer_modules import prunable_weights

torch.set_num_threads(1)


@pytest.mark.parametrize("method", ["darb", "irregular"])
def test_budget_shared_by_linear_and_recurrent_layers(method):
    own, poor = "rnn.weight_ih_l0", "rnn.weight_hh_l1"
    layers = []
    for model in (tagger(nn.GRU), tagger(nn.GRU)):
        if layers:
            # One column now holds nearly all of what this matrix is worth.
            with torch.no_grad():
                model.rnn.weight_hh_l1[:, 1:] *= 0.01
        report = prune(
            model,
            ratio=8,
            method=method,
            saliency="magnitude",
            order="natural",
            layers={own: LayerOverride(ratio=2)},
        ).report()
        layers.append({layer.name: layer for layer in report.layers})
        alone = layers[-1].pop(own)
        assert alone.weights / 2.1 < alone.slots <= alone.weights / 2
        shared = sum(layer.weights for layer in layers[-1].values())
        assert shared / 8.2 < sum(layer.slots for layer in layers[-1].values()) <= shared / 8
    before, after = layers
    assert after.pop(poor).slots < before.pop(poor).slots
    assert sum(layer.slots for layer in after.values()) > sum(
        layer.slots for layer in before.values()
    )
    assert all(layer.slots >= before[name].slots for name, layer in after.items())


@pytest.mark.parametrize("kind", KINDS)
def test_column_order_is_each_matrixs_own(kind):
    model = tagger(kind)
    own = {MATRICES[1]: LayerOverride(order="natural", left_out=0.0)}
    pruner = prune(
        model, ratio=4, calibration=X, left_out=0.25, lanes=4, rows=2, seed=3, layers=own
    )
    orders = {name: kept.columns.tolist() for name, kept in pruner.masks.items()}
    assert orders.pop(MATRICES[1]) == list(range(16))
    for name, order in orders.items():
        columns = 32 if name == "last" or ("_l1" in name and "_ih" in name) else 16
        assert len(set(order)) == len(order) == columns * 3 // 4
        weight = dict(prunable_weights(model))[name].weight.detach()
        outside = sorted(set(range(columns)) - set(order))
        assert not weight[:, outside].any()
        assert weight[:, order].any(dim=1).all()
        assert order != sorted(order)
    assert len({tuple(order) for order in orders.values()}) == len(orders)
    # Directions read the same inputs, but each in an order of its own.
    assert orders[MATRICES[4]] != orders[MATRICES[6]]
    assert all(kept.live.all() for kept in pruner.masks.values())
    assert pruner.report().slots <= pruner.report().weights / 4


def test_budget_found_by_search_leaves_the_weights():
    model = tagger(nn.LSTM)
    before = weights_of(model)
    pruner = prune(model, ratio=8, budget="searched", saliency="magnitude", calibration=X)
    assert pruner.report().slots <= pruner.report().weights / 8
    after = weights_of(model)
    for name in MATRICES:
        assert (after[name] == before[name] * pruner.masks[name].mask).all()
