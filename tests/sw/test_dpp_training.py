"""DPP learns the digits: masks worth more than those that it began with."""

import pytest
import torch

from darb.sw.datasets import digits
from darb.sw.dpp import Dpp, DppConfig, train_dpp
from darb.sw.networks import mlp
from darb.sw.training import accuracy


@pytest.fixture(scope="module")
def data():
    return digits()


def trained(data, **settings):
    model = mlp((64, 64, 10), seed=0)
    dpp = Dpp(DppConfig(seed=0, **{"epochs": 24, "frozen_epochs": 7, **settings}))
    dpp.prepare(model)
    told = []
    best = train_dpp(
        model,
        dpp,
        data,
        lr=0.01,
        logits_lr=0.05,
        seed=0,
        batch=64,
        on_epoch=told.append,
    )
    return dpp.finalize(), best, told


@pytest.mark.parametrize(
    ("settings", "least"),
    [
        ({"ratio": 8}, 0.9),
        ({"granularity": "tiles", "tile": 16, "keep": 2, "bits": 8}, 0.9),
        ({"granularity": "tiles", "tile": 16, "keep": 2, "bits": 1}, 0.85),
    ],
)
def test_an_eighth_of_the_weights_suffices(data, settings, least):
    pruned, best, told = trained(data, **settings)
    assert pruned.report.pruning_ratio == 8
    assert best == pytest.approx(accuracy(pruned.model, data.validation_x, data.validation_y))
    assert best == max(epoch.validation for epoch in told[-7:])
    assert best > least, f"seed 0: {best}"
    for name in ("0", "2"):
        first, last = pruned.history[0].layers[name], pruned.history[-1].layers[name]
        assert last.agreement > first.agreement + 0.2
        assert last.diversity > 0.3


def test_training_follows_its_seeds_and_leaves_others_randomness_alone(data):
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    runs = [trained(data, ratio=8, epochs=2, frozen_epochs=0)[0] for _ in range(2)]
    assert torch.equal(torch.rand(1), expected)
    first, again = (run.model(torch.as_tensor(data.validation_x)) for run in runs)
    assert torch.equal(first, again)
