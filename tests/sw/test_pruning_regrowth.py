"""Masks that move after the ramp: who goes, who comes, and when they stop."""

import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from darb.sw.datasets import digits
from darb.sw.networks import mlp
from darb.sw.pruning import METHODS, PruneConfig, prune
from darb.sw.pruning.regrowth import FIRST_SHARE, regrowth_scores, share_at
from darb.sw.training import train

torch.set_num_threads(1)

MOVING = [name for name in METHODS if name not in ("block", "structured")]
X = torch.rand(200, 32, generator=torch.Generator().manual_seed(0))
LABELS = torch.randint(0, 10, (200,), generator=torch.Generator().manual_seed(1))


def loss_step(model, optimizer):
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(X), LABELS).backward()
    optimizer.step()


def changes(method, *, regrow_steps, rounds, ramp_steps=6):
    """Return the masks after each step, and whether the pruner called them final."""
    model = mlp((32, 48, 24, 10))
    pruner = prune(
        model,
        ratio=4,
        method=method,
        calibration=X,
        ramp_steps=ramp_steps,
        ramp_every=3,
        regrow_steps=regrow_steps,
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    seen = []
    for _ in range(rounds):
        loss_step(model, optimizer)
        pruner.step()
        masks = {name: mask.mask.copy() for name, mask in pruner.masks.items()}
        for name, kept in masks.items():
            weight = dict(model.named_modules())[name].weight.detach().numpy()
            assert not weight[~kept].any()
        seen.append((masks, pruner.ramped, pruner.report()))
    return seen, pruner


def moved(before, after):
    return sum(int((after[name] & ~before[name]).sum()) for name in after)


@pytest.mark.parametrize("method", MOVING)
def test_masks_move_until_they_are_frozen(method):
    seen, pruner = changes(method, regrow_steps=12, rounds=24)
    grown = [moved(seen[i - 1][0], seen[i][0]) for i in range(1, len(seen))]
    # Entry i is what step i + 2 changed; the ramp ends with step 6.
    assert grown[7] > 0
    assert [step for step in range(7, 18) if grown[step - 2] and step % 3] == []
    assert sum(grown[17:]) == 0
    assert [ramped for _, ramped, _ in seen] == [False] * 17 + [True] * 7
    for _, _, report in seen[5:]:
        assert report.slots <= report.weights / 4
    pruned = pruner.finalize()
    assert all((pruned.layers[name].mask == kept).all() for name, kept in seen[-1][0].items())


def test_without_a_ramp():
    seen, _ = changes("darb", ramp_steps=0, regrow_steps=9, rounds=12)
    assert moved(seen[1][0], seen[2][0]) > 0
    assert [ramped for _, ramped, _ in seen] == [False] * 8 + [True] * 4


def test_cut_short_still_ends_frozen():
    _, pruner = changes("darb", regrow_steps=12, rounds=10)
    assert not pruner.ramped
    report = pruner.finalize().report
    assert pruner.ramped
    assert report.slots <= report.weights / 4


def test_the_best_epoch_has_the_final_masks():
    data = digits()
    model = mlp((64, 32, 10), seed=3)
    steps = -(-len(data.train_x) // 128)
    pruner = prune(
        model, ratio=6, calibration=data.train_x, ramp_steps=steps, ramp_every=2, regrow_steps=steps
    )
    train(model, data, 4, lr=0.01, seed=0, pruner=pruner)
    kept = {name: dict(model.named_modules())[name].weight.detach().clone() for name in ("0", "2")}
    pruned = pruner.finalize()
    for name, weight in kept.items():
        assert not weight.numpy()[~pruned.layers[name].mask].any(), name


def test_gradients_must_be_there():
    model = mlp((32, 10))
    pruner = prune(model, ratio=4, calibration=X, regrow_steps=5)
    text = "layer 0: weights regrow by their gradients, which must be there when step is called"
    with pytest.raises(RuntimeError, match=f"^{re.escape(text)}$"):
        pruner.step()


def layers_of(seed):
    generator = np.random.default_rng(seed)
    scores, kept, gradients = {}, {}, {}
    for name, shape in {"a": (6, 10), "b": (3, 6)}.items():
        # Few values, so that many are equal, and some zero.
        scores[name] = generator.integers(0, 4, shape).astype(np.float32)
        kept[name] = generator.random(shape) < 0.4
        gradients[name] = generator.normal(size=shape)
    return scores, kept, gradients


@given(st.integers(0, 2**32 - 1), st.floats(0, 0.5))
def test_who_stays_and_who_comes_first(seed, share):
    scores, kept, gradients = layers_of(seed)
    found = regrowth_scores(scores, kept, gradients, share=share)
    for name, values in found.items():
        assert values.dtype == np.float32
        dropped = int(share * kept[name].sum())
        steep = np.abs(gradients[name])
        stays = kept[name] & (values == scores[name])
        assert kept[name].sum() - dropped <= stays.sum(), seed
        others = ~stays
        if others.any():
            order = np.argsort(-steep[others], kind="stable")
            ranked = values[others][order]
            assert (np.diff(ranked) <= 0).all(), seed
            positive = stays & (scores[name] > 0)
            if positive.any():
                assert values[others].max() < scores[name][positive].min(), seed


def test_all_zero_layers_and_gradients():
    zero = {"0": np.zeros((3, 4))}
    kept = {"0": np.ones((3, 4), dtype=bool)}
    ones = {"0": np.ones((3, 4))}
    assert not regrowth_scores(zero, kept, zero, share=0.5)["0"].any()
    assert regrowth_scores(zero, kept, ones, share=1.0)["0"].tolist() == [[0.5] * 4] * 3
    assert regrowth_scores(ones, kept, ones, share=0.0)["0"].tolist() == [[1.0] * 4] * 3


def test_share_falls_to_none():
    shares = [share_at(step, steps=10) for step in range(11)]
    assert shares[0] == FIRST_SHARE
    assert shares == sorted(shares, reverse=True)
    assert shares[10] == pytest.approx(0)


@pytest.mark.parametrize(
    ("settings", "kind", "text"),
    [
        ({"regrow_steps": -1}, ValueError, "regrow_steps must be at least 0, not -1"),
        ({"regrow_steps": 1.5}, TypeError, "regrow_steps must be an int, not 1.5"),
        *(
            (
                {"regrow_steps": 5, "method": method},
                ValueError,
                f"regrow_steps must be 0 for method {method}, which keeps no weight alone, not 5",
            )
            for method in ("block", "structured")
        ),
    ],
)
def test_config_refused(settings, kind, text):
    with pytest.raises(kind, match=f"^{re.escape(text)}$"):
        PruneConfig(ratio=4, **settings)
