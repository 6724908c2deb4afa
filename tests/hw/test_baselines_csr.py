"""The CSR engine in Amaranth's simulator: every word and every clock as golden says."""

import numpy as np
import pytest
from engine_against_golden import check_engine
from rival_models import rival_model
from sparse_layers import layer_of, mixed_layer, random_layer

from darb.golden import OutputMode
from darb.golden.baselines import fit_csr
from darb.hw.baselines import CsrEngine

MODES = (OutputMode.ACTIVATIONS, OutputMode.ACCUMULATORS)
ENDS = ((0, 0), (0.4, 0), (0, 0.9), (0.3, 0.5))


def check(layer, seed, *, fields, **run):
    """Hold one run of the engine against golden."""
    return check_engine(rival_model("csr", layer, **fields), layer, seed, **run)


@pytest.mark.parametrize("seed", range(24))
def test_engine_is_golden_bit_for_bit_and_clock_for_clock(seed):
    weight_bits = [4, 8][seed // 4 % 2]
    idle, blocked = ENDS[seed // 6]
    check(
        mixed_layer(seed, weight_bits=weight_bits),
        seed,
        idle=idle,
        blocked=blocked,
        fields={
            "balance": seed % 2 == 1,
            "multipliers": [1, 2, 4, 8][seed % 4],
            "weight_bits": weight_bits,
            "beat": [None, 1, 2, 8][seed // 3 % 4],
            "queue_depth": [1, 2, 16][seed % 3],
            "output_mode": MODES[seed // 7 % 2],
        },
    )


@pytest.mark.parametrize(
    ("shape", "density", "fields"),
    [
        ((1, 1), 1.0, {"multipliers": 1}),
        ((1, 9), 0.5, {"multipliers": 4, "beat": 4}),
        ((9, 1), 0.5, {"multipliers": 2, "beat": 2}),
        ((13, 3), 0.0, {"multipliers": 4, "queue_depth": 1}),
        ((33, 64), 0.5, {"multipliers": 32, "activation_bits": 3, "weight_bits": 2}),
        ((12, 300), 0.9, {"multipliers": 3, "beat": 16}),
    ],
)
@pytest.mark.parametrize(("idle", "blocked"), [ENDS[0], ENDS[3]])
def test_unusual_shapes(shape, density, fields, idle, blocked):
    numbers = {name: fields[name] for name in ("weight_bits", "activation_bits") if name in fields}
    layer = random_layer(np.random.default_rng(shape), shape, density=density, **numbers)
    check(layer, sum(shape), idle=idle, blocked=blocked, vectors=4, fields=fields)


def test_one_long_row_holds_up_its_own_lane_alone_while_queues_have_room():
    weights = np.zeros((32, 40), dtype=np.int64)
    weights[:, 0] = 1
    weights[4] = 3
    layer = layer_of(weights, bias=1)
    fields = {"multipliers": 4, "beat": 8}
    free = check(layer, 0, fields={**fields, "queue_depth": 8})
    # Lane 0 has the long row and seven of one weight, for which a length has to be read.
    assert free.interval == 40 + 7 * 2
    # The other lanes stop behind it where their queues are full.
    assert check(layer, 0, fields={**fields, "queue_depth": 1}).interval > free.interval


def test_accumulators_exactly_full():
    layer = layer_of([[127, 127], [-127, -127], [127, -127]], bias=[255, -255, 0])
    assert fit_csr(layer, multipliers=2).accumulator_bits == 16
    check(layer, 1, fields={"multipliers": 2})


def test_engine_refuses_what_is_no_config():
    with pytest.raises(TypeError, match="config must be a CsrConfig, not 'small'"):
        CsrEngine(config="small")
