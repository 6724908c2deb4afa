"""The rivals' generated Verilog in cocotb: every word and every clock as golden says."""

import re
import subprocess

import numpy as np
import pytest
from rival_models import rival_model
from sparse_layers import random_block_layer, random_layer

from darb.golden import OutputMode
from darb.golden.baselines import BaselineConfig
from darb.hw import Disturbance
from darb.hw.baselines import baseline_verilog, generate_baseline, simulate_baseline
from darb.hw.verilog import TOP

VECTORS = 8


def random_model(rival, seed, shape, **fields):
    """Return the model of a random uneven layer, some of its rows or block rows empty."""
    rng, weight_bits = np.random.default_rng(seed), fields.get("weight_bits", 8)
    if rival == "bsr":
        size = fields["block_size"]
        layer = random_block_layer(
            rng, shape, density=0.3, block_size=size, weight_bits=weight_bits
        )
    else:
        layer = random_layer(rng, shape, density=0.2, weight_bits=weight_bits)
    return rival_model(rival, layer, **fields)


def random_vectors(seed, model):
    """Return vectors over the whole range: one without zeros, one of zeros, others half zeros.

    The vector of zeros is the first: nothing was stored before it is read.
    """
    config = model.image.config
    half = 1 << (config.activation_bits - 1)
    rng = np.random.default_rng(seed)
    vectors = rng.integers(-half, half, (VECTORS, config.columns))
    vectors[vectors == 0] = -half
    vectors[2:] *= rng.random((VECTORS - 2, config.columns)) < 0.5
    vectors[0] = 0
    return vectors


@pytest.mark.icarus
@pytest.mark.parametrize(
    ("rival", "shape", "fields"),
    [
        pytest.param(
            "csr",
            (45, 61),
            {"multipliers": 4, "beat": 2, "queue_depth": 4, "balance": True},
            id="CSR, four lanes",
        ),
        pytest.param(
            "csr",
            (10, 37),
            {
                "multipliers": 16,
                "weight_bits": 4,
                "output_mode": OutputMode.ACTIVATIONS,
                "queue_depth": 1,
            },
            id="CSR, lanes to spare",
        ),
        pytest.param(
            "bsr",
            (33, 61),
            {"multipliers": 16, "block_size": 2, "beat": 4, "queue_depth": 4, "balance": True},
            id="BSR, four lanes",
        ),
        pytest.param(
            "bsr",
            (21, 50),
            {
                "multipliers": 32,
                "block_size": 4,
                "blocks_a_step": 2,
                "output_mode": OutputMode.ACTIVATIONS,
            },
            id="BSR, a block row at a time",
        ),
        pytest.param(
            "relative_csc",
            (45, 61),
            {"multipliers": 4, "beat": 4, "queue_depth": 2},
            id="relative CSC, four lanes",
        ),
        pytest.param(
            "relative_csc",
            (10, 37),
            {
                "multipliers": 16,
                "weight_bits": 4,
                "index_bits": 1,
                "beat": 1,
                "output_mode": OutputMode.ACTIVATIONS,
            },
            id="relative CSC, lanes to spare",
        ),
    ],
)
def test_rival_on_icarus(rival, shape, fields, tmp_path):
    model = random_model(rival, shape[0], shape, **fields)
    latency = model.outcome().latency
    runs = (
        Disturbance(),
        Disturbance(idle=0.5, seed=1),
        Disturbance(blocked=0.9, seed=2),
        Disturbance(idle=0.3, blocked=0.6, reset_clock=latency + latency // 3, seed=3),
    )
    vectors = random_vectors(5, model)
    results = simulate_baseline(
        model, vectors, tmp_path / "build", simulator="icarus", disturbances=runs
    )
    assert len(results) == len(runs)
    for result, run in zip(results, runs, strict=True):
        assert result.mismatches == 0, run
        assert result.cycle_mismatches == 0, run
    assert results[0].latency == model.outcome(vectors).latency


@pytest.mark.parametrize(
    ("rival", "fields"),
    [
        ("csr", {"multipliers": 8}),
        ("bsr", {"multipliers": 16, "block_size": 2, "blocks_a_step": 2}),
        ("relative_csc", {"multipliers": 8}),
    ],
)
def test_rival_on_verilator(rival, fields, tmp_path):
    model = random_model(rival, 3, (24, 50), **fields)
    vectors = random_vectors(3, model)
    (result,) = simulate_baseline(model, vectors, tmp_path / "build")
    assert result.exact
    assert np.array_equal(result.outputs, model.run(vectors))


@pytest.mark.icarus
@pytest.mark.parametrize(
    ("rival", "shape", "fields"),
    [
        ("csr", (9, 20), {"multipliers": 4, "beat": 4}),
        ("csr", (1, 1), {"multipliers": 4, "beat": 1, "queue_depth": 1}),
        ("csr", (3, 2), {"multipliers": 4, "beat": 8, "queue_depth": 2}),
        ("bsr", (9, 20), {"multipliers": 16, "block_size": 2, "beat": 8}),
        ("bsr", (1, 1), {"multipliers": 4, "block_size": 2, "queue_depth": 1}),
        ("bsr", (9, 9), {"multipliers": 32, "block_size": 4, "blocks_a_step": 2}),
        ("relative_csc", (9, 20), {"multipliers": 4, "beat": 4}),
        ("relative_csc", (1, 1), {"multipliers": 4, "beat": 1, "queue_depth": 1}),
        ("relative_csc", (3, 2), {"multipliers": 4, "beat": 8, "queue_depth": 2}),
    ],
)
def test_verilog_is_plain_2001_and_reproducible(rival, shape, fields, tmp_path):
    model = random_model(rival, 1, shape, **fields)
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


def test_an_output_is_replaced_by_that_of_another_layer(tmp_path):
    for multipliers in (4, 2):
        model = random_model("csr", 1, (9, 20), multipliers=multipliers)
        generate_baseline(model.image, tmp_path / "build")
    assert sorted(path.name for path in (tmp_path / "build").glob("entries*")) == [
        "entries_0.mem",
        "entries_1.mem",
    ]


def test_what_cannot_be_simulated_is_refused(tmp_path):
    config = BaselineConfig(multipliers=1, columns=2, rows=2)
    with pytest.raises(TypeError, match=r"config must be one of CsrConfig, .*not BaselineConfig\("):
        baseline_verilog(config)
    model = random_model("csr", 1, (3, 4), multipliers=1)
    with pytest.raises(ValueError, match="vectors must hold at least one vector, not 0"):
        simulate_baseline(model, np.zeros((0, 4), dtype=np.int64), tmp_path / "build")
