from collections import Counter, defaultdict, deque

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from darb.golden.baselines import RelativeCscConfig
from darb.golden.baselines.relative_csc_model import RelativeCscWalk


def config_of(*, lanes, rows, columns, beat=1, queue_depth=1):
    return RelativeCscConfig(
        multipliers=lanes,
        rows=rows,
        columns=columns,
        beat=beat,
        queue_depth=queue_depth,
        entry_depth=64,
    )


def beats_of(nonzero, beat):
    """The picks of one vector, beat by beat: each a column, and whether it is the last."""
    columns = [column for column, there in enumerate(nonzero) if there]
    if not columns:
        return [[(None, True)]]
    beats = {}
    for column in columns:
        beats.setdefault(column // beat, []).append((column, column == columns[-1]))
    return list(beats.values())


def clock_by_clock(config, counts, nonzero, vectors):
    """When each vector's buffer is free again, and its last row taken, one clock after another.

    `vectors` holds for each when it has arrived and when half the output buffer is free.
    """
    lanes = range(config.lanes)
    # Each lane's places as the broadcast knows of them, and what it will be told when.
    free, told = np.full(config.lanes, config.queue_depth + 8), defaultdict(Counter)
    unread = deque(
        (v, beat) for v, mask in enumerate(nonzero) for beat in beats_of(mask, config.beat)
    )
    read, picking = None, deque()
    queues = [deque() for _ in lanes]
    idle_from = [config.lane_rows(lane) for lane in lanes]
    ends = [{} for _ in vectors]
    drained, released, taken, whole = [], [0] * len(vectors), [], -1
    clock = 0
    while len(taken) < len(vectors):
        for lane, change in told.pop(clock, {}).items():
            free[lane] += change
        if picking and free.min() >= 2:
            v, column, last = picking.popleft()
            for lane in lanes:
                told[clock + 2][lane] -= 1
                count = 0 if column is None else int(counts[column][lane])
                if count or last:
                    queues[lane].append((clock + 7, v, count, last))
                else:
                    told[clock + 5 + 2][lane] += 1
        if read and not picking:
            picking = deque((read[0], *pick) for pick in read[1])
            read = None
        if read is None and unread and clock >= vectors[unread[0][0]][0]:
            read = unread.popleft()
            released[read[0]] = clock + 2
        for lane in lanes:
            if not queues[lane] or clock < max(queues[lane][0][0], idle_from[lane]):
                continue
            _, v, count, last = queues[lane][0]
            # The accumulators are those of the vector two before.
            if v >= 2 and (len(drained) < v - 1 or clock <= drained[v - 2][lane]):
                continue
            queues[lane].popleft()
            told[clock + 2][lane] += 1
            idle_from[lane] = clock + max(count, 1)
            if last:
                ends[v][lane] = idle_from[lane]
        v = len(taken)
        if len(ends[v]) == config.lanes:
            whole = max(max(ends[v].values()) + 6, whole + 2)
            first = max(whole, vectors[v][1], taken[-1] + 1 if taken else 0)
            drained.append([first + max(range(lane, config.rows, config.lanes)) for lane in lanes])
            taken.append(first + config.rows - 1)
        clock += 1
    return list(zip(released, taken, strict=True))


@given(
    st.integers(1, 4),
    st.integers(0, 7),
    st.integers(1, 14),
    st.sampled_from([1, 2, 4]),
    st.sampled_from([1, 2, 8]),
    st.sampled_from([0.1, 0.5, 1.0]),
    st.sampled_from([0, 1, 6]),
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 40)), min_size=1, max_size=4),
    st.integers(0, 2**32),
)
def test_every_vector_against_a_walk_clock_by_clock(
    lanes, more, columns, beat, queue_depth, density, most, pauses, seed
):
    rng = np.random.default_rng(seed)
    config = config_of(
        lanes=lanes, rows=lanes + more, columns=columns, beat=beat, queue_depth=queue_depth
    )
    counts = rng.integers(0, most + 1, (columns, lanes)) * (rng.random((columns, lanes)) < density)
    nonzero = rng.random((len(pauses), columns)) < density
    vectors, arrived, free = [], 2, 0
    for pause, later in pauses:
        arrived, free = arrived + pause, free + later
        vectors.append((arrived, free))
    walk = RelativeCscWalk(config, counts, nonzero)
    found = [walk.vector(*vector) for vector in vectors]
    assert found == clock_by_clock(config, counts, nonzero, vectors)
    everything = np.ones_like(nonzero)
    walk = RelativeCscWalk(config, counts)
    found = [walk.vector(*vector) for vector in vectors]
    assert found == clock_by_clock(config, counts, everything, vectors)


def test_a_vector_that_arrives_just_when_the_lanes_are_full_by_hand():
    config = config_of(lanes=1, rows=1, columns=5, beat=2)
    counts = np.array([[3], [5], [5], [5], [1]])
    vectors = [(7, 0), (9, 0), (22, 0)]
    walk = RelativeCscWalk(config, counts)
    found = [walk.vector(*vector) for vector in vectors]
    assert found == [(12, 41), (17, 60), (29, 79)]
    assert found == clock_by_clock(config, counts, np.ones((3, 5), dtype=bool), vectors)
