"""ADMM: weights are drawn to the set, and end better than by cutting the optimum."""

import re

import numpy as np
import pytest
import torch
from torch import nn

from darb.sw.datasets import digits
from darb.sw.networks import mlp
from darb.sw.pruning import METHODS, Admm, NOfM, PruneConfig, Pruner, mask, prune
from darb.sw.pruning.mask_choice import MaskChoice
from darb.sw.training import train

torch.set_num_threads(1)

X = torch.rand(100, 16, generator=torch.Generator().manual_seed(0))


class LeastSquares:
    """A layer at the optimum of a problem with correlated inputs."""

    def __init__(self, seed):
        generator = torch.Generator().manual_seed(seed)
        mixing = torch.randn(16, 16, generator=generator, dtype=torch.float64)
        self.inputs = torch.randn(400, 16, generator=generator, dtype=torch.float64) @ mixing
        self.wanted = self.inputs @ torch.randn(16, 8, generator=generator, dtype=torch.float64)
        self.scale = self.wanted.square().mean()
        self.optimum = torch.linalg.lstsq(self.inputs, self.wanted).solution.T

    def layer(self):
        layer = nn.Linear(16, 8, bias=False).double()
        with torch.no_grad():
            layer.weight.copy_(self.optimum)
        return layer

    def loss(self, layer):
        return (layer(self.inputs) - self.wanted).square().mean() / self.scale

    def best_under(self, mask):
        """Return the least loss that any weights under a mask have, row by row in closed form."""
        rows = [
            torch.linalg.lstsq(self.inputs[:, kept], self.wanted[:, [row]]).solution
            for row, kept in enumerate(torch.as_tensor(mask))
        ]
        errors = [
            self.inputs[:, kept] @ row - self.wanted[:, [index]]
            for index, (kept, row) in enumerate(zip(torch.as_tensor(mask), rows, strict=True))
        ]
        return float(torch.cat(errors, dim=1).square().mean() / self.scale)


@pytest.mark.parametrize("method", ["irregular", "darb", NOfM(m=4)], ids=repr)
def test_better_than_cutting_the_optimum(method):
    config = PruneConfig(ratio=4, method=method, saliency="magnitude", order="natural")
    best = {"cut": [], "admm": []}
    for seed in range(3):
        problem = LeastSquares(seed)
        layer = problem.layer()
        cut = prune(layer, config).masks[""].mask
        after_cut = float(problem.loss(layer).detach())
        layer = problem.layer()
        admm = Admm(layer, config, rho=0.03, every=10).prepare()
        before = admm.residual()
        optimizer = torch.optim.Adam(layer.parameters(), lr=0.01)
        for _ in range(1000):
            optimizer.zero_grad()
            (problem.loss(layer) + admm.penalty()).backward()
            optimizer.step()
            admm.step()
        assert admm.residual() < before, seed
        drawn = admm.finalize().masks[""].mask
        assert float(problem.loss(layer).detach()) < after_cut, seed
        best["cut"].append(problem.best_under(cut))
        best["admm"].append(problem.best_under(drawn))
    assert np.mean(best["admm"]) < np.mean(best["cut"]), best


def test_heavier_penalty_comes_nearer_to_the_set():
    problem = LeastSquares(0)
    config = PruneConfig(ratio=4, method="irregular", saliency="magnitude")
    residuals = []
    for rho in (0.01, 0.1, 1.0):
        layer = problem.layer()
        admm = Admm(layer, config, rho=rho, every=10).prepare()
        optimizer = torch.optim.Adam(layer.parameters(), lr=0.01)
        for _ in range(1000):
            optimizer.zero_grad()
            (problem.loss(layer) + admm.penalty()).backward()
            optimizer.step()
            admm.step()
        residuals.append(admm.residual())
    assert residuals == sorted(residuals, reverse=True)
    assert residuals[-1] < 0.05


@pytest.mark.parametrize("method", METHODS)
def test_targets_are_in_the_set_and_nearest_by_the_methods_choice(method):
    model = mlp((16, 32, 16), seed=1)
    config = PruneConfig(ratio=4, method=method, order="natural", saliency="magnitude")
    if method == "bank_balanced":
        config = PruneConfig(ratio=2, method=method, saliency="magnitude")
    admm = Admm(model, config, every=2).prepare()
    before = [module.weight.detach().clone() for module in model if isinstance(module, nn.Linear)]
    assert all(
        torch.equal(module.weight, weight)
        for module, weight in zip(
            (m for m in model if isinstance(m, nn.Linear)), before, strict=True
        )
    )
    choice = MaskChoice(model, config)
    choice.prepare()
    for name, kept in choice.masks().items():
        weight = model.get_submodule(name).weight.detach()
        target = admm.targets[name]
        assert torch.equal(target, weight * torch.as_tensor(kept.mask))
    first = admm.targets
    with torch.no_grad():
        model[0].weight.neg_().add_(0.5)
    admm.step()
    assert all(torch.equal(first[name], value) for name, value in admm.targets.items())
    admm.step()
    assert not torch.equal(first["0"], admm.targets["0"])
    apart = model[0].weight - admm.targets["0"]
    # U is now W - Z, so that the penalty's gradient is rho * (2 W - 2 Z).
    model.zero_grad()
    admm.penalty().backward()
    torch.testing.assert_close(model[0].weight.grad, admm.rho * 2 * apart.detach())


def test_inside_training_and_then_the_pruner():
    data = digits()
    model = mlp((64, 48, 10), seed=1)
    train(model, data, 3, lr=0.01, seed=0)
    config = PruneConfig(ratio=8, saliency="magnitude", seed=5)
    admm = Admm(model, config, rho=0.2, every=20).prepare()
    before = admm.residual()
    train(model, data, 8, lr=0.01, seed=0, admm=admm)
    assert admm.residual() < 0.9 * before
    assert all(module.weight.all() for module in model if isinstance(module, nn.Linear))
    targets = admm.targets
    pruner = admm.finalize()
    assert pruner.report().slots <= pruner.report().weights / 8
    for name, kept in pruner.masks.items():
        outside = np.setdiff1d(np.arange(kept.mask.shape[1]), kept.columns)
        assert not targets[name][:, outside].any()
    best = train(model, data, 8, lr=0.01, seed=1, pruner=pruner)
    assert best > 0.8


@pytest.mark.parametrize(
    ("settings", "kind", "text"),
    [
        ({"rho": 0}, ValueError, "rho must be finite and above 0, not 0"),
        ({"rho": float("nan")}, ValueError, "rho must be finite and above 0, not nan"),
        ({"rho": "1"}, TypeError, "rho must be a number, not '1'"),
        ({"every": 0}, ValueError, "every must be at least 1, not 0"),
        (
            {"config": PruneConfig(ratio=4, saliency="magnitude", ramp_steps=5)},
            ValueError,
            "ramp_steps must be 0 for ADMM, not 5",
        ),
    ],
)
def test_refused(settings, kind, text):
    config = settings.pop("config", PruneConfig(ratio=4, saliency="magnitude"))
    with pytest.raises(kind, match=f"^{re.escape(text)}$"):
        Admm(mlp((16, 8)), config, **settings)


@pytest.mark.parametrize("call", ["penalty", "step", "residual", "finalize"])
def test_not_prepared(call):
    admm = Admm(mlp((16, 8)), PruneConfig(ratio=4, saliency="magnitude"))
    with pytest.raises(RuntimeError, match=r"^prepare must be called before ADMM is used$"):
        getattr(admm, call)()


def test_a_choice_of_another_model_is_refused():
    config = PruneConfig(ratio=4, saliency="magnitude")
    choice = MaskChoice(mlp((16, 8)), config)
    text = "choice must be of this model and config, and without calibration"
    with pytest.raises(ValueError, match=f"^{text}$"):
        Pruner(mlp((16, 8)), config, choice=choice)
    with pytest.raises(ValueError, match=f"^{text}$"):
        Pruner(choice.model, config, choice=choice, calibration=X)


def test_projection_of_a_known_matrix():
    layer = nn.Linear(4, 2, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[4.0, -3.0, 2.0, 1.0], [0.5, 5.0, -6.0, 0.1]]))
    config = PruneConfig(ratio=2, method="irregular", saliency="magnitude")
    admm = Admm(layer, config).prepare()
    assert admm.targets[""].tolist() == [[4, -3, 0, 0], [0, 5, -6, 0]]
    assert (mask(layer.weight.detach().numpy(), ratio=2, method="irregular").mask.sum()) == 4
