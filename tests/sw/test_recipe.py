"""The demo's recipe on the bundled digits."""

import dataclasses

import pytest
import torch

from darb.golden import EngineModel, fit_config, pack
from darb.sw.datasets import digits
from darb.sw.networks import mlp
from darb.sw.pruning import PruneConfig
from darb.sw.quantization import quantize, quantize_input
from darb.sw.recipe import RECIPES, prune_and_retrain, recipe_of, train_dense
from darb.sw.training import accuracy, calibration_of

SHORT = dataclasses.replace(RECIPES["digits"], dense_epochs=2, pruned_epochs=4)


@pytest.fixture(scope="module")
def data():
    return digits()


def test_digits_at_ratio_16_lose_less_than_a_point(data):
    dense = train_dense(data, seed=0)
    pruned = prune_and_retrain(dense, data, PruneConfig(ratio=16, lanes=8, rows=2), seed=0)
    network = quantize(pruned, calibration_of(data))
    image = pack(network, fit_config(network, lanes=8, rows=2))
    outputs = EngineModel(image).run(quantize_input(network, data.test_x))
    integer = float((outputs.argmax(axis=1) == data.test_y).mean())
    reference = accuracy(dense, data.test_x, data.test_y)
    assert reference > 0.95
    assert integer >= reference - 0.01
    assert pruned.report.effective_ratio >= 16
    assert pruned.report.efficiency >= 0.97


def test_model_is_left_alone_and_the_ramp_is_the_recipes(data):
    dense = mlp(SHORT.sizes, seed=1)
    before = [parameter.clone() for parameter in dense.parameters()]
    told = []
    pruned = prune_and_retrain(
        dense,
        data,
        PruneConfig(ratio=8, saliency="magnitude", order="natural"),
        recipe=SHORT,
        on_epoch=told.append,
    )
    assert all(torch.equal(a, b) for a, b in zip(before, dense.parameters(), strict=True))
    assert [epoch.epochs for epoch in told] == [4] * 4
    assert pruned.config.ramp_steps == round(SHORT.ramp * SHORT.steps(data)) > 0
    assert pruned.report.pruning_ratio >= 8


def test_ramp_of_the_config_comes_first(data):
    config = PruneConfig(ratio=8, ramp_steps=7)
    dense = mlp(SHORT.sizes, seed=1)
    assert prune_and_retrain(dense, data, config, recipe=SHORT).config == config


def test_same_seed_same_network(data):
    first, again, other = (train_dense(data, seed=seed, recipe=SHORT) for seed in (4, 4, 5))
    assert torch.equal(first[0].weight, again[0].weight)
    assert not torch.equal(first[0].weight, other[0].weight)


def test_unknown_dataset(data):
    stranger = dataclasses.replace(data, name="letters")
    with pytest.raises(
        ValueError, match=r"^recipe must be for one of digits, mnist, not 'letters'$"
    ):
        recipe_of(stranger)
