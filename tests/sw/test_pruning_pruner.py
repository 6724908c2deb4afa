"""The pruner inside a training loop."""

import re

import numpy as np
import pytest
import torch
from torch import nn

from darb.golden.pattern import Pattern
from darb.sw.pruning import LayerOverride, PruneConfig, Pruner, block_mask, prune
from darb.sw.training import mlp

# A second thread for layers this small only fights with other tests for cores.
torch.set_num_threads(1)

X = torch.rand(200, 32, generator=torch.Generator().manual_seed(0))


def loss_step(model, optimizer):
    optimizer.zero_grad()
    model(X).square().mean().backward()
    optimizer.step()


def zeros_where_pruned(model, masks):
    layers = dict(model.named_modules())
    return all(
        not layers[name].weight.detach().numpy()[~mask.mask].any() for name, mask in masks.items()
    )


def test_one_shot_holds_through_training():
    model = mlp((32, 48, 24, 10))
    pruner = prune(model, ratio=5, calibration=X, lanes=4, rows=2)
    assert zeros_where_pruned(model, pruner.masks)
    first = {name: mask.mask.copy() for name, mask in pruner.masks.items()}
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(5):
        loss_step(model, optimizer)
        assert not zeros_where_pruned(model, pruner.masks)
        pruner.step()
        assert zeros_where_pruned(model, pruner.masks)
    pruned = pruner.finalize()
    assert all((pruned.layers[name].mask == kept).all() for name, kept in first.items())
    assert pruned.report.slots <= pruned.report.weights / 5
    assert pruned.report.efficiency == 1.0
    assert pruned.report.effective_ratio >= 5


def test_dead_rows_do_nothing():
    model = mlp((32, 48, 24, 10))
    pruned = prune(model, ratio=5, calibration=X, left_out=0.3).finalize()
    dead = ~pruned.layers["0"].live
    assert dead.any()
    assert not model[0].bias.detach().numpy()[dead].any()
    before = model(X)
    with torch.no_grad():
        model[0].bias[torch.as_tensor(dead)] += 100
    assert torch.equal(model(X), before)


def test_ramp_rises_and_ends_on_the_ratio():
    model = mlp((32, 48, 24, 10))
    pruner = prune(model, ratio=8, calibration=X, ramp_steps=20, ramp_every=5)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    ratios = []
    for _ in range(25):
        ratios.append(pruner.report().ratio)
        assert pruner.ramped == (len(ratios) > 20)
        loss_step(model, optimizer)
        pruner.step()
    assert ratios == sorted(ratios)
    assert len(set(ratios)) == 5
    assert ratios[0] < 2
    assert pruner.report().slots <= pruner.report().weights / 8
    kept = pruner.masks
    pruner.step()
    assert all(pruner.masks[name] is mask for name, mask in kept.items())


def test_ramp_cut_short_still_ends_on_the_ratio():
    model = mlp((32, 48, 10))
    pruner = prune(model, ratio=8, calibration=X, ramp_steps=1000)
    pruner.step()
    pruned = pruner.finalize()
    assert pruned.report.slots <= pruned.report.weights / 8
    assert zeros_where_pruned(model, pruned.layers)


@pytest.mark.parametrize("ramp_steps", [0, 100])
def test_ratio_out_of_reach_is_refused_before_training(ramp_steps):
    text = (
        "ratio must be at most 2.17, for blocks of at most 64 columns that restart in each of "
        "16 lanes take 928 slots, not 8"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        prune(
            mlp((32, 48, 10)),
            ratio=8,
            calibration=X,
            order="natural",
            lanes=16,
            ramp_steps=ramp_steps,
        )


def test_masks_follow_the_rule_on_the_weights():
    model = mlp((32, 16, 10))
    weights = model[0].weight.detach().numpy().copy()
    pruner = prune(model, ratio=4, saliency="magnitude", order="natural")
    got = pruner.masks["0"]
    assert (got.mask == block_mask(np.abs(weights), got.patterns)).all()


def test_bmwm_of_each_layer():
    report = prune(mlp((32, 16, 10)), ratio=4, calibration=X, method="bmwm").report()
    assert all(len(layer.sections) == 1 for layer in report.layers)


def test_dense_override():
    pruner = prune(
        mlp((32, 48, 10)),
        ratio=8,
        calibration=X,
        layers={"2": LayerOverride(ratio=1, order="natural")},
    )
    last = pruner.masks["2"]
    assert last.mask.all()
    assert set(last.patterns) == {Pattern(0)}
    assert pruner.masks["0"].live.all()


def test_same_seed_same_masks():
    first, again, other = (
        prune(mlp((32, 16, 10)), ratio=4, calibration=X, seed=seed).masks for seed in (0, 0, 1)
    )
    assert all((first[name].mask == again[name].mask).all() for name in first)
    assert any((first[name].mask != other[name].mask).any() for name in first)


@pytest.mark.parametrize(
    ("model", "settings", "kind", "text"),
    [
        ("net", {}, TypeError, "model must be a torch.nn.Module, not 'net'"),
        (
            nn.ReLU(),
            {},
            ValueError,
            "model must have at least one Linear layer, not 'ReLU'",
        ),
        (
            nn.Sequential(nn.Linear(4, 3), nn.Linear(2, 1)),
            {},
            ValueError,
            "layer 1 must take the 3 outputs of layer 0, not 2",
        ),
        (
            mlp((32, 4)),
            {"layers": {"9": LayerOverride()}},
            ValueError,
            "layers must name Linear layers of the model (0), not '9'",
        ),
        (
            mlp((32, 4)),
            {"calibration": None},
            ValueError,
            "calibration must be given for saliency 'activation', not None",
        ),
        (
            mlp((32, 4)),
            {"calibration": [1.0]},
            TypeError,
            "calibration must be a tensor or an array, not [1.0]",
        ),
    ],
)
def test_refused(model, settings, kind, text):
    with pytest.raises(kind, match=f"^{re.escape(text)}$"):
        prune(model, **{"ratio": 4, "calibration": X, **settings})


def test_config_or_keywords():
    with pytest.raises(TypeError, match=r"^config and keywords exclude each other, not \['seed'\]"):
        prune(mlp((32, 4)), PruneConfig(ratio=2), calibration=X, seed=1)
    with pytest.raises(TypeError, match=r"^config must be a PruneConfig, not 16$"):
        prune(mlp((32, 4)), 16, calibration=X)


@pytest.mark.parametrize("method", ["step", "report", "finalize"])
def test_not_prepared(method):
    pruner = Pruner(mlp((32, 4)), PruneConfig(ratio=2), calibration=X)
    with pytest.raises(RuntimeError, match=r"^prepare must be called before the pruner is used$"):
        getattr(pruner, method)()


def test_nan_weights_are_refused():
    model = mlp((32, 4))
    with torch.no_grad():
        model[0].weight[2, 3] = float("nan")
    with pytest.raises(ValueError, match=r"^weights must be finite: row 2, column 3"):
        prune(model, ratio=2, calibration=X)
