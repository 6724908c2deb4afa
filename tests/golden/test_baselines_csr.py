from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rival_models import check_words, rival_model
from sparse_layers import layer_of, random_layer

from darb.golden import OutputMode
from darb.golden.baselines import CsrConfig, balanced_order, fit_csr, pack_csr

MODES = (OutputMode.ACTIVATIONS, OutputMode.ACCUMULATORS)
GOOD = {"multipliers": 4, "columns": 9, "rows": 6, "entry_depth": 8, "length_bits": 4}


@given(
    st.integers(1, 30),
    st.integers(1, 40),
    st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    st.integers(1, 9),
    st.integers(2, 8),
    st.booleans(),
    st.integers(0, 2**32),
)
def test_words_are_plain_arithmetic_and_every_weight_is_stored_once(
    rows, columns, density, multipliers, weight_bits, balance, seed
):
    layer = random_layer(
        np.random.default_rng(seed),
        (rows, columns),
        density=density,
        weight_bits=weight_bits,
        relu=seed % 2 == 1,
    )
    model = rival_model(
        "csr",
        layer,
        multipliers=multipliers,
        weight_bits=weight_bits,
        output_mode=MODES[seed // 2 % 2],
        balance=balance,
    )
    check_words(model, layer, seed)
    assert model.stored_weights() == np.count_nonzero(layer.weights)


def test_a_fit_is_the_smallest_and_the_beat_the_narrowest_that_keeps_up():
    layer = random_layer(np.random.default_rng(1), (20, 100), density=0.1, empty=0.0)
    config = fit_csr(layer, multipliers=4)
    lengths = np.count_nonzero(layer.weights, axis=1)
    busiest = max(int(lengths[lane::4].sum()) for lane in range(4))
    assert config.entry_depth == busiest
    assert config.length_bits == int(lengths.max()).bit_length()
    assert config.input_beats <= max(busiest, 20) < -(-100 // (config.beat // 2 or 1))
    with pytest.raises(ValueError, match=r"lengths must fit . bits, not \d+"):
        pack_csr(layer, replace(config, length_bits=config.length_bits - 1))


def test_lanes_take_as_long_as_the_busiest_and_balance_makes_it_less():
    layer = random_layer(np.random.default_rng(2), (200, 300), density=0.2, empty=0.0)
    lengths = np.count_nonzero(layer.weights, axis=1)
    outcomes = {}
    for balance in (False, True):
        order = balanced_order(layer.weights, 8) if balance else np.arange(200)
        # A row takes its lane two clocks at least.
        packed = np.maximum(lengths[order], 2)
        model = rival_model("csr", layer, multipliers=8, balance=balance, queue_depth=256)
        outcome = model.outcome()
        assert outcome.interval == max(int(packed[lane::8].sum()) for lane in range(8))
        assert outcome.utilisation == lengths.sum() / (8 * outcome.interval)
        assert outcome.weights == outcome.stored_weights == lengths.sum()
        outcomes[balance] = outcome
    assert outcomes[True].interval < outcomes[False].interval
    assert outcomes[True].utilisation > 0.98


def test_timeline_of_a_layer_by_hand():
    layer = layer_of([[1, 2, 3, 0], [0, 0, 0, 0], [0, 4, 0, 0]])
    model = rival_model("csr", layer, multipliers=2, beat=2)
    transfers = model.timeline(1)
    assert transfers.inputs.tolist() == [[0, 1]]
    # Lane 0 begins row 0 in clock 3 and has its last step in 6, where row 2 begins, with its step
    # in 7. Row 1 waits for row 0. Nine clocks from the step to the queue's end: 15, 16, 17; then
    # eight to the output buffer and three to the stream.
    assert transfers.outputs.tolist() == [[28, 29, 30]]
    blocked = model.timeline(1, valid=[False, True, False, True], ready=[False] * 34)
    assert blocked.inputs.tolist() == [[1, 3]]
    assert blocked.outputs.tolist() == [[34, 35, 36]]


def test_bits_of_the_memories():
    layer = random_layer(np.random.default_rng(3), (5, 6), density=0.5)
    image = rival_model("csr", layer, multipliers=2).image
    depth, length_bits = image.config.entry_depth, image.config.length_bits
    assert image.memory_bits == 5 * (32 + 16 + 6 + 3) + 2 * depth * (8 + 3) + 5 * length_bits


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"multipliers": 0}, ValueError, "multipliers must be in 1..256, not 0"),
        ({"multipliers": 2.0}, TypeError, "multipliers must be an int, not 2.0"),
        ({"beat": 3}, ValueError, "beat must be a power of two, not 3"),
        ({"beat": 512}, ValueError, "beat must be in 1..256, not 512"),
        ({"weight_bits": 9}, ValueError, "weight_bits must be in 2..8, not 9"),
        ({"activation_bits": True}, TypeError, "activation_bits must be an int, not True"),
        ({"accumulator_bits": 7}, ValueError, "accumulator_bits must be in 8..32, not 7"),
        ({"columns": 0}, ValueError, "columns must be in 1..16384, not 0"),
        ({"rows": 1 << 17}, ValueError, "rows must be in 1..65536, not 131072"),
        ({"relu": 1}, TypeError, "relu must be a bool, not 1"),
        ({"output_mode": "raw"}, TypeError, "output_mode must be an OutputMode, not 'raw'"),
        (
            {"output_mode": OutputMode.ARGMAX},
            ValueError,
            "output_mode must be activations or accumulators, not 'argmax'",
        ),
        ({"queue_depth": 6}, ValueError, "queue_depth must be a power of two, not 6"),
        ({"entry_depth": 0}, ValueError, "entry_depth must be in 1..16777216, not 0"),
        ({"length_bits": 16}, ValueError, "length_bits must be in 1..15, not 16"),
    ],
)
def test_configs_are_checked(fields, error, message):
    with pytest.raises(error, match=message):
        CsrConfig(**{**GOOD, **fields})


def test_rounds_of_long_and_of_short_rows_take_turns():
    weights = np.tri(12, 12, dtype=np.int64)
    lengths = np.count_nonzero(weights, axis=1)
    turns = lengths[balanced_order(weights, 2)]
    falling = lengths[balanced_order(weights, 2, falling=True)]
    assert turns.reshape(-1, 2).sum(axis=1).tolist() == [23, 3, 19, 7, 15, 11]
    assert falling.reshape(-1, 2).sum(axis=1).tolist() == [23, 19, 15, 11, 7, 3]
    for lane in range(2):
        assert sorted(turns[lane::2]) == sorted(falling[lane::2])


def test_rows_of_one_weight_and_of_two_take_a_lane_as_long():
    weights = np.tri(5, 5, dtype=np.int64)[[0, 1, 0, 1, 2]]
    weights[2] = 0
    assert balanced_order(weights, 1, falling=True).tolist() == [4, 0, 1, 2, 3]
