"""Column orders: who is left out, and how many."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darb.sw.pruning import (
    LayerOverride,
    PruneConfig,
    column_orders,
    kept_columns,
    network_masks,
    spread_order,
)


@given(
    st.integers(1, 200),
    st.floats(0, 1),
    st.none() | st.floats(0, 0.99),
    st.integers(1, 32),
    st.integers(0, 2**32 - 1),
)
def test_kept_columns_are_live_and_a_multiple_where_that_can_be(
    columns, dead, left_out, multiple, seed
):
    generator = np.random.default_rng(seed)
    energy = generator.random(columns) + 0.001
    energy[generator.random(columns) < dead] = 0
    live = np.count_nonzero(energy)
    count = kept_columns(energy, left_out=left_out, multiple=multiple)
    assert 1 <= count <= max(live, 1)
    wanted = kept_columns(energy, left_out=left_out)
    assert abs(count - wanted) < multiple
    if -(-wanted // multiple) * multiple <= live:
        assert count % multiple == 0
    if count < wanted:
        assert left_out is None
        assert np.sort(energy)[: columns - count].sum() <= 0.03 * energy.sum() * (1 + 1e-9)


def test_empty_slots_rather_than_many_columns_lost():
    assert kept_columns(np.ones(40), multiple=32) == 40
    energy = np.append(np.ones(32), np.full(8, 0.1))
    assert kept_columns(energy, multiple=32) == 32


def test_one_percent_of_the_energy_goes():
    energy = np.array([50.0, 0.5, 49.0, 0.3, 0.2])
    assert kept_columns(energy) == 2
    assert kept_columns(np.array([50.0, 0.6, 48.9, 0.3, 0.2])) == 3


def test_share_left_out():
    assert kept_columns(np.ones(100), left_out=0.3) == 70
    assert kept_columns(np.ones(100), left_out=0.3, multiple=16) == 80
    assert kept_columns(np.ones(100), left_out=0.0, multiple=16) == 100


def test_spread_order_keeps_the_salient_and_follows_the_seed():
    energy = np.arange(100.0)
    first = spread_order(energy, 40, generator=np.random.default_rng(1))
    again = spread_order(energy, 40, generator=np.random.default_rng(1))
    other = spread_order(energy, 40, generator=np.random.default_rng(2))
    assert sorted(first) == list(range(60, 100))
    assert (first == again).all()
    assert (first != other).any()
    assert first.tolist() != sorted(first)


def scores_of(*sizes, seed=0):
    generator = np.random.default_rng(seed)
    return {
        str(index): np.abs(generator.normal(size=(m, n)))
        for index, (n, m) in enumerate(itertools.pairwise(sizes))
    }


def test_left_out_columns_make_the_rows_before_dead_and_free():
    scores = scores_of(64, 48, 32, 10)
    config = PruneConfig(ratio=6, left_out=0.25, lanes=4, rows=2)
    orders = column_orders(scores, config)
    masks = network_masks(scores, orders, config)
    assert [orders[name].size for name in scores] == [48, 36, 24]
    for name, after in (("0", "1"), ("1", "2")):
        live = masks[name].live
        assert set(np.flatnonzero(live)) == set(orders[after].tolist())
        assert not masks[name].mask[~live].any()
    assert masks["2"].live.all()
    total = sum(mask.slots(2) for mask in masks.values())
    weights = sum(matrix.size for matrix in scores.values())
    assert total <= weights / 6
    assert total == sum(mask.stored for mask in masks.values())


def test_dead_rows_have_no_say_in_their_own_layers_order():
    scores = scores_of(16, 8, 2)
    scores["1"][:, 4:] = 0
    scores["0"][:4, :8] = 0
    scores["0"][4:, :8] = 1000
    orders = column_orders(scores, PruneConfig(ratio=2))
    assert sorted(orders["1"]) == [0, 1, 2, 3]
    assert set(orders["0"].tolist()) <= set(range(8, 16))


def test_dead_columns_are_left_out_of_spread_order_alone():
    scores = scores_of(20, 6)
    scores["0"][:, [3, 7]] = 0
    spread = column_orders(scores, PruneConfig(ratio=2, left_out=0.0))["0"]
    assert sorted(spread) == [i for i in range(20) if i not in (3, 7)]
    natural = column_orders(scores, PruneConfig(ratio=2, order="natural"))["0"]
    assert natural.tolist() == list(range(20))


def test_natural_order_can_leave_columns_out_too():
    scores = scores_of(20, 6)
    order = column_orders(scores, PruneConfig(ratio=2, order="natural", left_out=0.5))["0"]
    assert order.size == 10
    assert order.tolist() == sorted(order)


def test_a_ratio_of_its_own_is_a_budget_of_its_own():
    scores = scores_of(64, 48, 10)
    config = PruneConfig(ratio=8, order="natural", layers={"1": LayerOverride(ratio=1)})
    masks = network_masks(scores, column_orders(scores, config), config)
    assert masks["1"].mask.all()
    assert masks["0"].stored <= scores["0"].size / 8 < masks["0"].stored + 32


def test_missing_calibration_is_named():
    from darb.sw.pruning.network import scores_of as by_config

    text = r"^calibration must be given for saliency 'activation', not None$"
    with pytest.raises(ValueError, match=text):
        by_config({"0": np.ones((2, 2))}, None, PruneConfig(ratio=2))
