import random

import pytest
from component_simulation import run_component

from darb.golden.memory_map import indices_per_word
from darb.golden.pipeline import ADDRESS, DECODE
from darb.hw.block_index_decoder import AHEAD, BlockIndexDecoder

FIELDS = 3
LATENCY = AHEAD + DECODE + ADDRESS


@pytest.mark.parametrize("field_bits", [6, 12, 13, 20])
def test_indices_come_out_in_order_for_every_k(field_bits):
    rng = random.Random(field_bits)
    decoder = BlockIndexDecoder(fields=FIELDS, field_bits=field_bits, max_k=6, address_bits=9)
    steps = []
    for k in [*range(7), *(rng.randrange(7) for _ in range(20))]:
        per_word = indices_per_word(field_bits, k)
        count = rng.randrange(1, 3 * max(per_word, 1) + 2)
        queues = [[rng.randrange(1 << k) for _ in range(count)] for _ in range(FIELDS)]
        for number in range(count):
            word, refill = rng.getrandbits(FIELDS * field_bits), False
            if per_word and number % per_word == 0:
                refill, word = True, 0
                for p, queue in enumerate(queues):
                    # What is above the indices is never looked at.
                    field = rng.getrandbits(field_bits) >> per_word * k << per_word * k
                    for place, index in enumerate(queue[number : number + per_word]):
                        field |= index << place * k
                    word |= field << p * field_bits
            base = rng.randrange(1 << 9) >> k << k
            expected = [base | queue[number] for queue in queues]
            steps.append((k, refill, word, base, expected))
            # Idle clocks leave the queues alone.
            steps.extend([None] * (rng.random() < 0.2))

    async def bench(ctx):
        due = []
        for step in steps + [None] * LATENCY:
            due.append(step)
            ctx.set(decoder.step, step is not None)
            ctx.set(decoder.refill, rng.random() < 0.5)
            ctx.set(decoder.word.as_value(), rng.getrandbits(FIELDS * field_bits))
            if step is not None:
                ctx.set(decoder.k, step[0])
                ctx.set(decoder.refill, step[1])
                ctx.set(decoder.base, step[3])
            if len(due) > AHEAD and due[-1 - AHEAD] is not None:
                ctx.set(decoder.word.as_value(), due[-1 - AHEAD][2])
            if len(due) > LATENCY and due[-1 - LATENCY] is not None:
                seen = [ctx.get(decoder.address[p]) for p in range(FIELDS)]
                assert seen == due[-1 - LATENCY][4], f"seed {field_bits}"
            await ctx.tick()

    run_component(decoder, bench)
