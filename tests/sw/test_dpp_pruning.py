"""DPP around a network: exact counts at every granularity, and a plain model in the end."""

import copy
import re

import numpy as np
import pytest
import torch
from torch import nn

from darb.golden import Pattern
from darb.sw.dpp import Dpp, DppConfig, DppEpoch, DppLayer, DppLayerRule, starting_logits, unit_rows
from darb.sw.networks import mlp

torch.set_num_threads(1)

X = torch.rand(40, 30, generator=torch.Generator().manual_seed(0))
IMAGES = torch.rand(8, 2, 9, 9, generator=torch.Generator().manual_seed(1))


def conv_net(seed=0):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Conv2d(2, 6, 3),
            nn.ReLU(),
            nn.Conv2d(6, 8, 3, padding=1, padding_mode="reflect", stride=2, bias=False),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(8 * 16, 5),
        )


def prepared(model, **settings):
    dpp = Dpp(DppConfig(**{"epochs": 3, "seed": 1, **settings}))
    dpp.prepare(model)
    return dpp


def train(model, dpp, x):
    """Some steps that move weights and logits far enough to change masks."""
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    for epoch in range(dpp.config.epochs):
        dpp.step(epoch)
        for _ in range(4):
            optimizer.zero_grad()
            (model(x).square().mean() - model(x).mean() + dpp.penalty()).backward()
            optimizer.step()


def groups(mask, granularity, tile=None):
    """How many units each row keeps, counted without the code under test."""
    if granularity == "maps":
        whole = mask.reshape(len(mask), -1)
        assert (whole.all(axis=1) == whole.any(axis=1)).all()
        return {int(whole[:, 0].sum())}
    if granularity == "kernels" and mask.ndim == 4:
        assert (mask.all(axis=(2, 3)) == mask.any(axis=(2, 3))).all()
        mask = mask[:, :, 0, 0]
    matrix = mask.reshape(len(mask), -1)
    if granularity == "tiles":
        whole = matrix.shape[1] // tile * tile
        return {int(n) for n in matrix[:, :whole].reshape(-1, tile).sum(axis=1)}
    return {int(n) for n in matrix.sum(axis=1)}


@pytest.mark.parametrize("removal", ["hard", "soft"])
@pytest.mark.parametrize("bits", [None, 8, 1])
@pytest.mark.parametrize(
    ("granularity", "tile", "keep"),
    [("weights", None, 5), ("tiles", 8, 3), ("kernels", None, 2), ("maps", None, 3)],
)
def test_counts_of_a_conv_network_are_exact(granularity, tile, keep, bits, removal):
    model = conv_net()
    dpp = prepared(
        model,
        granularity=granularity,
        tile=tile,
        keep=keep,
        bits=bits,
        removal=removal,
        layers={}
        if granularity != "kernels"
        else {"0": DppLayerRule(granularity="kernels", keep=1)},
    )
    train(model, dpp, IMAGES)
    pruned = dpp.finalize()
    assert [type(module) for module in model] == [type(module) for module in conv_net()]
    dense = {"kernels": ["5"], "maps": ["5"]}.get(granularity, [])
    for name in ("0", "2", "5"):
        weight = dict(model.named_modules())[name].weight.detach().numpy()
        mask = pruned.layers[name].mask.reshape(weight.shape)
        assert not weight[~mask].any()
        # A small weight of eight bits may round to zero.
        assert bits == 8 or weight[mask].all()
        if name in dense:
            assert mask.all()
        else:
            wanted = 1 if (granularity, name) == ("kernels", "0") else keep
            assert groups(mask, granularity, tile) == {wanted}
    if granularity == "maps":
        dead = ~pruned.layers["0"].mask.any(axis=1)
        assert not model[0].bias.detach().numpy()[dead].any()
        assert model[0].bias.detach().numpy()[~dead].all()
    if bits == 1:
        sizes = np.abs(model[0].weight.detach().numpy().reshape(6, -1))
        assert all(np.unique(row[row > 0]).size <= 1 for row in sizes)


@pytest.mark.parametrize("seed", range(3))
def test_every_draw_has_exactly_k(seed):
    model = mlp((30, 20, 10))
    dpp = prepared(model, granularity="tiles", tile=8, keep=3, seed=seed)
    layer = model[0]
    for _ in range(20):
        mask = layer.selection().detach().numpy()
        assert set(np.unique(mask)) == {0.0, 1.0}
        assert (mask[:, :24].reshape(-1, 8).sum(axis=1) == 3).all(), f"seed {seed}"
        assert (mask[:, 24:].sum(axis=1) == 3).all(), f"seed {seed}"
    assert dpp.report().pruning_ratio == (30 * 20 + 200) / (20 * 12 + 10 * (3 + 3 + 3))


def test_a_short_last_tile_keeps_what_it_has():
    model = mlp((18, 4))
    dpp = prepared(nn.Sequential(model), granularity="tiles", tile=8, keep=4)
    mask = dpp.finalize().layers["0.0"]
    assert (mask.mask[:, 16:].sum(axis=1) == 2).all()
    assert (mask.mask.sum(axis=1) == 10).all()
    assert mask.patterns == (Pattern(3, 4),) * 4
    assert mask.align == 8


@pytest.mark.parametrize("granularity", ["weights", "kernels", "maps"])
def test_k_of_n_equal_to_n_keeps_all(granularity):
    model = mlp((6, 6, 6))
    rule = DppLayerRule(granularity=granularity, keep=6)
    before = model(X[:, :6]).detach()
    dpp = prepared(model, ratio=1, layers={"0": rule, "2": rule})
    assert not dpp.selections
    assert float(dpp.penalty()) == 0
    torch.testing.assert_close(model(X[:, :6]), before)
    pruned = dpp.finalize()
    assert pruned.report.pruning_ratio == 1
    torch.testing.assert_close(pruned.model(X[:, :6]), before)


def test_rows_of_one_and_two_units():
    model = mlp((1, 2, 3))
    dpp = prepared(model, keep=1)
    train(model, dpp, torch.rand(5, 1, generator=torch.Generator().manual_seed(2)))
    masks = dpp.finalize().layers
    assert masks["0"].mask.tolist() == [[True], [True]]
    assert masks["2"].mask.sum(axis=1).tolist() == [1, 1, 1]


def test_logits_that_tie_keep_the_first():
    dpp = prepared(mlp((12, 4)), keep=3)
    assert dpp.finalize().layers["0"].mask.tolist() == [[True] * 3 + [False] * 9] * 4


def test_starting_from_magnitude_keeps_the_largest():
    model = mlp((12, 4))
    size = model[0].weight.detach().abs()
    dpp = prepared(model, keep=3, start="magnitude")
    kept = torch.as_tensor(dpp.finalize().layers["0"].mask)
    assert (kept.sum(dim=1) == 3).all()
    assert (size.masked_fill(~kept, 9).amin(dim=1) >= size.masked_fill(kept, 0).amax(dim=1)).all()


def test_starting_logits_of_kernels_are_their_rms():
    weight = torch.rand(3, 2, 4, 4, generator=torch.Generator().manual_seed(4)) + 0.1
    rows = unit_rows((3, 2, 4, 4), "kernels")
    logits = starting_logits(weight, rows, "magnitude")
    rms = weight.square().mean(dim=(2, 3)).sqrt()
    torch.testing.assert_close(logits.exp(), rms / rms.mean())
    assert torch.isfinite(starting_logits(torch.zeros(3, 2), rows_of_zero(), "magnitude")).all()


def rows_of_zero():
    return unit_rows((3, 2), "weights")


def test_evaluation_is_without_noise_and_equals_the_finished_model():
    for bits in (None, 8, 1):
        model = mlp((30, 20, 10), seed=3)
        dpp = prepared(model, keep=4, bits=bits)
        train(model, dpp, X)
        model.train()
        assert not torch.equal(model(X), model(X))
        model.eval()
        outputs = model(X).detach()
        assert torch.equal(model(X), outputs)
        pruned = dpp.finalize()
        torch.testing.assert_close(pruned.model(X), outputs)
        assert not any(isinstance(module, DppLayer) for module in pruned.model.modules())
        assert list(pruned.model.state_dict()) == list(mlp((30, 20, 10)).state_dict())


def test_gradients_of_weights_and_logits():
    model = nn.Sequential(nn.Linear(10, 1, bias=False))
    dpp = prepared(model, keep=3, entropy=0.0)
    layer = model[0]
    x = X[:1, :10]
    model(x).sum().backward()
    used = layer.layer.weight.grad != 0
    assert int(used.sum()) == 3
    assert torch.equal(layer.layer.weight.grad[used], x[used])
    assert layer.selection.logits.grad.any()
    # A common offset of a row's logits means nothing.
    assert float(layer.selection.logits.grad.sum()) == pytest.approx(0, abs=1e-6)
    assert float(dpp.penalty()) == 0


def test_frozen_epochs_have_one_mask_and_train_no_logits():
    model = mlp((30, 20, 10))
    dpp = prepared(model, keep=4, epochs=4, frozen_epochs=2)
    for epoch, temperature in enumerate((5.0, 0.5, 0.5, 0.5)):
        dpp.step(epoch)
        assert {choice.temperature for choice in dpp.selections.values()} == {temperature}
        model.train()
        assert torch.equal(model(X), model(X)) == (epoch >= 2)
    assert not any(logits.requires_grad for logits in dpp.logits())
    assert float(dpp.penalty()) == 0
    assert [state.temperature for state in dpp.history] == [5.0, 0.5, 0.5, 0.5]


def test_history_says_what_training_did():
    model = mlp((30, 20, 10))
    dpp = prepared(model, keep=4, entropy=1.0, epochs=12)
    train(model, dpp, X)
    pruned = dpp.finalize()
    assert [state.epoch for state in pruned.history] == list(range(13))
    first, last = pruned.history[0].layers["0"], pruned.history[-1].layers["0"]
    assert first.entropy == pytest.approx(np.log2(30))
    assert first.confidence == pytest.approx(0, abs=1e-6)
    assert first.divergence == pytest.approx(0, abs=1e-6)
    assert first.diversity == pytest.approx(0, abs=1e-6)
    assert last.confidence > 0.05
    assert last.divergence > 0
    assert last.diversity > 0
    for state in pruned.history:
        assert DppEpoch.from_dict(state.as_dict()) == state


def test_measuring_changes_no_draw():
    def outputs(measure):
        model = mlp((30, 20, 10))
        dpp = prepared(model, keep=4)
        if measure:
            dpp.step(0)
        return model(X)

    assert torch.equal(outputs(True), outputs(False))


def test_same_seed_same_network():
    def run(seed):
        model = mlp((30, 20, 10))
        dpp = prepared(model, granularity="tiles", tile=8, keep=2, seed=seed)
        train(model, dpp, X)
        return dpp.finalize()

    first, again, other = run(0), run(0), run(5)
    assert torch.equal(first.model(X), again.model(X))
    assert first.history == again.history
    assert not torch.equal(first.model(X), other.model(X))


def test_a_module_used_twice_stays_one():
    shared = nn.Linear(30, 30)
    model = nn.Sequential(shared, nn.ReLU(), nn.Sequential(shared))
    dpp = prepared(model, keep=4)
    assert model[0] is model[2][0]
    assert isinstance(model[0], DppLayer)
    dpp.finalize()
    assert model[0] is model[2][0] is shared


@pytest.mark.parametrize(
    ("model", "settings", "kind", "text"),
    [
        (nn.Linear(4, 4), {}, ValueError, "model must hold its layers, not be one, not Linear("),
        (None, {}, TypeError, "model must be a torch.nn.Module, not None"),
        (
            nn.Sequential(nn.ReLU()),
            {},
            ValueError,
            "model must have at least one Linear or Conv2d layer, not 'Sequential'",
        ),
        (
            mlp((8, 4, 2)),
            {"layers": {"1": DppLayerRule(keep=1)}},
            ValueError,
            "layers must name some of 0, 2, not '1'",
        ),
        (mlp((8, 4, 2)), {"keep": 5}, ValueError, "layer 2: keep must be in 1..4, not 5"),
    ],
)
def test_refused_models(model, settings, kind, text):
    with pytest.raises(kind, match=f"^{re.escape(text)}"):
        prepared(model, **{"keep": 2, **settings})


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(wrong):
    model = mlp((8, 4, 2))
    before = copy.deepcopy(model)
    with torch.no_grad():
        model[2].weight[0, 0] = wrong
    with pytest.raises(ValueError, match=r"^layer 2: weights must be finite, not NaN or infinity$"):
        prepared(model, keep=2)
    assert [type(module) for module in model] == [type(module) for module in before]


def test_logits_that_became_nan_are_refused():
    model = mlp((8, 4, 2))
    dpp = prepared(model, keep=2)
    with torch.no_grad():
        model[0].selection.logits[0, 0] = float("nan")
    text = "scores must be neither NaN nor plus infinity, not nan"
    with pytest.raises(ValueError, match=f"^{text}$"):
        model(X[:, :8])
    with pytest.raises(ValueError, match=f"^{text}$"):
        dpp.finalize()


def test_out_of_order():
    with pytest.raises(TypeError, match=r"^config must be a DppConfig, not 3$"):
        Dpp(3)
    dpp = Dpp(DppConfig(keep=2, epochs=2))
    for call in (dpp.penalty, dpp.report, dpp.finalize, dpp.logits, lambda: dpp.step(0)):
        with pytest.raises(RuntimeError, match=r"^prepare must be called before DPP is used$"):
            call()
    dpp.prepare(mlp((8, 4)))
    with pytest.raises(RuntimeError, match=r"^prepare must be called once$"):
        dpp.prepare(mlp((8, 4)))
    with pytest.raises(ValueError, match=r"^epoch must be in 0..1, not 2$"):
        dpp.step(2)
