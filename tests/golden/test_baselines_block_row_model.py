from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darb.golden.baselines import BsrConfig, CsrConfig
from darb.golden.baselines.block_row_model import BlockRowWalk, step_to_queue


def config_of(*, lanes, rows, block_size, queue_depth, blocks_a_step=1):
    fields = {"columns": 64, "rows": rows, "beat": 8, "queue_depth": queue_depth}
    fields |= {"multipliers": lanes * block_size**2 * blocks_a_step}
    fields |= {"entry_depth": 64, "length_bits": 6}
    if block_size == 1:
        return CsrConfig(**fields)
    return BsrConfig(**fields, block_size=block_size, blocks_a_step=blocks_a_step)


def clock_by_clock(config, lengths, vectors):
    """When each vector's buffer is free again, and its last row taken, one clock after another.

    `vectors` holds for each when it has arrived and when half the output buffer is free.
    """
    lanes, latency = config.lanes, step_to_queue(config)
    due = [
        deque((v, row) for v in range(len(vectors)) for row in range(lane, len(lengths), lanes))
        for lane in range(lanes)
    ]
    waiting = {}
    held = [0] * lanes
    idle_from = [0] * lanes
    way_out = deque((v, row) for v in range(len(vectors)) for row in range(len(lengths)))
    way_free_from, clock = 0, 0
    last_steps, taken = [0] * len(vectors), [0] * len(vectors)
    while way_out:
        for lane in range(lanes):
            if not due[lane] or held[lane] == config.queue_depth or clock < idle_from[lane]:
                continue
            v, row = due[lane][0]
            if clock < vectors[v][0]:
                continue
            due[lane].popleft()
            held[lane] += 1
            step = clock + max(lengths[row], 1)
            idle_from[lane] = clock + max(lengths[row], 2)
            last_steps[v] = max(last_steps[v], step)
            waiting[v, row] = step + latency
        # A place that is given free now is seen by its lane in the next clock.
        v, row = way_out[0]
        first_of_vector = row == 0
        if (
            waiting.get((v, row), clock + 1) <= clock
            and clock >= way_free_from
            and (not first_of_vector or clock >= vectors[v][1])
        ):
            way_out.popleft()
            held[row % lanes] -= 1
            rows = min(config.block_size, config.rows - row * config.block_size)
            way_free_from = clock + rows
            taken[v] = clock + rows - 1
        clock += 1
    return [(step + 3, last) for step, last in zip(last_steps, taken, strict=True)]


@given(
    st.integers(1, 5),
    st.sampled_from([1, 2, 4]),
    st.sampled_from([1, 2, 8]),
    st.lists(st.integers(0, 9), min_size=1, max_size=12),
    st.integers(0, 3),
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 60)), min_size=1, max_size=4),
)
def test_every_vector_against_a_walk_clock_by_clock(
    lanes, block_size, queue_depth, lengths, lacking, pauses
):
    rows = max(1, len(lengths) * block_size - min(lacking, block_size - 1))
    config = config_of(lanes=lanes, rows=rows, block_size=block_size, queue_depth=queue_depth)
    assert len(lengths) == config.block_rows
    vectors, arrived, free = [], 2, 0
    for pause, later in pauses:
        arrived, free = arrived + pause, free + later
        vectors.append((arrived, free))
    walk = BlockRowWalk(config, lengths)
    found = [walk.vector(*vector) for vector in vectors]
    assert found == clock_by_clock(config, lengths, vectors)


def test_two_vectors_by_hand():
    walk = BlockRowWalk(config_of(lanes=2, rows=3, block_size=1, queue_depth=1), [5, 1, 2])
    # Lane 0 begins in 2 and steps until 7, lane 1 until 3. Nine clocks later sums leave: 16, 17;
    # lane 0 sees its one place free in 17, begins row 2 and steps until 19, which leaves in 28.
    assert walk.vector(2, 0) == (19 + 3, 28)
    # Lane 1 begins in 18, once its place was given free; lane 0 in 29, and again in 61.
    assert walk.vector(4, 60) == (63 + 3, 72)


@pytest.mark.parametrize(
    ("block_size", "blocks_a_step", "clocks"),
    [(1, 1, 9), (2, 1, 10), (2, 2, 11), (2, 4, 12), (4, 1, 11), (4, 2, 12), (8, 1, 12), (8, 2, 13)],
)
def test_each_level_of_adders_is_a_clock(block_size, blocks_a_step, clocks):
    config = config_of(
        lanes=1,
        rows=block_size,
        block_size=block_size,
        blocks_a_step=blocks_a_step,
        queue_depth=2,
    )
    assert step_to_queue(config) == clocks
