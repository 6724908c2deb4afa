"""The relative CSC engine's generated Verilog in cocotb: every word and clock as golden says."""

import re
import subprocess

import numpy as np
import pytest
from sparse_layers import random_layer

from darb.golden import OutputMode
from darb.golden.baselines import RelativeCscModel, fit_relative_csc, pack_relative_csc
from darb.hw import Disturbance
from darb.hw.baselines import baseline_verilog, generate_baseline, simulate_baseline
from darb.hw.verilog import TOP

VECTORS = 8


def relative_csc_model(seed, shape, **fields):
    """Return the model of a random uneven layer, some of its rows empty."""
    rng = np.random.default_rng(seed)
    layer = random_layer(rng, shape, density=0.2, weight_bits=fields.get("weight_bits", 8))
    return RelativeCscModel(pack_relative_csc(layer, fit_relative_csc(layer, **fields)))


def random_inputs(seed, model, count):
    """Return vectors over the whole range: one without zeros, one of zeros, others half zeros.

    The vector of zeros is the first: nothing was stored before it is read.
    """
    config = model.image.config
    half = 1 << (config.activation_bits - 1)
    rng = np.random.default_rng(seed)
    vectors = rng.integers(-half, half, (count, config.columns))
    vectors[vectors == 0] = -half
    vectors[2:] *= rng.random((count - 2, config.columns)) < 0.5
    vectors[0] = 0
    return vectors


@pytest.mark.icarus
@pytest.mark.parametrize(
    ("shape", "fields"),
    [
        ((45, 61), {"multipliers": 4, "beat": 4, "queue_depth": 2}),
        (
            (10, 37),
            {
                "multipliers": 16,
                "weight_bits": 4,
                "index_bits": 1,
                "beat": 1,
                "output_mode": OutputMode.ACTIVATIONS,
            },
        ),
    ],
    ids=["four lanes", "more multipliers than rows"],
)
def test_relative_csc_on_icarus(shape, fields, tmp_path):
    model = relative_csc_model(shape[0], shape, **fields)
    vectors = random_inputs(5, model, VECTORS)
    latency = model.outcome().latency
    runs = (
        Disturbance(),
        Disturbance(idle=0.5, seed=1),
        Disturbance(blocked=0.9, seed=2),
        Disturbance(idle=0.3, blocked=0.6, reset_clock=latency + latency // 3, seed=3),
    )
    results = simulate_baseline(
        model, vectors, tmp_path / "build", simulator="icarus", disturbances=runs
    )
    assert len(results) == len(runs)
    for result, run in zip(results, runs, strict=True):
        assert result.mismatches == 0, run
        assert result.cycle_mismatches == 0, run
    assert results[0].latency == model.outcome(vectors).latency


def test_relative_csc_on_verilator(tmp_path):
    model = relative_csc_model(3, (24, 50), multipliers=8)
    vectors = random_inputs(3, model, VECTORS)
    (result,) = simulate_baseline(model, vectors, tmp_path / "build")
    assert result.exact
    assert np.array_equal(result.outputs, model.run(vectors))


@pytest.mark.icarus
@pytest.mark.parametrize(
    ("shape", "beat", "queue_depth"), [((9, 20), 4, 8), ((1, 1), 1, 1), ((3, 2), 8, 2)]
)
def test_relative_csc_verilog_is_plain_2001_and_reproducible(shape, beat, queue_depth, tmp_path):
    model = relative_csc_model(1, shape, multipliers=4, beat=beat, queue_depth=queue_depth)
    config = model.image.config
    text = baseline_verilog(config)
    assert text == baseline_verilog(config)
    # A signal of no bits would be one of two in Verilog.
    assert "[-1:0]" not in text
    assert "/" not in re.sub(r"//.*|/\*.*?\*/", "", text)
    files = sorted(set(re.findall(r"\.FILE\(\"([^\"]+)\"\)", text)))
    assert files == sorted(f"{name}.mem" for name in config.memory_shapes)
    generate_baseline(model.image, tmp_path / "build")
    done = subprocess.run(
        ["iverilog", "-g2001", "-Wall", "-s", TOP, "-o", "engine.vvp", "engine.v"],
        cwd=tmp_path / "build",
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0
    assert [line for line in done.stderr.splitlines() if "timescale" not in line] == []
