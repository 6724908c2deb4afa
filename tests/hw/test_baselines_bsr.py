"""The BSR engine in Amaranth's simulator: every word and every clock as golden says."""

import numpy as np
import pytest
from engine_against_golden import check_engine
from rival_models import rival_model
from sparse_layers import layer_of, mixed_layer, random_block_layer

from darb.golden import OutputMode
from darb.golden.baselines import fit_bsr
from darb.hw.baselines import BsrEngine

MODES = (OutputMode.ACTIVATIONS, OutputMode.ACCUMULATORS)
ENDS = ((0, 0), (0.4, 0), (0, 0.9), (0.3, 0.5))
FOLDINGS = (
    # multipliers, block size, blocks a step
    (4, 2, 1),
    (16, 2, 1),
    (16, 2, 4),
    (32, 2, 2),
    (16, 4, 1),
    (32, 4, 1),
    (32, 4, 2),
    (64, 8, 1),
)


def check(layer, seed, *, fields, **run):
    """Hold one run of the engine against golden."""
    return check_engine(rival_model("bsr", layer, **fields), layer, seed, **run)


@pytest.mark.parametrize("seed", range(32))
def test_engine_is_golden_bit_for_bit_and_clock_for_clock(seed):
    multipliers, block_size, blocks_a_step = FOLDINGS[seed % 8]
    weight_bits = [4, 8][seed // 4 % 2]
    idle, blocked = ENDS[seed // 8]
    check(
        mixed_layer(seed, weight_bits=weight_bits, block_size=block_size),
        seed,
        idle=idle,
        blocked=blocked,
        vectors=5,
        fields={
            "balance": seed % 3 != 1,
            "multipliers": multipliers,
            "block_size": block_size,
            "blocks_a_step": blocks_a_step,
            "weight_bits": weight_bits,
            "beat": [None, block_size, 16][seed // 3 % 3],
            "queue_depth": [1, 2, 16][seed // 2 % 3],
            "output_mode": MODES[seed // 7 % 2],
        },
    )


@pytest.mark.parametrize(
    ("shape", "density", "fields"),
    [
        ((1, 1), 1.0, {"multipliers": 4, "block_size": 2}),
        ((1, 9), 0.5, {"multipliers": 8, "block_size": 2, "blocks_a_step": 2}),
        ((9, 1), 0.5, {"multipliers": 8, "block_size": 2, "beat": 4}),
        ((13, 3), 0.0, {"multipliers": 8, "block_size": 2, "queue_depth": 1}),
        ((21, 33), 0.5, {"multipliers": 20, "block_size": 4}),
        ((3, 70), 0.9, {"multipliers": 64, "block_size": 2, "blocks_a_step": 16}),
        (
            (19, 30),
            0.5,
            {"multipliers": 128, "block_size": 8, "activation_bits": 3, "weight_bits": 2},
        ),
    ],
)
@pytest.mark.parametrize(("idle", "blocked"), [ENDS[0], ENDS[3]])
def test_unusual_shapes(shape, density, fields, idle, blocked):
    numbers = {name: fields[name] for name in ("weight_bits", "activation_bits") if name in fields}
    layer = random_block_layer(
        np.random.default_rng(shape),
        shape,
        block_size=fields["block_size"],
        density=density,
        **numbers,
    )
    check(layer, sum(shape), idle=idle, blocked=blocked, vectors=4, fields=fields)


def test_one_long_block_row_holds_up_its_own_lane_alone_while_queues_have_room():
    weights = np.zeros((32, 120), dtype=np.int64)
    weights[::2, 0] = 1
    weights[4] = 3
    fields = {"multipliers": 16, "block_size": 2, "beat": 8}
    layer = layer_of(weights, bias=1)
    free = check(layer, 0, fields={**fields, "queue_depth": 8})
    # Lane 2 has the long block row and three of one block, for which a length has to be read.
    assert free.interval == 60 + 3 * 2
    # The other lanes stop behind it where their queues are full.
    assert check(layer, 0, fields={**fields, "queue_depth": 1}).interval > free.interval


def test_one_block_row_at_a_time_costs_whole_steps():
    weights = np.zeros((6, 90), dtype=np.int64)
    for row, blocks in enumerate((36, 33, 5)):
        weights[2 * row, : 2 * blocks] = 1
    fields = {"multipliers": 16, "block_size": 2, "beat": 16}
    free = check(layer_of(weights, bias=1), 0, fields={**fields, "blocks_a_step": 4})
    assert free.interval == 9 + 9 + 2
    assert free.utilisation == 2 * (36 + 33 + 5) / (16 * 20)


def test_empty_block_rows_cost_no_more_than_their_results():
    layer = layer_of(np.zeros((48, 8), dtype=np.int64), bias=1)
    free = check(layer, 0, fields={"multipliers": 8, "block_size": 2})
    rows = rival_model("csr", layer, multipliers=8).outcome()
    assert free.interval == rows.interval
    assert free.latency < rows.latency + 4


def test_accumulators_exactly_full():
    layer = layer_of([[127, 127], [-127, -127], [127, -127]], bias=[255, -255, 0])
    fields = {"multipliers": 4, "block_size": 2}
    assert fit_bsr(layer, **fields).accumulator_bits == 16
    check(layer, 1, fields=fields)


def test_engine_refuses_what_is_no_config():
    with pytest.raises(TypeError, match="config must be a BsrConfig, not 'small'"):
        BsrEngine(config="small")
