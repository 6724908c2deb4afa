import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_networks import random_network

from darb.golden import fit_config
from darb.golden.pipeline import (
    SECTION_FETCH,
    group_period,
    layer_gap,
    reduce_latency,
    step_to_capture,
    step_to_read,
    step_to_write,
)


def config(lanes, rows):
    network = random_network(np.random.default_rng(0), [5, 2])
    return fit_config(network, lanes=lanes, rows=rows)


@pytest.mark.parametrize(
    ("lanes", "rows", "clocks"), [(1, 1, (0, 5, 11, 17, 12)), (8, 4, (3, 5, 14, 23, 18))]
)
def test_latencies_by_hand(lanes, rows, clocks):
    latencies = reduce_latency, step_to_read, step_to_capture, step_to_write, layer_gap
    assert tuple(latency(config(lanes, rows)) for latency in latencies) == clocks


@pytest.mark.parametrize("lanes", [1, 2, 4, 8, 16, 128])
def test_each_doubling_of_the_lanes_costs_one_clock(lanes):
    for latency in (reduce_latency, step_to_capture, step_to_write, layer_gap):
        assert latency(config(2 * lanes, 4)) == latency(config(lanes, 4)) + 1
    assert step_to_read(config(2 * lanes, 4)) == step_to_read(config(lanes, 4))
    assert reduce_latency(config(1, 1)) == 0


@pytest.mark.parametrize("rows", [1, 2, 4, 8, 32])
def test_each_row_costs_one_clock_after_its_group(rows):
    for latency in (step_to_write, layer_gap):
        assert latency(config(4, 2 * rows)) == latency(config(4, rows)) + rows
    assert step_to_capture(config(4, 2 * rows)) == step_to_capture(config(4, rows))


def test_a_layer_reads_one_clock_after_the_last_write_of_the_one_before():
    made = config(8, 4)
    first_step_of_next = 1 + layer_gap(made)
    assert first_step_of_next + step_to_read(made) == step_to_write(made) + 1


@given(st.integers(1, 500), st.integers(1, 50), st.sampled_from([1, 2, 4, 8, 16]))
def test_a_group_leaves_time_for_its_rows_and_for_the_next_descriptor(steps, groups, rows):
    period = group_period(steps, groups, rows)
    assert period >= steps
    assert period >= rows
    assert period * groups >= SECTION_FETCH
    assert period in (steps, rows) or (period - 1) * groups < SECTION_FETCH
