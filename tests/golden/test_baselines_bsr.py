from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from rival_models import check_words, rival_model
from sparse_layers import layer_of, random_block_layer

from darb.golden import OutputMode
from darb.golden.baselines import BsrConfig, BsrModel, balanced_order, fit_bsr, pack_bsr
from darb.golden.bitfields import unpack_array, unpack_struct
from darb.golden.formats import Bsr

MODES = (OutputMode.ACTIVATIONS, OutputMode.ACCUMULATORS)
GOOD = {
    "multipliers": 16,
    "beat": 4,
    "columns": 9,
    "rows": 6,
    "block_size": 2,
    "entry_depth": 8,
    "length_bits": 4,
}


def block_layer(seed, shape, **fields):
    return random_block_layer(np.random.default_rng(seed), shape, **fields)


@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    st.sampled_from([2, 4, 8]),
    st.sampled_from([1, 2, 4]),
    st.integers(1, 5),
    st.integers(2, 8),
    st.booleans(),
    st.integers(0, 2**32),
)
def test_words_are_plain_arithmetic_and_every_block_is_stored_once(
    rows, columns, density, block_size, blocks_a_step, lanes, weight_bits, balance, seed
):
    each = block_size**2 * blocks_a_step
    layer = block_layer(
        seed,
        (rows, columns),
        block_size=block_size,
        density=density,
        weight_bits=weight_bits,
        relu=seed % 2 == 1,
    )
    model = rival_model(
        "bsr",
        layer,
        multipliers=min(lanes, 256 // each) * each,
        block_size=block_size,
        blocks_a_step=blocks_a_step,
        weight_bits=weight_bits,
        output_mode=MODES[seed // 2 % 2],
        balance=balance,
    )
    check_words(model, layer, seed)
    # A balanced order tears no block row apart.
    assert (
        model.stored_weights() == Bsr.from_dense(layer.weights, block_size=block_size).values.size
    )


@pytest.mark.parametrize(("block_size", "blocks_a_step"), [(2, 1), (2, 4), (4, 1), (4, 2), (8, 1)])
def test_memories_hold_what_scipy_stores(block_size, blocks_a_step):
    b, g = block_size, blocks_a_step
    layer = block_layer(b + g, (45, 61), block_size=b, density=0.3, empty=0.3)
    config = fit_bsr(layer, multipliers=3 * b * b * g, block_size=b, blocks_a_step=g)
    image = pack_bsr(layer, config)
    whole = np.zeros([-(-side // b) * b for side in layer.weights.shape], dtype=np.int64)
    whole[:45, :61] = layer.weights
    expected = scipy.sparse.bsr_array(scipy.sparse.csr_array(whole), blocksize=(b, b))
    expected.sort_indices()
    assert config.lanes == 3
    signed = [name for name in config.entry_layout if name.startswith("value")]
    for lane in range(3):
        lengths = unpack_array(
            image.memories[f"lengths_{lane}"], config.length_bits, 1, signed=False
        )
        words = image.memories[f"entries_{lane}"]
        fields = unpack_struct(config.entry_layout, words, signed=tuple(signed))
        entry = 0
        for row, length in zip(range(lane, config.block_rows, 3), lengths[:, 0], strict=True):
            blocks = range(expected.indptr[row], expected.indptr[row + 1])
            assert length == -(-len(blocks) // g)
            for place in range(length * g):
                word, e = entry + place // g, place % g
                values = [fields[name][word] for name in signed[e * b * b : (e + 1) * b * b]]
                column = fields[f"column_{e}"][word]
                if place < len(blocks):
                    assert column == expected.indices[blocks[place]]
                    assert values == expected.data[blocks[place]].ravel().tolist()
                else:
                    assert (column, *values) == (0,) * (1 + b * b)
            entry += length
        assert entry <= config.entry_depth
    assert BsrModel(image).stored_weights() == expected.data.size


def test_a_fit_is_the_smallest_and_the_beat_the_narrowest_that_keeps_up():
    layer = block_layer(1, (20, 200), block_size=2, density=0.2, empty=0.0)
    config = fit_bsr(layer, multipliers=32, block_size=2, blocks_a_step=2)
    steps = -(-Bsr.from_dense(layer.weights, block_size=2).lengths // 2)
    busiest = max(int(steps[lane::4].sum()) for lane in range(4))
    assert config.lanes == 4
    assert config.entry_depth == busiest
    assert config.length_bits == int(steps.max()).bit_length()
    assert config.input_beats <= max(busiest, 20) < -(-200 // (config.beat // 2))
    with pytest.raises(ValueError, match=r"lengths must fit . bits, not \d+"):
        pack_bsr(layer, replace(config, length_bits=config.length_bits - 1))
    narrow = block_layer(1, (20, 8), block_size=8, density=1.0)
    assert fit_bsr(narrow, multipliers=64, block_size=8).beat == 8


@pytest.mark.parametrize(("rows", "block_size", "blocks_a_step"), [(200, 2, 1), (197, 4, 2)])
def test_lanes_take_as_long_as_the_busiest_and_balance_makes_it_less(
    rows, block_size, blocks_a_step
):
    folding = {"block_size": block_size, "blocks_a_step": blocks_a_step}
    multipliers = 8 * block_size**2 * blocks_a_step
    layer = block_layer(2, (rows, 1200), block_size=block_size, density=0.3, empty=0.1)
    useful, outcomes = np.count_nonzero(layer.weights), {}
    for balance in (False, True):
        order = np.arange(rows)
        if balance:
            order = balanced_order(layer.weights, multipliers, **folding)
        lengths = Bsr.from_dense(layer.weights[order], block_size=block_size).lengths
        # A block row takes its lane two clocks at least.
        clocks = np.maximum(-(-lengths // blocks_a_step), 2)
        model = rival_model(
            "bsr",
            layer,
            multipliers=multipliers,
            balance=balance,
            queue_depth=256,
            **folding,
        )
        outcome = model.outcome()
        assert outcome.interval == max(int(clocks[lane::8].sum()) for lane in range(8))
        assert outcome.weights == useful
        assert outcome.utilisation == useful / (multipliers * outcome.interval)
        assert outcome.stored_weights == lengths.sum() * block_size**2
        outcomes[balance] = outcome
    assert outcomes[True].interval < outcomes[False].interval


@pytest.mark.parametrize("rows", [1, 7, 24, 29])
@pytest.mark.parametrize("lanes", [1, 3, 8, 20])
def test_a_balanced_order_keeps_block_rows_whole(rows, lanes):
    layer = block_layer(rows, (rows, 30), block_size=4, density=0.4)
    order = balanced_order(layer.weights, 16 * lanes, block_size=4)
    assert sorted(order) == list(range(rows))
    for first in range(0, rows, 4):
        part = order[first : first + 4]
        assert part[0] % 4 == 0
        assert np.diff(part).tolist() == [1] * (len(part) - 1)


def test_timeline_of_a_layer_by_hand():
    weights = np.zeros((5, 8), dtype=np.int64)
    weights[0, [0, 2, 5]] = 1
    weights[4, 3] = 2
    layer, fields = layer_of(weights), {"multipliers": 8, "block_size": 2, "beat": 4}
    model = rival_model("bsr", layer, **fields)
    transfers = model.timeline(1)
    assert transfers.inputs.tolist() == [[0, 1]]
    # Lane 0 begins block row 0 in clock 3 and has its last step in 6, where block row 2 begins,
    # with its step in 7. Block row 1 waits for block row 0. Ten clocks from the step to the
    # queue's end: 16, 17 and 18, 19 and 20; then eight to the output buffer and three to the
    # stream.
    assert transfers.outputs.tolist() == [[31, 32, 33, 34, 35]]
    blocked = model.timeline(1, valid=[False, True, False, True], ready=[False] * 40)
    assert blocked.inputs.tolist() == [[1, 3]]
    assert blocked.outputs.tolist() == [[40, 41, 42, 43, 44]]
    # Two blocks a step: one lane, a step less for block row 0, an adder level more.
    transfers = rival_model("bsr", layer, blocks_a_step=2, **fields).timeline(1)
    assert transfers.outputs.tolist() == [[31, 32, 33, 34, 35]]


@pytest.mark.parametrize("block_size", [2, 4, 8])
def test_all_multipliers_on_one_block_row_lose_what_its_last_step_lacks(block_size):
    layer = block_layer(block_size, (100, 800), block_size=block_size, density=0.3, empty=0.0)
    lengths = Bsr.from_dense(layer.weights, block_size=block_size).lengths
    count = 256 // block_size**2
    model = rival_model("bsr", layer, multipliers=256, block_size=block_size, blocks_a_step=count)
    assert model.image.config.lanes == 1
    outcome = model.outcome()
    steps = int(np.maximum(-(-lengths // count), 2).sum())
    assert outcome.interval >= steps
    assert outcome.utilisation <= np.count_nonzero(layer.weights) / (256 * steps)


@pytest.mark.parametrize(
    ("block_size", "blocks_a_step"), [(2, 1), (2, 4), (2, 16), (4, 1), (4, 4), (8, 1)]
)
def test_a_dense_matrix_keeps_every_multiplier_busy_however_it_is_folded(block_size, blocks_a_step):
    layer = layer_of(np.full((64, 256), -7))
    model = rival_model(
        "bsr",
        layer,
        multipliers=64,
        block_size=block_size,
        blocks_a_step=blocks_a_step,
        queue_depth=64,
    )
    outcome = model.outcome()
    assert outcome.interval == 64 * 256 / 64
    assert outcome.utilisation == 1
    # An index a block, where CSR has one a weight.
    rows = rival_model("csr", layer, multipliers=64).outcome()
    assert outcome.memory_bits < rows.memory_bits


def test_bits_of_the_memories():
    layer = block_layer(3, (5, 6), block_size=2, density=0.5)
    image = rival_model("bsr", layer, multipliers=16, block_size=2, blocks_a_step=2).image
    depth, length_bits = image.config.entry_depth, image.config.length_bits
    entries = 2 * depth * 2 * (4 * 8 + 2)
    assert image.memory_bits == 5 * (32 + 16 + 6 + 3) + entries + 3 * length_bits


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"multipliers": 257}, ValueError, "multipliers must be in 1..256, not 257"),
        ({"multipliers": 3}, ValueError, "multipliers must be at least a lane's 4, not 3"),
        (
            {"block_size": 4, "blocks_a_step": 2},
            ValueError,
            "multipliers must be at least a lane's 32, not 16",
        ),
        ({"block_size": 1}, ValueError, r"block_size must be one of \(2, 4, 8\), not 1"),
        ({"block_size": 2.0}, TypeError, "block_size must be an int, not 2.0"),
        ({"blocks_a_step": 3}, ValueError, "blocks_a_step must be a power of two, not 3"),
        ({"blocks_a_step": 0}, ValueError, "blocks_a_step must be in 1..256, not 0"),
        ({"blocks_a_step": True}, TypeError, "blocks_a_step must be an int, not True"),
        (
            {"block_size": 4, "beat": 2},
            ValueError,
            r"beat must be at least block_size \(4\), not 2",
        ),
        ({"queue_depth": 6}, ValueError, "queue_depth must be a power of two, not 6"),
    ],
)
def test_configs_are_checked(fields, error, message):
    with pytest.raises(error, match=message):
        BsrConfig(**{**GOOD, **fields})
