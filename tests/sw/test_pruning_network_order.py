"""Searched orders of a network: never worse, within the budget, the same for the same seed."""

import itertools
import math

import numpy as np
import pytest

from darb.sw.pruning import (
    LayerOverride,
    NOfM,
    PruneConfig,
    column_orders,
    network_masks,
)


def scores_of(*sizes, seed=0):
    generator = np.random.default_rng(seed)
    return {
        str(index): np.abs(generator.normal(size=(m, n)) * np.exp(generator.normal(size=n)))
        for index, (n, m) in enumerate(itertools.pairwise(sizes))
    }


def retained(scores, config, *, chained=True, **settings):
    """Return the orders, the masks, and what the layers retain of their live rows together."""
    orders = column_orders(scores, config, chained=chained, **settings)
    masks = network_masks(scores, orders, config, chained=chained, **settings)
    total = 0.0
    for name, mask in masks.items():
        energy = scores[name][mask.live] ** 2
        total += energy[mask.mask[mask.live]].sum() / energy.sum()
    return orders, masks, total


@pytest.mark.parametrize("chained", [True, False])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"max_keep": 3},
        {"lanes": 4, "rows": 2},
        {"method": "bmwm"},
        {"method": NOfM(m=8)},
        {"left_out": 0.25},
        {"left_out": "searched"},
        {"budget": "uniform"},
    ],
    ids=repr,
)
def test_searched_retains_more_than_spread_within_the_budget(settings, chained):
    scores = scores_of(96, 64, 32, seed=1)
    ratio = 6
    spread = PruneConfig(ratio=ratio, **{"order": "spread", **settings})
    searched = PruneConfig(ratio=ratio, **{"order": "searched", **settings})
    before, _, low = retained(scores, spread, chained=chained)
    after, masks, high = retained(scores, searched, chained=chained)
    assert high > low * 1.02
    assert sum(mask.slots(settings.get("rows", 1)) for mask in masks.values()) <= 96 * 64 // 6 + (
        64 * 32 // 6
    )
    assert all(before[name].size == after[name].size for name in scores)
    if chained:
        assert set(before["1"].tolist()) == set(after["1"].tolist())
        assert set(np.flatnonzero(masks["0"].live)) == set(after["1"].tolist())
    for name, order in after.items():
        assert len(set(order.tolist())) == order.size
        assert not np.array_equal(order, before[name])


def test_same_seed_same_orders():
    scores = scores_of(64, 48, 10, seed=2)
    for left_out in (None, "searched"):
        settings = {"ratio": 6, "order": "searched", "left_out": left_out}
        first, again, other = (
            column_orders(scores, PruneConfig(**settings, seed=seed)) for seed in (3, 3, 4)
        )
        assert all((first[name] == again[name]).all() for name in scores)
        assert any(not np.array_equal(first[name], other[name]) for name in scores)


def test_counts_found_retain_more_at_the_root_of_the_ratio():
    scores = scores_of(96, 64, 10, seed=3)
    # Half of the columns matter little, but hold more than the 1 % that a rule would leave out.
    scores["0"] = np.abs(np.random.default_rng(3).normal(size=(64, 96)))
    scores["0"][:, ::2] *= 0.25
    for order in ("natural", "spread"):
        totals = []
        for left_out in (0.0, None, "searched"):
            config = PruneConfig(ratio=16, order=order, left_out=left_out)
            orders = column_orders(scores, config)
            masks = network_masks(scores, orders, config, ratio=math.sqrt(16))
            total = 0.0
            for name, mask in masks.items():
                energy = scores[name][mask.live] ** 2
                total += energy[mask.mask[mask.live]].sum() / energy.sum()
            totals.append(total)
        assert totals[2] > max(totals[:2])
        if order == "natural":
            assert all((np.diff(columns) > 0).all() for columns in orders.values())


def test_at_ratio_one_nothing_but_dead_columns_is_left_out():
    scores = scores_of(20, 12, 6, seed=4)
    scores["0"][:, [3, 7]] = 0
    config = PruneConfig(ratio=1, order="searched", left_out="searched")
    orders, masks, total = retained(scores, config)
    assert [order.size for order in orders.values()] == [18, 12]
    assert 3 not in orders["0"]
    assert total == pytest.approx(2)
    assert masks["1"].mask.all()


def test_a_layer_alone_can_be_searched():
    scores = scores_of(64, 48, 10, seed=5)
    spread = column_orders(scores, PruneConfig(ratio=8))
    some = column_orders(
        scores, PruneConfig(ratio=8, layers={"1": LayerOverride(order="searched")})
    )
    assert (spread["0"] == some["0"]).all()
    assert (spread["1"] != some["1"]).any()


def test_sensitive_rows_have_more_say():
    scores = scores_of(64, 16, seed=6)
    sensitivity = np.repeat([1.0, 1e4], 8)
    config = PruneConfig(ratio=8, order="searched", assignment="sensitivity")

    def share(weights):
        _, masks, _ = retained(scores, config, chained=False, sensitivities={"0": weights})
        energy = scores["0"][8:] ** 2
        # The same patterns, so that the order alone makes the difference.
        return energy[masks["0"].mask[8:]].sum() / energy.sum()

    assert share(sensitivity) > share(np.ones(16))


def test_zero_scores_and_single_columns_are_no_trouble():
    for sizes in ((8, 4, 2), (1, 3, 1)):
        scores = {name: np.zeros_like(values) for name, values in scores_of(*sizes).items()}
        config = PruneConfig(ratio=1, order="searched", left_out="searched")
        orders = column_orders(scores, config)
        assert [order.size for order in orders.values()] == [1, 1]


def test_a_ratio_out_of_reach_is_told():
    scores = scores_of(64, 48, seed=7)
    for settings in ({"order": "searched"}, {"left_out": "searched"}):
        with pytest.raises(ValueError, match=r"^ratio must be at most \d+\.\d+, for blocks"):
            column_orders(scores, PruneConfig(ratio=100, **settings))
