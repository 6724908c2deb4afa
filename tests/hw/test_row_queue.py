import random

import pytest
from component_simulation import run_component
from configs import small_config

from darb.golden.pipeline import ACCUMULATE, CAPTURE
from darb.hw.row_queue import RowQueue


@pytest.mark.parametrize("rows", [1, 2, 4])
def test_rows_leave_one_a_clock_in_order(rows):
    queue = RowQueue(config=small_config(rows=rows))
    rng = random.Random(rows)
    groups = []
    clock = 0
    for number in range(40):
        clock += rows + rng.choice([0, 0, 1, 5])
        sums = [rng.randrange(-(1 << 23), 1 << 23) for _ in range(rows)]
        groups.append((clock, sums, number % 7 == 6))
    expected = {
        at + ACCUMULATE + CAPTURE + r: (total, final and r == rows - 1)
        for at, sums, final in groups
        for r, total in enumerate(sums)
    }

    async def bench(ctx):
        lasts = {at: final for at, _, final in groups}
        totals = {at + ACCUMULATE: sums for at, sums, _ in groups}
        fetched = []
        for now in range(clock + rows + 4):
            ctx.set(queue.step.last, now in lasts)
            ctx.set(queue.step.final, lasts.get(now, 0))
            for r in range(rows):
                ctx.set(queue.totals[r], totals.get(now, [rng.randrange(99)] * rows)[r])
            fetched.append((ctx.get(queue.fetch), ctx.get(queue.restart)))
            assert ctx.get(queue.valid) == (now in expected), f"seed {rows}, clock {now}"
            if now in expected:
                seen = ctx.get(queue.total), bool(ctx.get(queue.ends_vector))
                assert seen == expected[now], f"seed {rows}, clock {now}"
                assert fetched[now - ACCUMULATE - CAPTURE] == (1, expected[now][1])
            await ctx.tick()

    run_component(queue, bench)
