from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from sparse_layers import layer_reference, random_block_layer

from darb.golden import OutputMode
from darb.golden.baselines import (
    BaselineConfig,
    BaselineImage,
    BsrConfig,
    BsrModel,
    CsrModel,
    balanced_order,
    fit_bsr,
    fit_csr,
    pack_bsr,
    pack_csr,
)
from darb.golden.bitfields import unpack_array, unpack_struct
from darb.golden.formats import Bsr

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
    folding = {"block_size": block_size, "blocks_a_step": blocks_a_step}
    each = block_size**2 * blocks_a_step
    multipliers = min(lanes, 256 // each) * each
    layer = block_layer(
        seed,
        (rows, columns),
        block_size=block_size,
        density=density,
        weight_bits=weight_bits,
        relu=seed % 2 == 1,
    )
    order = balanced_order(layer.weights, multipliers, **folding) if balance else None
    mode = [OutputMode.ACTIVATIONS, OutputMode.ACCUMULATORS][seed // 2 % 2]
    config = fit_bsr(
        layer,
        multipliers=multipliers,
        weight_bits=weight_bits,
        output_mode=mode,
        order=order,
        **folding,
    )
    model = BsrModel(pack_bsr(layer, config, order=order))
    packed = layer.weights if order is None else layer.weights[order]
    assert np.array_equal(model.dense(), packed)
    # A balanced order tears no block row apart.
    assert (
        model.stored_weights() == Bsr.from_dense(layer.weights, block_size=block_size).values.size
    )
    vectors = np.random.default_rng(seed).integers(-128, 128, (3, columns))
    raw = mode is OutputMode.ACCUMULATORS
    expected = layer_reference(layer, vectors, activation_bits=8, raw=raw)
    assert np.array_equal(model.run(vectors), expected)


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
    with pytest.raises(ValueError, match=f"lane . must have at most {busiest - 1} entries, not "):
        pack_bsr(layer, replace(config, entry_depth=busiest - 1))
    with pytest.raises(ValueError, match=r"lengths must fit . bits, not \d+"):
        pack_bsr(layer, replace(config, length_bits=config.length_bits - 1))
    with pytest.raises(ValueError, match=r"accumulators must fit \d+ bits, not \d+"):
        pack_bsr(layer, replace(config, accumulator_bits=config.accumulator_bits - 1))
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
    for name, order in (
        ("plain", None),
        ("balanced", balanced_order(layer.weights, multipliers, **folding)),
    ):
        packed = layer.weights if order is None else layer.weights[order]
        lengths = Bsr.from_dense(packed, block_size=block_size).lengths
        # A block row takes its lane two clocks at least.
        clocks = np.maximum(-(-lengths // blocks_a_step), 2)
        config = fit_bsr(layer, multipliers=multipliers, order=order, queue_depth=256, **folding)
        outcome = BsrModel(pack_bsr(layer, config, order=order)).outcome()
        assert outcome.interval == max(int(clocks[lane::8].sum()) for lane in range(8))
        assert outcome.weights == useful
        assert outcome.utilisation == useful / (multipliers * outcome.interval)
        assert outcome.stored_weights == lengths.sum() * block_size**2
        outcomes[name] = outcome
    assert outcomes["balanced"].interval < outcomes["plain"].interval


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
    layer = replace(block_layer(0, (5, 8), block_size=2, density=0), weights=weights)
    model = BsrModel(pack_bsr(layer, fit_bsr(layer, multipliers=8, block_size=2, beat=4)))
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
    config = fit_bsr(layer, multipliers=8, block_size=2, blocks_a_step=2, beat=4)
    transfers = BsrModel(pack_bsr(layer, config)).timeline(1)
    assert transfers.outputs.tolist() == [[31, 32, 33, 34, 35]]


@pytest.mark.parametrize("block_size", [2, 4, 8])
def test_all_multipliers_on_one_block_row_lose_what_its_last_step_lacks(block_size):
    layer = block_layer(block_size, (100, 800), block_size=block_size, density=0.3, empty=0.0)
    lengths = Bsr.from_dense(layer.weights, block_size=block_size).lengths
    count = 256 // block_size**2
    config = fit_bsr(layer, multipliers=256, block_size=block_size, blocks_a_step=count)
    assert config.lanes == 1
    outcome = BsrModel(pack_bsr(layer, config)).outcome()
    steps = int(np.maximum(-(-lengths // count), 2).sum())
    assert outcome.interval >= steps
    assert outcome.utilisation <= np.count_nonzero(layer.weights) / (256 * steps)


@pytest.mark.parametrize(
    ("block_size", "blocks_a_step"), [(2, 1), (2, 4), (2, 16), (4, 1), (4, 4), (8, 1)]
)
def test_a_dense_matrix_keeps_every_multiplier_busy_however_it_is_folded(block_size, blocks_a_step):
    layer = block_layer(5, (64, 256), block_size=block_size, density=0)
    layer = replace(layer, weights=np.full((64, 256), -7))
    config = fit_bsr(
        layer, multipliers=64, block_size=block_size, blocks_a_step=blocks_a_step, queue_depth=64
    )
    outcome = BsrModel(pack_bsr(layer, config)).outcome()
    assert outcome.interval == 64 * 256 / 64
    assert outcome.utilisation == 1
    # An index a block, where CSR has one a weight.
    rows = CsrModel(pack_csr(layer, fit_csr(layer, multipliers=64))).outcome()
    assert outcome.memory_bits < rows.memory_bits


def test_files_and_bits_are_the_memories():
    layer = block_layer(3, (5, 6), block_size=2, density=0.5)
    config = fit_bsr(layer, multipliers=16, block_size=2, blocks_a_step=2)
    image = pack_bsr(layer, config)
    files = image.files()
    assert list(files) == [f"{name}.mem" for name in config.memory_shapes]
    assert [text.count(b"\n") for text in files.values()] == [
        depth for depth, _ in config.memory_shapes.values()
    ]
    assert image.memory_bits == (
        5 * (32 + 16 + 6 + 3) + 2 * config.entry_depth * 2 * (4 * 8 + 2) + 3 * config.length_bits
    )


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


def test_layers_and_orders_are_checked():
    layer = block_layer(4, (6, 9), block_size=2, density=0.3)
    config = fit_bsr(layer, multipliers=16, block_size=2)
    with pytest.raises(TypeError, match=r"config must be a BsrConfig, not CsrConfig\("):
        pack_bsr(layer, fit_csr(layer, multipliers=4))
    with pytest.raises(TypeError, match=r"config must be a CsrConfig, not BsrConfig\("):
        pack_csr(layer, config)
    with pytest.raises(ValueError, match=r"layer must have shape \(6, 8\), not \(6, 9\)"):
        pack_bsr(layer, replace(config, columns=8))
    with pytest.raises(ValueError, match="order must name each of 6 rows once, not "):
        pack_bsr(layer, config, order=np.zeros(6, dtype=int))
    with pytest.raises(ValueError, match=r"block_size must be one of \(2, 4, 8\), not 3"):
        fit_bsr(layer, multipliers=16, block_size=3)
    with pytest.raises(ValueError, match="multipliers must be at least 8, not 7"):
        balanced_order(layer.weights, 7, block_size=2, blocks_a_step=2)
    with pytest.raises(TypeError, match="block_size must be an int, not None"):
        balanced_order(layer.weights, 7, block_size=None)
    with pytest.raises(ValueError, match="blocks_a_step must be at least 1, not 0"):
        balanced_order(layer.weights, 7, blocks_a_step=0)
    base = BaselineConfig(multipliers=4, columns=9, rows=6)
    rows = {"rows": pack_bsr(layer, config).memories["rows"]}
    with pytest.raises(TypeError, match=r"image must have a BsrConfig, not BaselineConfig\("):
        BsrModel(BaselineImage(base, rows))
    with pytest.raises(TypeError, match=r"image must have a CsrConfig, not BsrConfig\("):
        CsrModel(pack_bsr(layer, config))
