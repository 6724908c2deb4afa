import random

import pytest
from component_simulation import run_component
from configs import small_config

from darb.golden.fixed_point import requantize
from darb.golden.pipeline import POST
from darb.hw.row_post_processor import RowPostProcessor


@pytest.mark.parametrize("activation_bits", [4, 8])
@pytest.mark.parametrize("accumulator_bits", [20, 32])
def test_requantisation_is_golden_for_every_shift_and_at_the_edges(
    activation_bits, accumulator_bits
):
    config = small_config(activation_bits=activation_bits, accumulator_bits=accumulator_bits)
    post = RowPostProcessor(config=config)
    rng = random.Random(accumulator_bits)
    low, high = -(1 << (accumulator_bits - 1)), (1 << (accumulator_bits - 1)) - 1
    cases = []
    for shift in range(1, 64):
        for multiplier in (0, 1 << 15, (1 << 16) - 1, rng.randrange(1 << 15, 1 << 16)):
            # Near the places where the result turns, and anywhere.
            near = (rng.randrange(-140, 141) << shift) // max(multiplier, 1)
            for total in (low, high, 0, -1, min(max(near, low), high), rng.randint(low, high)):
                bias = rng.randint(max(low, low - total), min(high, high - total))
                cases.append((total, bias, multiplier, shift, rng.random() < 0.5))

    async def bench(ctx):
        for clock in range(len(cases) + POST):
            if clock < len(cases):
                total, bias, multiplier, shift, relu = cases[clock]
                ctx.set(post.total, total)
                ctx.set(post.row.bias, bias)
                ctx.set(post.row.multiplier, multiplier)
                ctx.set(post.row.shift, shift)
                ctx.set(post.relu, relu)
            if clock >= POST:
                total, bias, multiplier, shift, relu = cases[clock - POST]
                expected = requantize(
                    total + bias, multiplier, shift, bits=activation_bits, relu=relu
                )
                assert ctx.get(post.activation) == int(expected), cases[clock - POST]
                assert ctx.get(post.accumulator) == total + bias, cases[clock - POST]
            await ctx.tick()

    run_component(post, bench)
