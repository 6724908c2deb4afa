import random

from component_simulation import run_component
from configs import small_config

from darb.golden.pipeline import GATHER
from darb.hw.activation_banks import ActivationBanks


def test_every_multiplier_reads_its_own_column_of_its_lane():
    config = small_config()
    banks = ActivationBanks(config=config)
    rng = random.Random(9)
    inputs, hidden = {}, {}

    async def bench(ctx):
        due = []
        arriving = {}
        for clock in range(600):
            half, column = rng.randrange(2), rng.randrange(config.input_depth)
            load = rng.random() < 0.5
            values = [rng.randrange(-128, 128) for _ in range(config.lanes)]
            ctx.set(banks.load_en, load)
            ctx.set(banks.load_half, half)
            ctx.set(banks.load_addr, column)
            for s, value in enumerate(values):
                ctx.set(banks.load_data[s], value)
            write_half, write_column = rng.randrange(2), rng.randrange(config.hidden_depth)
            lane, value = rng.randrange(config.lanes), rng.randrange(-128, 128)
            write = rng.random() < 0.7
            ctx.set(banks.write_en, write << lane)
            ctx.set(banks.write_half, write_half)
            ctx.set(banks.write_addr, write_column)
            ctx.set(banks.write_data, value)

            reads_input, read_half = rng.randrange(2), rng.randrange(2)
            memory = inputs if reads_input else hidden
            depth = config.input_depth if reads_input else config.hidden_depth
            ctx.set(banks.reads_input, reads_input)
            ctx.set(banks.read_half, read_half)
            expected = []
            for p in range(config.multipliers):
                address = rng.randrange(depth)
                ctx.set(banks.read_addr[p], address)
                # Beside a write of the same column the old activation is read.
                expected.append(memory.get((p % config.lanes, read_half, address), 0))
            due.append(expected)

            inputs.update(arriving)
            arriving = {(s, half, column): value for s, value in enumerate(values) if load}
            if write:
                hidden[lane, write_half, write_column] = value
            if clock >= GATHER:
                seen = [ctx.get(banks.activation[p]) for p in range(config.multipliers)]
                assert seen == due[clock - GATHER], f"seed 9, clock {clock}"
            await ctx.tick()

    run_component(banks, bench)
