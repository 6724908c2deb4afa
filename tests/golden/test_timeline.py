import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_networks import random_network

from darb.golden import (
    OutputMode,
    fit_config,
    pack,
    schedule,
    steady_interval,
    timeline,
)
from darb.golden.image_walk import read_layers
from darb.golden.pipeline import BOOT, layer_gap, step_to_read, step_to_write
from darb.golden.timeline import BUFFERS, DRAIN, START, utilisation


class Clockwork:
    """The engine's hand-overs, one clock at a time, in counters alone.

    Two input banks fill in turn, the sequencer walks the layers, two output buffers drain in
    turn. A vector's first beat waits for its bank, its first step for its last beat, its last
    layer for its buffer, its first output beat for its last result.
    """

    def __init__(self, image, durations):
        self.config = image.config
        self.argmax = image.config.output_mode is OutputMode.ARGMAX
        self.durations = durations
        self.beats = image.layers[0].segments(image.config.lanes).length
        self.results = image.layers[-1].rows
        self.inputs, self.outputs, self.scans = [[]], [[]], 0
        self.starts, self.ends, self.stalls = [], [], []
        self.free_bank, self.ready_at, self.drained = [], [], []
        self.layer = self.left = self.gap = None

    def tick(self, clock, valid, ready):
        self.take(clock, valid)
        self.sequence(clock)
        self.send(clock, ready)

    def take(self, clock, valid):
        vector = len(self.inputs) - 1
        older = vector - BUFFERS
        free = older < 0 or (older < len(self.free_bank) and clock >= self.free_bank[older])
        if valid and free and clock >= BOOT:
            self.inputs[-1].append(clock)
            if len(self.inputs[-1]) == self.beats:
                self.inputs.append([])

    def sequence(self, clock):
        if self.layer is None:
            vector = len(self.starts)
            filled = self.inputs[vector] if vector < len(self.inputs) else []
            if len(filled) < self.beats or clock < filled[-1] + START:
                return
            if len(self.stalls) == vector:
                self.stalls.append(0)
            if len(self.durations) == 1 and not self.buffer_is_free(clock, vector):
                self.stalls[-1] += 1
                return
            self.starts.append(clock)
            self.layer, self.left, self.gap = 0, self.durations[0], 0
        vector = len(self.starts) - 1
        if self.gap:
            self.gap -= 1
            return
        last = self.layer == len(self.durations) - 1
        untouched = self.left == self.durations[self.layer]
        if last and self.layer and untouched and not self.buffer_is_free(clock, vector):
            self.stalls[-1] += 1
            return
        self.left -= 1
        if self.left:
            return
        if self.layer == 0:
            self.free_bank.append(clock + step_to_read(self.config) + 1)
        if last:
            self.ends.append(clock)
            self.ready_at.append(clock + step_to_write(self.config) + DRAIN)
            self.layer = None
        else:
            self.layer += 1
            self.left = self.durations[self.layer]
            self.gap = layer_gap(self.config)

    def buffer_is_free(self, clock, vector):
        older = vector - BUFFERS
        return older < 0 or (older < len(self.drained) and clock >= self.drained[older] + 2)

    def send(self, clock, ready):
        vector = len(self.outputs) - 1
        if vector >= len(self.ready_at) or clock < self.ready_at[vector]:
            return
        if self.argmax and self.scans < self.results:
            self.scans += 1
            if self.scans == self.results:
                self.drained.append(clock)
            return
        if not ready:
            return
        self.outputs[-1].append(clock)
        if self.argmax or len(self.outputs[-1]) == self.results:
            if not self.argmax:
                self.drained.append(clock)
            self.outputs.append([])
            self.scans = 0


def run_clockwork(image, durations, vectors, valid, ready):
    engine = Clockwork(image, durations)
    clock = 0
    while len(engine.outputs) <= vectors:
        engine.tick(
            clock,
            bool(valid[clock]) if clock < len(valid) else True,
            bool(ready[clock]) if clock < len(ready) else True,
        )
        clock += 1
        assert clock < 1_000_000
    return engine


def layer_durations(network, config):
    """Clocks of each layer's steps, counted from the patterns rather than from the image."""
    durations = []
    for number, layer in enumerate(network.layers):
        live = [layer.patterns[row] for row in network.live_rows(number)]
        stored = layer.columns.size
        length = -(-stored // (config.lanes * layer.align)) * layer.align
        clocks = 0
        for pattern in set(live):
            groups = -(-live.count(pattern) // config.rows)
            steps = -(-length // 2**pattern.k) * pattern.keep
            clocks += groups * max(steps, config.rows, -(-4 // groups))
        durations.append(clocks)
    return durations


@st.composite
def engines(draw):
    lanes = draw(st.sampled_from([1, 2, 4, 8, 16]))
    network = random_network(
        np.random.default_rng(draw(st.integers(0, 2**32))),
        draw(st.lists(st.integers(1, 30), min_size=2, max_size=5)),
        ks=draw(st.sampled_from([(0,), range(7), (3,)])),
        keeps=draw(st.sampled_from([(1,), (1, 2, 3)])),
        lanes=draw(st.sampled_from([None, lanes])),
        spare_columns=draw(st.sampled_from([0.0, 0.3])),
    )
    config = fit_config(
        network,
        lanes=lanes,
        rows=draw(st.sampled_from([1, 2, 4, 8])),
        output_mode=draw(st.sampled_from(OutputMode)),
    )
    return network, pack(network, config)


@st.composite
def traces(draw):
    """Random levels with runs of every length; empty for a line that is always high."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    runs = rng.integers(1, draw(st.sampled_from([2, 5, 60])), draw(st.integers(0, 60)))
    return np.repeat(rng.random(len(runs)) < draw(st.sampled_from([0.1, 0.5, 0.9])), runs)


@given(engines(), traces(), traces(), st.integers(1, 6))
def test_every_transfer_against_a_walk_clock_by_clock(case, valid, ready, vectors):
    network, image = case
    durations = layer_durations(network, image.config)
    engine = run_clockwork(image, durations, vectors, valid, ready)
    plan = schedule(image)
    times = timeline(plan, image, vectors, valid=valid, ready=ready)
    assert times.inputs.tolist() == engine.inputs[:vectors]
    assert times.outputs.tolist() == engine.outputs[:vectors]
    assert times.starts.tolist() == engine.starts[:vectors]
    busy = [
        end - start + 1 for start, end in zip(engine.starts, engine.ends[:vectors], strict=False)
    ]
    assert times.busy.tolist() == busy
    assert times.stalls.tolist() == engine.stalls[:vectors]


@given(engines())
def test_the_schedule_counts_the_patterns(case):
    network, image = case
    plan = schedule(image)
    durations = layer_durations(network, image.config)
    assert [end - start + 1 for start, end in zip(plan.starts, plan.ends, strict=True)] == durations
    assert plan.starts[0] == 0
    gap = layer_gap(image.config)
    for end, start in zip(plan.ends, plan.starts[1:], strict=False):
        assert start == end + 1 + gap
    assert plan.cycles == sum(durations) + gap * (len(durations) - 1)
    assert plan.steps <= sum(durations)
    argmax = image.config.output_mode is OutputMode.ARGMAX
    assert plan.output_beats == (1 if argmax else network.outputs)
    assert plan.steps * image.config.multipliers == sum(
        layer.slots() for layer in read_layers(image)
    )


@given(engines(), traces(), traces(), st.data())
def test_waiting_longer_never_makes_anything_earlier(case, valid, ready, data):
    _, image = case
    plan = schedule(image)
    before = timeline(plan, image, 4, valid=valid, ready=ready)
    seed = data.draw(st.integers(0, 2**32))
    rng = np.random.default_rng(seed)
    slower = timeline(
        plan,
        image,
        4,
        valid=valid & (rng.random(len(valid)) < 0.7),
        ready=ready & (rng.random(len(ready)) < 0.7),
    )
    for name in ("inputs", "outputs", "starts"):
        assert (getattr(slower, name) >= getattr(before, name)).all(), name


@given(engines(), traces(), traces())
def test_transfers_fall_on_high_clocks_one_at_a_time(case, valid, ready):
    _, image = case
    times = timeline(schedule(image), image, 4, valid=valid, ready=ready)
    for clocks, trace in ((times.inputs.ravel(), valid), (times.outputs.ravel(), ready)):
        assert (np.diff(clocks) > 0).all()
        assert trace[clocks[clocks < len(trace)]].all()


@given(engines())
def test_the_steady_interval_is_what_many_vectors_take(case):
    _, image = case
    plan = schedule(image)
    ends = timeline(plan, image, 300).outputs[:, -1]
    assert steady_interval(plan, image) == (ends[-1] - ends[-3]) / 2


@pytest.mark.parametrize(
    ("sizes", "k", "mode", "loop"),
    [
        ([60, 1], 5, "accumulators", "input"),
        ([20, 20], 0, "accumulators", "sequencer"),
        ([60, 1], 0, "accumulators", "banks"),
        ([1, 20], 0, "accumulators", "buffers"),
        ([1, 20], 0, "argmax", "buffers"),
    ],
)
def test_each_loop_can_set_the_steady_interval(sizes, k, mode, loop):
    network = random_network(np.random.default_rng(0), sizes, ks=(k,), lanes=1)
    config = fit_config(network, lanes=1, rows=1, output_mode=OutputMode(mode))
    image = pack(network, config)
    plan = schedule(image)
    loops = {
        "input": plan.input_beats,
        "sequencer": plan.cycles,
        "banks": (START + plan.input_beats + plan.cycles - 1 + step_to_read(config)) / 2,
        "buffers": (plan.cycles + step_to_write(config) + DRAIN + network.outputs) / 2,
    }
    ends = timeline(plan, image, 400).outputs[:, -1]
    assert max(loops, key=loops.get) == loop
    assert steady_interval(plan, image) == loops[loop] == (ends[-1] - ends[-3]) / 2


@given(engines())
def test_utilisation_counts_stored_weights(case):
    network, image = case
    layers = read_layers(image)
    useful = 0
    for number, layer in enumerate(network.layers):
        widths = layer.segments(image.config.lanes).widths()
        for row in network.live_rows(number):
            pattern = layer.patterns[row]
            for width in widths:
                whole, rest = divmod(width, 2**pattern.k)
                useful += whole * pattern.keep + min(rest, pattern.keep)
    plan = schedule(image)
    got = utilisation(image, layers, plan.cycles)
    assert got == useful / (image.config.multipliers * plan.cycles)
    assert 0 < got <= 1
    assert utilisation(image, layers, steady_interval(plan, image)) <= 1


@pytest.mark.parametrize("vectors", [0, 1])
def test_none_and_one(vectors):
    network = random_network(np.random.default_rng(0), [7, 3])
    image = pack(network, fit_config(network, lanes=2, rows=1))
    times = timeline(schedule(image), image, vectors)
    assert times.outputs.shape == (vectors, 3)
    assert times.stalls.tolist() == [0] * vectors
