import dataclasses
import random

import pytest
from amaranth.hdl import signed
from component_simulation import run_component
from configs import small_config

from darb.golden.pipeline import MULTIPLY, reduce_latency
from darb.hw.dot_product import Accumulator, DotProduct


@pytest.mark.parametrize("lanes", [1, 2, 4, 8])
@pytest.mark.parametrize("weight_bits", [2, 4, 8])
def test_sum_of_products_is_exact_one_a_clock(lanes, weight_bits):
    config = dataclasses.replace(small_config(), lanes=lanes, weight_bits=weight_bits)
    dot = DotProduct(config=config)
    latency = MULTIPLY + reduce_latency(config)
    rng = random.Random(lanes)
    half = 1 << (weight_bits - 1)
    extremes = [([a] * lanes, [w] * lanes) for a in (-128, 127) for w in (-half, half - 1)]
    operands = extremes + [
        (
            [rng.randrange(-128, 128) for _ in range(lanes)],
            [rng.randrange(-half, half) for _ in range(lanes)],
        )
        for _ in range(60)
    ]

    async def bench(ctx):
        for clock in range(len(operands) + latency):
            if clock < len(operands):
                for s in range(lanes):
                    ctx.set(dot.activation[s], operands[clock][0][s])
                    ctx.set(dot.weight[s], operands[clock][1][s])
            if clock >= latency:
                activations, weights = operands[clock - latency]
                expected = sum(a * w for a, w in zip(activations, weights, strict=True))
                assert ctx.get(dot.sum) == expected, f"seed {lanes}, operands {clock - latency}"
            await ctx.tick()

    run_component(dot, bench)


def test_accumulator_starts_over_at_first_and_waits_without_step():
    config = small_config()
    sum_shape = signed(18)
    accumulator = Accumulator(config=config, sum_shape=sum_shape)
    rng = random.Random(3)

    async def bench(ctx):
        total = 0
        for _ in range(300):
            step, first = rng.random() < 0.7, rng.random() < 0.2
            value = rng.randrange(-30000, 30000)
            ctx.set(accumulator.step, step)
            ctx.set(accumulator.first, first)
            ctx.set(accumulator.sum, value)
            await ctx.tick()
            if step:
                total = value if first else total + value
            assert ctx.get(accumulator.total) == total, "seed 3"

    run_component(accumulator, bench)
