"""Gradients of the loss: against autograd, one example and one label at a time."""

import re

import numpy as np
import pytest
import torch
from torch import nn

from darb.sw.networks import mlp
from darb.sw.pruning import fisher, gradient_rms, prune, row_sensitivity
from darb.sw.pruning.gradient_power import _score_roots
from darb.sw.pruning.layer_modules import PrunableWeight, prunable_weights

torch.set_num_threads(1)


def example_by_example(model, weight, x):
    """Return the root mean over examples and the model's own labels of the squared gradient."""
    total = torch.zeros_like(weight)
    for example in x:
        scores = model(example[None]).log_softmax(dim=1)[0]
        for score in scores:
            gradient = torch.autograd.grad(score, weight, retain_graph=True)[0]
            total += score.detach().exp() * gradient.square()
    return (total / len(x)).sqrt().flatten(1).numpy()


def convolution():
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.Tanh(), nn.Conv2d(4, 4, 2, groups=2), nn.Flatten(), nn.Linear(16, 5)
    )


@pytest.mark.parametrize("seed", range(3))
def test_linear_layers_are_exact(seed):
    generator = torch.Generator().manual_seed(seed)
    model = mlp((12, 9, 7, 4), seed=seed).double()
    x = 3 * torch.randn(40, 12, generator=generator, dtype=torch.float64)
    layers = prunable_weights(model)
    for name, rms in gradient_rms(model, layers, x, seed=seed).items():
        want = example_by_example(model, layers[name].weight, x)
        np.testing.assert_allclose(rms, want, rtol=1e-5, atol=1e-12, err_msg=f"{name}, {seed}")


def test_convolutions_are_exact_one_example_at_a_time():
    model = convolution()
    x = torch.randn(12, 2, 5, 5, generator=torch.Generator().manual_seed(0))
    layers = prunable_weights(model)
    for name, rms in gradient_rms(model, layers, x, examples=1).items():
        want = example_by_example(model, layers[name].weight, x)
        np.testing.assert_allclose(rms, want, rtol=1e-3, atol=1e-5 * want.max(), err_msg=name)


def test_several_examples_at_a_time_have_the_same_mean():
    model = convolution()
    x = torch.randn(24, 2, 5, 5, generator=torch.Generator().manual_seed(0))
    layers = {name: prunable_weights(model)[name] for name in ("0", "2")}
    draws = [gradient_rms(model, layers, x, seed=seed, examples=8) for seed in range(60)]
    for name, layer in layers.items():
        want = example_by_example(model, layer.weight, x) ** 2
        got = np.mean([draw[name] ** 2 for draw in draws], axis=0)
        # 180 squares of three classes and more each: a tenth is three deviations of their mean.
        assert np.abs(got / want - 1).mean() < 0.1, name
        assert abs(got.sum() / want.sum() - 1) < 0.1, name


class Recurrent(nn.Module):
    """A weight of no module that the pruner knows, used at every step."""

    def __init__(self):
        super().__init__()
        self.cell = nn.RNNCell(3, 6)
        self.last = nn.Linear(6, 4)

    def forward(self, x):
        state = torch.zeros(len(x), 6)
        for step in range(x.shape[1]):
            state = self.cell(x[:, step], state)
        return self.last(state)


class Gated(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.gates = kind(3, 4, batch_first=True, num_layers=2)
        self.last = nn.Linear(4, 3)

    def forward(self, x):
        return self.last(self.gates(x)[0][:, -1])


def test_a_weight_used_at_every_step():
    torch.manual_seed(2)
    model, x = Recurrent(), torch.randn(10, 5, 3)
    layers = {
        "cell": PrunableWeight("cell", model.cell, "weight_hh"),
        "last": PrunableWeight("last", model.last),
    }
    for name, rms in gradient_rms(model, layers, x, examples=1).items():
        want = example_by_example(model, layers[name].weight, x)
        np.testing.assert_allclose(rms, want, rtol=1e-3, atol=1e-5 * want.max(), err_msg=name)


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_recurrent_layers(kind):
    torch.manual_seed(3)
    model, x = Gated(kind), torch.randn(6, 4, 3)
    layers = prunable_weights(model)
    assert len(layers) == 5
    for name, rms in gradient_rms(model, layers, x, examples=1).items():
        want = example_by_example(model, layers[name].weight, x)
        np.testing.assert_allclose(rms, want, rtol=1e-3, atol=1e-5 * want.max(), err_msg=name)
    pruned = prune(model, ratio=3, calibration=x, saliency="fisher", budget="searched").finalize()
    assert pruned.report.slots <= pruned.report.weights / 3


@pytest.mark.parametrize("classes", [2, 5, 32])
def test_roots_are_of_the_fisher_of_logits(classes):
    generator = torch.Generator().manual_seed(classes)
    logits = torch.randn(1, classes, generator=generator, dtype=torch.float64)
    roots = torch.cat(list(_score_roots(logits, generator)))
    share = logits.softmax(dim=1)[0]
    torch.testing.assert_close(roots.T @ roots, share.diag() - torch.outer(share, share))


def test_many_classes_are_drawn():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 40))
    x = torch.randn(200, 6)
    rms = gradient_rms(model, prunable_weights(model), x)["0"]
    want = example_by_example(model, model[0].weight, x)
    assert np.abs(rms / want - 1).max() < 0.1


def test_a_single_output_is_a_mean():
    model = nn.Sequential(nn.Linear(6, 1, bias=False))
    x = torch.randn(50, 6, generator=torch.Generator().manual_seed(0))
    rms = gradient_rms(model, prunable_weights(model), x)["0"]
    np.testing.assert_allclose(rms, x.square().mean(dim=0).sqrt()[None], rtol=1e-5)


def test_values_in_place_and_frozen_weights():
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3))
    inplace = nn.Sequential(plain[0], nn.ReLU(inplace=True), plain[2]).train()
    x = torch.randn(20, 6)
    want = gradient_rms(plain, prunable_weights(plain), x)
    plain[0].weight.requires_grad_(False)
    with torch.no_grad():
        got = gradient_rms(inplace, prunable_weights(inplace), x.numpy())
    assert all((got[name] == want[name]).all() for name in want)
    assert inplace.training
    assert not plain[0].weight.requires_grad
    assert plain[2].weight.requires_grad
    assert plain[2].weight.grad is None


def test_what_never_reaches_the_outputs_is_worth_nothing():
    model = mlp((6, 5, 3))
    with torch.no_grad():
        model[0].bias[:] = torch.tensor([1.0, 1.0, -100.0, 1.0, 1.0])
    x = torch.rand(30, 6, generator=torch.Generator().manual_seed(0))
    found = gradient_rms(model, prunable_weights(model), x)
    assert not found["0"][2].any()
    assert not found["2"][:, 2].any()
    assert row_sensitivity(found["0"])[2] == 0
    assert (row_sensitivity(found["0"])[[0, 1, 3, 4]] > 0).all()
    pruned = prune(model, ratio=2, calibration=x, saliency="fisher").finalize()
    assert pruned.report.slots <= pruned.report.weights / 2


def test_row_sensitivity_by_hand():
    assert row_sensitivity(np.array([[1.0, 3.0], [0.0, 2.0]])).tolist() == [5.0, 2.0]


def test_saliency_by_hand():
    weights = np.array([[1.0, -2.0], [-4.0, 5.0]])
    assert fisher(weights, [[2.0, 0.5], [0.0, 1.0]]).tolist() == [[2, 1], [0, 5]]


@pytest.mark.parametrize(
    ("rms", "text"),
    [
        ([1.0, 2.0], "rms must have shape (1, 2), not (2,)"),
        ([[1.0, -1.0]], "rms must be finite and at least 0, not -1.0"),
        ([[1.0, float("inf")]], "rms must be finite and at least 0, not inf"),
    ],
)
def test_saliency_refused(rms, text):
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        fisher(np.ones((1, 2)), rms)


class Pair(nn.Module):
    def __init__(self):
        super().__init__()
        self.used, self.idle = nn.Linear(4, 3), nn.Linear(4, 3)

    def forward(self, x):
        return self.used(x), x


class Idle(Pair):
    def forward(self, x):
        return self.used(x)


@pytest.mark.parametrize(
    ("model", "shape", "text"),
    [
        (Pair(), (5, 4), "model must return one tensor, not 'tuple'"),
        (Idle(), (5, 4), "layer idle must have a part in the outputs, not none"),
        (Idle(), (5, 3), "calibration must be inputs that the model takes, not shape (5, 3) ("),
    ],
)
def test_refused(model, shape, text):
    with pytest.raises(ValueError, match=f"^{re.escape(text)}"):
        gradient_rms(model, prunable_weights(model), torch.ones(shape))


def test_gradients_that_overflow_are_refused():
    model = mlp((4, 3, 1))
    with torch.no_grad():
        model[0].bias.fill_(10)
        model[2].weight.fill_(1e30)
    text = r"^layer 0: gradients must be finite, not NaN or infinity$"
    with pytest.raises(ValueError, match=text):
        gradient_rms(model, prunable_weights(model), torch.ones(5, 4))
