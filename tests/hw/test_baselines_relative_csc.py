"""The relative CSC engine in Amaranth's simulator: every word and every clock as golden says."""

import numpy as np
import pytest
from component_simulation import run_component
from engine_against_golden import check_engine
from rival_models import rival_model
from sparse_layers import layer_of, layer_reference, mixed_layer, random_layer

from darb.golden import OutputMode
from darb.golden.baselines import fit_relative_csc, pack_relative_csc
from darb.hw.baselines import RelativeCscEngine

VECTORS = 7
MODES = (OutputMode.ACTIVATIONS, OutputMode.ACCUMULATORS)
ENDS = ((0, 0), (0.4, 0), (0, 0.9), (0.3, 0.5))


def random_vectors(rng, config, vectors, share):
    """Return vectors of which about `share` of the activations are not zero, one vector of zeros.

    With 1 no activation is zero in any.
    """
    half = 1 << (config.activation_bits - 1)
    shape = vectors, config.columns
    magnitude = rng.integers(1, half, shape)
    given = np.where(rng.random(shape) < 0.5, -magnitude - (rng.random(shape) < 0.1), magnitude)
    if share < 1:
        given[rng.random(shape) >= share] = 0
        given[vectors // 2] = 0
    return given


def check(layer, seed, *, fields, vectors=None, share=0.5, **run):
    """Hold one run of the engine against golden."""
    model = rival_model("relative_csc", layer, **fields)
    if vectors is None:
        vectors = random_vectors(np.random.default_rng(seed), model.image.config, VECTORS, share)
    return check_engine(model, layer, seed, vectors=vectors, **run)


@pytest.mark.parametrize("seed", range(24))
def test_engine_is_golden_bit_for_bit_and_clock_for_clock(seed):
    weight_bits = [4, 8][seed // 4 % 2]
    idle, blocked = ENDS[seed // 6]
    check(
        mixed_layer(seed, weight_bits=weight_bits),
        seed,
        idle=idle,
        blocked=blocked,
        share=[0.1, 0.5, 1][seed // 5 % 3],
        fields={
            "multipliers": [1, 2, 4, 8][seed % 4],
            "weight_bits": weight_bits,
            "beat": [None, 1, 2, 8][seed // 3 % 4],
            "queue_depth": [1, 2, 8, 16][seed // 2 % 4],
            "index_bits": [1, 2, 4][seed // 4 % 3],
            "output_mode": MODES[seed // 7 % 2],
            "balance": seed % 2 == 1,
        },
    )


@pytest.mark.parametrize(
    ("shape", "density", "fields"),
    [
        ((1, 1), 1.0, {"multipliers": 1}),
        ((1, 1), 1.0, {"multipliers": 1, "beat": 8, "queue_depth": 1}),
        ((1, 9), 0.5, {"multipliers": 4, "beat": 4}),
        ((9, 1), 0.5, {"multipliers": 2, "beat": 2}),
        ((13, 3), 0.0, {"multipliers": 4, "queue_depth": 1}),
        ((33, 64), 0.5, {"multipliers": 32, "activation_bits": 3, "weight_bits": 2}),
        ((60, 20), 0.02, {"multipliers": 1, "index_bits": 1}),
        ((12, 150), 0.9, {"multipliers": 3, "beat": 64}),
    ],
)
@pytest.mark.parametrize("share", [0.2, 1])
@pytest.mark.parametrize(("idle", "blocked"), [ENDS[0], ENDS[3]])
def test_unusual_shapes(shape, density, fields, share, idle, blocked):
    numbers = {name: fields[name] for name in ("weight_bits", "activation_bits") if name in fields}
    layer = random_layer(np.random.default_rng(shape), shape, density=density, **numbers)
    check(layer, sum(shape), idle=idle, blocked=blocked, share=share, fields=fields)


@pytest.mark.parametrize(("idle", "blocked"), [ENDS[0], ENDS[3]])
def test_a_row_may_come_in_every_clock_or_in_every_second_or_third(idle, blocked):
    # Lane 0 adds to row 0 in every clock, then to rows 0 and 2 in turn, then to 0, 2 and 4; lane
    # 1 has row 1 alone.
    weights = np.zeros((6, 36), dtype=np.int64)
    weights[0, :12] = np.arange(1, 13)
    weights[[0, 2] * 6, np.arange(12, 24)] = 100
    weights[[0, 2, 4] * 4, np.arange(24, 36)] = -127
    weights[1] = np.arange(-18, 18)
    vectors = np.random.default_rng(1).integers(1, 128, (5, 36))
    outcome = check(
        layer_of(weights, bias=7),
        1,
        vectors=vectors,
        idle=idle,
        blocked=blocked,
        fields={"multipliers": 2, "beat": 4},
    )
    assert outcome.interval == 36


def test_the_next_vector_adds_to_the_same_rows_of_the_other_bank_at_once():
    weights = [[1, 0], [0, 0], [0, 0]]
    vectors = np.array([[127, 0], [1, 0], [-128, 0], [2, 0], [0, 0], [0, 5], [3, 3], [4, 0]])
    check(layer_of(weights), 2, vectors=vectors, fields={"multipliers": 1, "beat": 2})


def test_long_gaps_take_padding_zeros():
    weights = np.zeros((150, 6), dtype=np.int64)
    weights[[0, 149], 1] = 5, -6
    weights[149, 2] = 7
    weights[[64, 66, 148], 4] = 1, 2, 3
    layer = layer_of(weights, bias=-3)
    fields = {"multipliers": 2, "beat": 2}
    outcome = check(layer, 3, share=1, fields=fields)
    assert (outcome.weights, outcome.stored_weights) == (6, 6 + 4 + 4 + 2 + 2)
    check(layer, 4, share=0.5, blocked=0.5, fields=fields)


def test_a_full_queue_holds_up_the_broadcast_for_all_lanes():
    weights = np.zeros((64, 24), dtype=np.int64)
    weights[::4, ::2] = 1
    weights[1::4, 1::2] = 1
    weights[2, :] = 1
    fields = {"multipliers": 4, "beat": 8}
    outcomes = [
        check(layer_of(weights), 5, share=1, fields={**fields, "queue_depth": queue_depth})
        for queue_depth in (1, 2, 32)
    ]
    # Lanes 0 and 1 have sixteen entries in every second column; lane 1 also in the last one.
    assert outcomes[2].interval == 16 * 12 + 1
    assert outcomes[0].interval >= outcomes[2].interval


def test_accumulators_exactly_full():
    layer = layer_of([[127, 127], [-127, -127], [127, -127]], bias=[255, -255, 0])
    assert fit_relative_csc(layer, multipliers=2).accumulator_bits == 16
    extremes = np.array([[-128, -128], [127, 127], [-128, 127], [127, -128]])
    check(layer, 1, vectors=extremes, fields={"multipliers": 2})


def test_beats_of_a_vector_that_is_dropped_leave_no_trace():
    rng = np.random.default_rng(6)
    layer = random_layer(rng, (5, 12), density=0.6)
    config = fit_relative_csc(layer, multipliers=2, beat=2)
    image = pack_relative_csc(layer, config)
    good = rng.integers(-128, 128, (3, 12))
    good[1, :8] = 0
    beats = [
        (beat, last)
        for vector, ends in (
            (good[0], 5),
            (rng.integers(1, 99, 12), 3),
            (good[1], 5),
            (rng.integers(1, 99, 20), 9),
            (good[2], 5),
        )
        for beat, last in zip(
            vector.reshape(-1, 2)[: ends + 1].tolist(), [False] * ends + [True], strict=True
        )
    ]
    engine = RelativeCscEngine(config=config, memories=image.memories)
    words, errors = [], [0, 0]

    async def bench(ctx):
        ctx.set(engine.o.ready, 1)
        sent = 0
        for _ in range(200):
            ctx.set(engine.i.valid, sent < len(beats))
            if sent < len(beats):
                for place, value in enumerate(beats[sent][0]):
                    ctx.set(engine.i.payload.data[place], value)
                ctx.set(engine.i.payload.last, beats[sent][1])
                sent += ctx.get(engine.i.ready)
            if ctx.get(engine.o.valid):
                words.append(ctx.get(engine.o.payload.data))
            errors[0] += ctx.get(engine.too_short)
            errors[1] += ctx.get(engine.too_long)
            await ctx.tick()

    run_component(engine, bench)
    assert errors == [1, 1]
    expected = layer_reference(layer, good, config)
    assert np.array_equal(np.reshape(words, expected.shape), expected)


def test_engine_refuses_what_is_no_config():
    with pytest.raises(TypeError, match="config must be a RelativeCscConfig, not 'small'"):
        RelativeCscEngine(config="small")
