"""Budgets that layers share: normalized, joint, uniform and searched."""

import re

import numpy as np
import pytest
import torch
from torch import nn

from darb.sw.networks import mlp
from darb.sw.pruning import (
    LayerOverride,
    LayerScores,
    MaskChoice,
    PruneConfig,
    assign,
    mask,
    prune,
    searched_multipliers,
)
from darb.sw.pruning.layer_budgets import output_divergence
from darb.sw.pruning.layer_modules import mask_like
from darb.sw.pruning.regular_blocks import ASSIGNMENTS, BUDGETS, RegularBlocks

torch.set_num_threads(1)

X = torch.rand(120, 32, generator=torch.Generator().manual_seed(0))


def layers_of(seed, factors=(1.0, 1.0, 1.0)):
    generator = np.random.default_rng(seed)
    found = []
    for factor, shape in zip(factors, ((30, 64), (20, 30), (10, 20)), strict=True):
        scores = factor * generator.random(shape) ** 3
        scores[shape[0] // 2] = 0
        columns = generator.permutation(shape[1]).astype(np.int32)
        live = np.ones(shape[0], dtype=bool)
        found.append(
            LayerScores(
                str(len(found)), scores, columns, live, sensitivity=generator.random(shape[0])
            )
        )
    return found


@pytest.mark.parametrize("budget", BUDGETS)
@pytest.mark.parametrize("assignment", ASSIGNMENTS)
@pytest.mark.parametrize("seed", range(3))
def test_counts_are_exact_and_within_the_ratio(budget, assignment, seed):
    layers = layers_of(seed)
    weights = sum(layer.scores.size for layer in layers)
    for name in ("darb", "bmwm"):
        rule = RegularBlocks(name=name, budget=budget, assignment=assignment)
        for ratio, lanes, rows in ((5, None, None), (4.5, 4, 2)):
            masks = rule.masks(layers, ratio=ratio, lanes=lanes, rows=rows)
            spent = [got.slots(rows or 1) for got in masks]
            assert sum(spent) <= weights / ratio, (seed, ratio, spent)
            if budget == "uniform":
                limits = [layer.scores.size / ratio for layer in layers]
                assert all(got <= limit for got, limit in zip(spent, limits, strict=True)), seed
            for got in masks:
                blocks = [pattern.slots(got.columns.size) for pattern in got.patterns]
                if lanes is None:
                    assert got.mask.sum(axis=1).tolist() == blocks, seed
        assert all(got.mask.all() for got in rule.masks(layers, ratio=1))


def test_a_layer_that_alone_is_out_of_reach_is_named():
    model = mlp((32, 40, 4), seed=1)
    text = (
        "ratio must be at most 32.0, for blocks of at most 64 columns take 40 slots in layer 0, "
        "not 33.0"
    )
    own = {"2": LayerOverride(ratio=2), "0": LayerOverride(ratio=33)}
    for ratio, settings in ((33.0, {"budget": "uniform"}), (4, {"layers": own})):
        with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
            prune(model, ratio=ratio, saliency="magnitude", order="natural", **settings)
    text = "ratio must be at most 32.72, for blocks of at most 64 columns take 44 slots, not 33"
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        prune(model, ratio=33, saliency="magnitude", order="natural")


def test_joint_compares_scores_as_they_are():
    plain, louder = layers_of(0), layers_of(0, (1.0, 8.0, 1.0))
    for budget, same in (("normalized", True), ("uniform", True), ("joint", False)):
        rule = RegularBlocks(budget=budget)
        first, second = (rule.masks(layers, ratio=6) for layers in (plain, louder))
        equal = [(a.mask == b.mask).all() for a, b in zip(first, second, strict=True)]
        assert all(equal) == same, budget
    assert second[1].stored > first[1].stored


def test_a_multiplier_is_worth_as_much_as_scores():
    for budget in ("joint", "normalized"):
        layers = layers_of(1)
        scaled = [
            LayerScores(
                layer.name,
                layer.scores,
                layer.columns,
                layer.live,
                multiplier=4.0 if layer.name == "2" else 1.0,
            )
            for layer in layers
        ]
        rule = RegularBlocks(budget=budget)
        plain, more = (rule.masks(given, ratio=6) for given in (layers, scaled))
        assert more[2].stored > plain[2].stored
        louder = rule.masks(layers_of(1, (1.0, 1.0, 4.0)), ratio=6)
        same = all((a.mask == b.mask).all() for a, b in zip(more, louder, strict=True))
        assert same == (budget == "joint")


def test_norms_of_assign():
    generator = np.random.default_rng(4)
    layers = [generator.random((12, 32)), generator.random((8, 32))]
    plain = assign(layers, budget=100)
    norms = [float(np.linalg.norm(values)) for values in layers]
    for factor in (1, 8):
        again = assign(layers, budget=100, norms=[norm * factor for norm in norms])
        assert again == plain
    first, _ = assign(layers, budget=100, norms=[1.0, 1e6])
    assert sum(pattern.k for pattern in first) < sum(pattern.k for pattern in plain[0])


def test_sensitive_rows_get_smaller_blocks():
    scores = np.tile(np.random.default_rng(3).random((1, 64)), (16, 1))
    columns, live = np.arange(64, dtype=np.int32), np.ones(16, dtype=bool)
    live[5] = False
    sensitivity = np.repeat([1.0, 64.0], 8)
    layer = LayerScores("0", scores, columns, live, sensitivity=sensitivity)
    rule = RegularBlocks(assignment="sensitivity")
    sizes = np.array([pattern.k for pattern in rule.masks([layer], ratio=8)[0].patterns])
    assert sizes[8:].max() < sizes[:8][live[:8]].min()
    layer = LayerScores("0", scores, columns, live, sensitivity=np.ones(16))
    even, plain = (RegularBlocks(assignment=name) for name in ("sensitivity", "energy"))
    assert even.masks([layer], ratio=8)[0].patterns == plain.masks([layer], ratio=8)[0].patterns


@pytest.mark.parametrize("seed", range(3))
def test_search_ends_where_no_move_helps(seed):
    generator = np.random.default_rng(seed)
    best = dict(zip("abcd", generator.integers(-6, 7, 4) / 2, strict=True))
    asked = []

    def measure(found):
        powers = {name: np.log2(value) for name, value in found.items()}
        asked.append(tuple(powers.values()))
        apart = [powers[name] - powers["a"] - best[name] + best["a"] for name in "bcd"]
        return sum(abs(value) for value in apart)

    found = searched_multipliers(measure, list("abcd"))
    assert found["a"] == 1
    want = {name: 2.0 ** (value - best["a"]) for name, value in best.items()}
    assert found == want, seed
    assert len(set(asked)) == len(asked), seed


def test_search_never_takes_what_is_no_number():
    def measure(found):
        return 1.0 if found["b"] == found["a"] else float("nan")

    assert searched_multipliers(measure, ["a", "b"]) == {"a": 1, "b": 1}
    assert searched_multipliers(measure, ["a"]) == {"a": 1}


def divergence(choice, model, dense, masks):
    kept = {name: layer.weight.detach().clone() for name, layer in choice.layers.items()}
    with torch.no_grad():
        for name, layer in choice.layers.items():
            layer.weight.mul_(mask_like(masks[name].mask, layer.weight))
        result = output_divergence(model(X), dense)
        for name, layer in choice.layers.items():
            layer.weight.copy_(kept[name])
    return result


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("saliency", ["magnitude", "fisher"])
def test_searched_is_never_worse_than_normalized_by_its_own_measure(seed, saliency):
    model = mlp((32, 40, 24, 10), seed=seed)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with torch.no_grad():
        model[0].weight.mul_(4)
        before["0.weight"].mul_(4)
        dense = model(X)
    apart = {}
    for budget in ("normalized", "searched"):
        config = PruneConfig(ratio=6, saliency=saliency, budget=budget, seed=seed)
        choice = MaskChoice(model, config, calibration=X)
        choice.prepare()
        masks = choice.masks()
        apart[budget] = divergence(choice, model, dense, masks)
        assert (
            sum(got.slots() for got in masks.values())
            <= sum(got.mask.size for got in masks.values()) / 6
        ), seed
        assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert choice.multipliers["0"] == 1
    assert apart["searched"] <= apart["normalized"], seed
    assert (apart["searched"] < apart["normalized"]) == (set(choice.multipliers.values()) != {1})


def test_layers_with_a_ratio_of_their_own_are_not_searched():
    model = mlp((32, 40, 24, 10))
    choice = MaskChoice(
        model,
        PruneConfig(ratio=6, budget="searched", layers={"4": LayerOverride(ratio=2)}),
        calibration=X,
    )
    choice.prepare()
    assert set(choice.multipliers) == {"0", "2"}


@pytest.mark.parametrize("budget", BUDGETS)
def test_networks_that_are_no_chain(budget):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 8, 3), nn.Tanh(), nn.Flatten(), nn.Linear(128, 10))
    images = torch.rand(30, 1, 6, 6, generator=torch.Generator().manual_seed(0))
    pruned = prune(
        model, ratio=4, calibration=images, budget=budget, assignment="sensitivity"
    ).finalize()
    assert pruned.report.slots <= pruned.report.weights / 4


def test_divergence():
    logits = torch.tensor([[0.0, 1.0], [2.0, -1.0]])
    assert output_divergence(logits + 3, logits) == pytest.approx(0, abs=1e-9)
    share, other = logits[:1].softmax(1), torch.zeros(1, 2).softmax(1)
    want = float((share * (share / other).log()).sum())
    assert output_divergence(torch.zeros(1, 2), logits[:1]) == pytest.approx(want)
    assert output_divergence(torch.tensor([[1.0], [3.0]]), torch.zeros(2, 1)) == 2.5


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"budget": "fair"}, f"budget must be one of {', '.join(BUDGETS)}, not 'fair'"),
        (
            {"budget": "joint", "method": "irregular"},
            "budget must be left out for method irregular, not 'joint'",
        ),
        (
            {"assignment": "sensitivity", "method": "n_m"},
            "assignment must be left out for method n_m, not 'sensitivity'",
        ),
        (
            {"assignment": "sensitivity", "saliency": "fisher"},
            (
                "assignment must be energy or density for saliency 'fisher', which weighs rows "
                "already, not 'sensitivity'"
            ),
        ),
    ],
)
def test_config_refused(settings, text):
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        PruneConfig(ratio=4, **settings)


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"saliency": "fisher"}, "saliency 'fisher'"),
        ({"saliency": "magnitude", "assignment": "sensitivity"}, "assignment 'sensitivity'"),
        ({"saliency": "magnitude", "budget": "searched"}, "budget 'searched'"),
    ],
)
def test_calibration_is_needed(settings, what):
    text = f"calibration must be given for {what}, not None"
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        prune(mlp((32, 10)), ratio=4, **settings)


def test_sensitivity_is_needed():
    text = "layer 0 must have its rows' sensitivity for assignment 'sensitivity', not None"
    layer = LayerScores("0", np.ones((4, 8)), np.arange(8, dtype=np.int32), np.ones(4, dtype=bool))
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        RegularBlocks(assignment="sensitivity").masks([layer], ratio=2)
    with pytest.raises(ValueError, match=r"^assignment must be one of energy, density, not 'sens"):
        mask(np.ones((4, 8)), ratio=2, assignment="sensitivity")
