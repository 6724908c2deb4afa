"""The pruner inside a training loop."""

import dataclasses
import re

import numpy as np
import pytest
import torch
from torch import nn

from darb.golden.pattern import Pattern
from darb.sw.networks import mlp
from darb.sw.pruning import LayerOverride, PruneConfig, Pruner, block_mask, prune
from darb.sw.quantization import quantize

# A second thread for layers this small only fights with other tests for cores.
torch.set_num_threads(1)

SHARED = nn.Linear(32, 32)
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
        ratios.append(pruner.report().pruning_ratio)
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


class DeclaredBackwards(nn.Module):
    """Its layers are declared in another order than they run."""

    def __init__(self):
        super().__init__()
        self.c, self.b, self.a = (nn.Linear(32, 32) for _ in range(3))

    def forward(self, x):
        return self.c(self.b(self.a(x).relu()).relu())


def test_layers_are_pruned_in_the_order_in_which_they_run():
    model = DeclaredBackwards()
    pruned = prune(model, ratio=4, calibration=X, lanes=4, rows=2, left_out=0.25).finalize()
    assert list(pruned.layers) == ["a", "b", "c"]
    assert pruned.layers["c"].live.all()
    for before, after in (("a", "b"), ("b", "c")):
        live = np.flatnonzero(pruned.layers[before].live)
        assert sorted(pruned.layers[after].columns) == live.tolist()
    assert model(X).abs().max(dim=0).values.count_nonzero() == 32


def test_layers_in_the_wrong_order_are_refused_by_the_quantiser():
    pruned = prune(DeclaredBackwards(), ratio=4, saliency="magnitude").finalize()
    text = "layers of the pruned model must be ['a', 'b', 'c'], as they run, not ['c', 'b', 'a']"
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        quantize(pruned, X)
    pruned = prune(mlp((32, 16, 10)), ratio=4, calibration=X).finalize()
    for layers in ({"0": pruned.layers["0"]}, {**pruned.layers, "9": pruned.layers["0"]}):
        with pytest.raises(ValueError, match=r"^layers of the pruned model must be \['0', '2'\]"):
            quantize(dataclasses.replace(pruned, layers=layers), X)


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float64])
def test_other_number_types(kind):
    model = mlp((32, 16, 10)).to(kind)
    pruned = prune(model, ratio=4, calibration=X.numpy()).finalize()
    assert zeros_where_pruned(model.float(), pruned.layers)


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
            "model must have at least one Linear, Conv2d, LSTM or GRU layer, not 'ReLU'",
        ),
        (
            nn.Sequential(nn.Linear(4, 3), nn.Linear(2, 1)),
            {},
            ValueError,
            "layer 0 must take vectors of 4 values, not shape (200, 32)",
        ),
        (
            nn.Sequential(nn.Linear(4, 3), nn.Linear(2, 1)),
            {"calibration": None, "saliency": "magnitude"},
            ValueError,
            "layer 1 must take the 3 outputs of layer 0, not 2",
        ),
        (
            nn.Sequential(nn.Linear(32, 8), nn.Sigmoid(), nn.Linear(8, 3)),
            {"saliency": "magnitude"},
            ValueError,
            "between layer 0 and layer 2 only a ReLU or nothing may stand, not another operator",
        ),
        (
            nn.Sequential(nn.Conv1d(1, 2, 3), nn.Flatten(), nn.Linear(60, 3)),
            {"calibration": X[:, None]},
            ValueError,
            "layer 2 must take the input as it is, not a function of it",
        ),
        (
            nn.Sequential(SHARED, nn.ReLU(), SHARED),
            {},
            ValueError,
            "layer 0 must run once a batch, not 2 times",
        ),
        *(
            (
                mlp((32, 4)),
                {"calibration": calibration},
                ValueError,
                f"calibration must be {rule}",
            )
            for calibration, rule in (
                (X * float("nan"), "finite, not with NaN or infinity"),
                (X[:0], "a batch of inputs, not shape (0, 32)"),
            )
        ),
        (
            mlp((32, 4)),
            {"layers": {"9": LayerOverride()}},
            ValueError,
            "layers must name some of 0, not '9'",
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
        prune(model, ratio=2, saliency="magnitude")
    with pytest.raises(ValueError, match=r"^layer 0: weights and bias must be finite"):
        prune(model, ratio=2, calibration=X)
