import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rival_models import check_words, rival_model
from sparse_layers import layer_of, random_layer

from darb.golden import OutputMode
from darb.golden.baselines import BaselineImage, RelativeCscConfig, RelativeCscModel
from darb.golden.formats import RelativeCsc

MODES = (OutputMode.ACTIVATIONS, OutputMode.ACCUMULATORS)
GOOD = {"multipliers": 4, "columns": 9, "rows": 6, "entry_depth": 8}


def model_of(layer, **fields):
    return rival_model("relative_csc", layer, **fields)


@given(
    st.integers(1, 40),
    st.integers(1, 30),
    st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    st.integers(1, 9),
    st.integers(2, 8),
    st.integers(1, 5),
    st.booleans(),
    st.integers(0, 2**32),
)
def test_words_are_plain_arithmetic_and_the_weights_come_back(
    rows, columns, density, multipliers, weight_bits, index_bits, balance, seed
):
    layer = random_layer(
        np.random.default_rng(seed),
        (rows, columns),
        density=density,
        weight_bits=weight_bits,
        relu=seed % 2 == 1,
    )
    model = model_of(
        layer,
        multipliers=multipliers,
        weight_bits=weight_bits,
        index_bits=index_bits,
        output_mode=MODES[seed // 2 % 2],
        balance=balance,
    )
    check_words(model, layer, seed)
    lanes = model.image.config.lanes
    stored = RelativeCsc.from_dense(model.dense(), lanes=lanes, index_bits=index_bits)
    assert model.stored_weights() == stored.values.size


def test_padding_zeros_bridge_long_gaps_and_take_a_clock_each():
    weights = np.zeros((120, 2), dtype=np.int64)
    # Lane 1 has rows 1, 3, ...: 55 zeros stand between two of its weights.
    weights[[1, 113], 1] = 5, -7
    model = model_of(layer_of(weights), multipliers=2)
    assert model.stored.values.tolist() == [5, 0, 0, 0, -7]
    assert model.stored.skips.tolist() == [0, 15, 15, 15, 7]
    assert np.array_equal(model.dense(), weights)
    assert model.image.config.entry_depth == model.stored_weights() == 5
    outcome = model.outcome()
    assert (outcome.weights, outcome.useful, outcome.stored_weights) == (2, 2, 5)
    wide = model_of(layer_of(weights), multipliers=2, index_bits=6)
    assert wide.stored_weights() == 2
    assert wide.outcome().latency == outcome.latency - 3


def test_timeline_of_a_layer_by_hand():
    layer = layer_of([[1, 2, 3, 0], [0, 0, 0, 0], [0, 4, 0, 0]])
    model = model_of(layer, multipliers=2, beat=2)
    transfers = model.timeline(1)
    assert transfers.inputs.tolist() == [[0, 1]]
    # The first beat is read in clock 3 and stands in 5, so that columns are picked in 5 to 8. Lane
    # 0 begins them in 12, 13, 15 and, for it is the last, in 16, with an idle step in 17; lane 1
    # only the last one, in 15. Six clocks after that the sums are taken: 23, 24, 25; then eight to
    # the output buffer and three to the stream.
    assert transfers.outputs.tolist() == [[36, 37, 38]]
    # Column 1 is not picked: columns 2 and 3 in 6 and 7, lane 0's last step in 15.
    assert model.timeline(np.array([[1, 0, 1, 1]])).outputs.tolist() == [[34, 35, 36]]
    # One pick, of no column, and an idle step in 13.
    assert model.timeline(np.zeros((1, 4), dtype=int)).outputs.tolist() == [[32, 33, 34]]
    blocked = model.timeline(1, valid=[False, True, False, True], ready=[False] * 42)
    assert blocked.inputs.tolist() == [[1, 3]]
    assert blocked.outputs.tolist() == [[42, 43, 44]]


def test_accumulators_are_cleared_before_the_first_vector_begins():
    weights = np.ones((40, 1), dtype=np.int64)
    # Forty lanes begin in clock 11, step in 12 and are through in 18, when rows are taken.
    assert model_of(layer_of(weights), multipliers=40).timeline(1).outputs[0, 0] == 18 + 39 + 11
    # One lane begins in clock 40 and has forty steps.
    assert model_of(layer_of(weights), multipliers=1).timeline(1).outputs[0, 0] == 86 + 39 + 11


@pytest.mark.parametrize("share", [0.1, 0.6, 1.0])
def test_a_vector_takes_what_the_slowest_of_lanes_broadcast_and_results_takes(share):
    rng = np.random.default_rng(3)
    layer = random_layer(rng, (64, 200), density=0.3, empty=0.0, uneven=False)
    vector = rng.integers(1, 100, 200) * (rng.random(200) < share)
    model = model_of(layer, multipliers=16, balance=True, queue_depth=256)
    picked = vector != 0
    counts = model.stored.entries_by_lane()[picked]
    # A lane without entries in the last column has an idle step.
    work = int((counts.sum(axis=0) + (counts[-1] == 0)).max())
    outcome = model.outcome(vector[None])
    if work > 64 + 16:
        assert outcome.interval == work
    else:
        assert work < 64 <= outcome.interval < 64 + 16
    assert outcome.useful == np.count_nonzero(layer.weights[:, picked])
    assert outcome.utilisation == outcome.useful / (16 * outcome.interval)


def test_without_weights_a_vector_takes_a_clock_a_nonzero_activation():
    model = model_of(layer_of(np.zeros((4, 100), dtype=int)), multipliers=4, beat=16)
    for share in (100, 60, 31):
        vector = np.zeros((1, 100), dtype=int)
        vector[0, np.random.default_rng(share).permutation(100)[:share]] = -1
        assert model.outcome(vector).interval == share, share


def test_deep_queues_even_out_what_lanes_have_in_single_columns():
    layer = random_layer(
        np.random.default_rng(4), (256, 256), density=0.08, empty=0.0, uneven=False
    )
    intervals = []
    for queue_depth in (1, 8, 256):
        model = model_of(layer, multipliers=16, balance=True, queue_depth=queue_depth)
        intervals.append(model.outcome().interval)
    assert intervals[0] > intervals[1] > intervals[2]
    assert intervals[2] == model.stored.entries_by_lane().sum(axis=0).max()


def test_outcome_of_vectors_is_the_mean_over_them():
    rng = np.random.default_rng(5)
    layer = random_layer(rng, (24, 60), density=0.4)
    model = model_of(layer, multipliers=4)
    vectors = rng.integers(-9, 10, (3, 60)) * (rng.random((3, 60)) < [[0.2], [0.9], [0.5]])
    outcome = model.outcome(vectors)
    useful = [np.count_nonzero(layer.weights * vector) for vector in vectors]
    assert outcome.useful == pytest.approx(np.mean(useful))
    ends = model.timeline(np.tile(vectors, (6, 1))).outputs[:, -1]
    assert outcome.interval == (ends[17] - ends[8]) / 9
    assert outcome.latency == ends[0] + 1
    assert outcome.latency < model.outcome().latency
    # What computes with zeros too takes no fewer clocks, and its useful work is the same.
    csr = rival_model("csr", layer, multipliers=4)
    assert csr.outcome(vectors).interval == csr.outcome().interval
    assert csr.outcome(vectors).useful == outcome.useful < csr.outcome().useful
    assert model.outcome(np.ones((1, 60), dtype=int)) == model.outcome()
    with pytest.raises(ValueError, match="vectors must hold at least one vector, not 0"):
        model.outcome(np.zeros((0, 60), dtype=int))
    with pytest.raises(ValueError, match=r"input vectors must have shape \(B, 60\), not \(1, 59\)"):
        model.timeline(np.zeros((1, 59), dtype=int))
    with pytest.raises(TypeError, match="input vectors must be integers, not float64"):
        model.timeline(vectors * 1.0)


def test_a_fit_is_the_smallest():
    layer = random_layer(np.random.default_rng(1), (20, 100), density=0.1, empty=0.0)
    model = model_of(layer, multipliers=4)
    config = model.image.config
    busiest = int(model.stored.entries_by_lane().sum(axis=0).max())
    assert config.entry_depth == busiest
    assert config.pointer_bits == model.stored.pointer_bits
    assert config.input_beats <= 20 < -(-100 // (config.beat // 2))


def test_bits_of_the_memories_and_what_they_must_hold():
    layer = random_layer(np.random.default_rng(3), (5, 6), density=0.5)
    image = model_of(layer, multipliers=2).image
    config = image.config
    pointers = 2 * 7 * config.pointer_bits
    assert image.memory_bits == 5 * (32 + 16 + 6 + 3) + 2 * config.entry_depth * (8 + 4) + pointers
    swapped = {**image.memories, "odd_1": image.memories["odd_1"][::-1]}
    with pytest.raises(ValueError, match="pointers of lane 1 must start at 0 and never fall, not "):
        RelativeCscModel(BaselineImage(config, swapped))


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"queue_depth": 6}, ValueError, "queue_depth must be a power of two, not 6"),
        ({"queue_depth": 512}, ValueError, "queue_depth must be in 1..256, not 512"),
        ({"index_bits": 0}, ValueError, "index_bits must be in 1..16, not 0"),
        ({"index_bits": 4.0}, TypeError, "index_bits must be an int, not 4.0"),
        ({"entry_depth": 0}, ValueError, "entry_depth must be in 1..16777216, not 0"),
    ],
)
def test_configs_are_checked(fields, error, message):
    with pytest.raises(error, match=message):
        RelativeCscConfig(**{**GOOD, **fields})
