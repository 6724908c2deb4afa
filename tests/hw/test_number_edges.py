"""Numbers at their edges through whole engines: Amaranth's simulator, golden, plain integers."""

import numpy as np
import pytest

from darb.golden import (
    EngineModel,
    IntegerLayer,
    IntegerNetwork,
    OutputMode,
    Pattern,
    Storage,
    fit_config,
)
from darb.golden.number_edges import full_accumulators
from darb.golden.reference import reference
from darb.hw import Disturbance
from darb.hw.fuzzing.case import FuzzCase, FuzzRun
from darb.hw.fuzzing.comparison import check_case

COLUMNS = 6
LIMITS = [1 << 15, (1 << 16) - 1]


def dense_layer(weights, *, shift, multiplier=1 << 15, relu=False, bias=0):
    weights = np.asarray(weights)
    rows = len(weights)
    return IntegerLayer(
        name="fc",
        weights=weights,
        bias=np.broadcast_to(bias, rows),
        multiplier=np.broadcast_to(multiplier, rows),
        shift=np.broadcast_to(shift, rows),
        relu=relu,
        patterns=(Pattern(0),) * rows,
        columns=np.arange(weights.shape[1]),
    )


def exact(layers, vectors, weight_bits, activation_bits, mode=OutputMode.ACCUMULATORS, **pinned):
    """Run an engine of two lanes and two rows; returns what it sends and its config."""
    network = IntegerNetwork(
        layers=tuple(layers), weight_bits=weight_bits, activation_bits=activation_bits
    )
    config = fit_config(network, lanes=2, rows=2, output_mode=mode, **pinned)
    vectors = np.asarray(vectors)
    run = FuzzRun(0, vectors, Disturbance())
    case = FuzzCase(config, Storage.ROM, (network,), (run,))
    verdict = check_case(case, {"amaranth": None})
    assert verdict.mismatches == []
    assert verdict.clocks["amaranth"] > 0
    return EngineModel(case.images[0]).run(vectors), config


def extremes(activation_bits, columns=COLUMNS):
    """All of the smallest, all of the largest, and both in turn."""
    low, high = -(1 << activation_bits - 1), (1 << activation_bits - 1) - 1
    turns = np.where(np.arange(columns) % 2, low, high)
    return np.array([[low] * columns, [high] * columns, turns, -1 - turns])


WIDTHS = pytest.mark.parametrize(
    ("weight_bits", "activation_bits"), [(2, 2), (2, 8), (8, 2), (5, 3), (8, 8)]
)


@WIDTHS
def test_largest_and_smallest_weights_meet_largest_and_smallest_activations(
    weight_bits, activation_bits
):
    limit = (1 << weight_bits - 1) - 1
    signs = np.array([[1] * COLUMNS, [-1] * COLUMNS, [1, -1] * (COLUMNS // 2)])
    layer = dense_layer(limit * signs, shift=15)
    outputs, _ = exact([layer], extremes(activation_bits), weight_bits, activation_bits)
    low, high = limit * -(1 << activation_bits - 1), limit * ((1 << activation_bits - 1) - 1)
    assert outputs[0].tolist() == [COLUMNS * low, -COLUMNS * low, 0]
    assert outputs[1].tolist() == [COLUMNS * high, -COLUMNS * high, 0]
    in_turn = COLUMNS // 2
    assert outputs[2].tolist() == [
        in_turn * (high + low),
        -in_turn * (high + low),
        in_turn * (high - low),
    ]


@WIDTHS
@pytest.mark.parametrize("bits", [None, 32])
def test_accumulators_exactly_full_both_ways(weight_bits, activation_bits, bits):
    limit = (1 << weight_bits - 1) - 1
    layer = dense_layer([[limit] * COLUMNS, [-limit] * COLUMNS], shift=40)
    layer = full_accumulators(np.random.default_rng(0), layer, activation_bits, bits)
    outputs, config = exact([layer], extremes(activation_bits), weight_bits, activation_bits)
    full = (1 << config.accumulator_bits - 1) - 1
    assert bits in (None, config.accumulator_bits)
    assert outputs[0].tolist() == [-full, full]


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("multiplier", LIMITS)
def test_shifts_at_their_limits_and_saturation_both_ways(multiplier, relu):
    shifts = [1, 2, 14, 15, 16, 17, 62, 63]
    weights = np.vstack([np.full((len(shifts), COLUMNS), 127), np.full((len(shifts), 6), -127)])
    bias = np.repeat([2**31 - 1 - 127 * 128 * COLUMNS, -(2**31) + 1 + 127 * 128 * COLUMNS], 8)
    one = np.zeros((3, COLUMNS), dtype=int)
    one[:, 0] = 1
    layers = [
        dense_layer(
            np.vstack([weights, weights, one]),
            shift=[*shifts * 4, 15, 16, 17],
            multiplier=multiplier,
            bias=np.concatenate([bias, np.zeros(19, dtype=int)]),
            relu=relu,
        )
    ]
    vectors = np.vstack([extremes(8), [[value, 0, 0, 0, 0, 0] for value in (-3, -1, 1, 3)]])
    outputs, config = exact(layers, vectors, 8, 8, OutputMode.ACTIVATIONS)
    assert config.accumulator_bits == 32
    assert outputs.max() == 127
    assert outputs.min() == (0 if relu else -128)
    # Half is rounded up, so that 1 at shift 16 and the smallest multiplier is 1 and -1 is 0.
    if multiplier == LIMITS[0]:
        assert outputs[4:, 33].tolist() == [0 if relu else -1, 0, 1, 2]


def test_a_hidden_layer_that_saturates_both_ways_feeds_the_next_with_extremes():
    first = dense_layer([[127, -127], [-127, 127], [127, 127], [1, 0]], shift=1)
    second = dense_layer([[127, -127, 127, -127], [-127, 127, -127, 127]], shift=63)
    network = IntegerNetwork(layers=(first, second))
    vectors = [[127, -128], [-128, 127], [-128, -128], [0, 0]]
    hidden = reference(IntegerNetwork(layers=(first,)), np.array(vectors), raw=False)
    assert {-128, 127} <= set(hidden.ravel().tolist())
    outputs, config = exact([first, second], vectors, 8, 8)
    assert np.array_equal(outputs, reference(network, np.array(vectors)))
    assert config.accumulator_bits == 17
