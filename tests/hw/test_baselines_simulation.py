"""The rivals' generated Verilog in cocotb: every word and every clock as golden says."""

import re
import subprocess

import numpy as np
import pytest
from sparse_layers import random_block_layer, random_layer

from darb.golden import OutputMode
from darb.golden.baselines import (
    BaselineConfig,
    BsrModel,
    CsrModel,
    balanced_order,
    fit_bsr,
    fit_csr,
    pack_bsr,
    pack_csr,
)
from darb.hw import Disturbance
from darb.hw.baselines import baseline_verilog, generate_baseline, simulate_baseline
from darb.hw.verilog import TOP

VECTORS = 8


def csr_model(seed, shape, *, multipliers, sort=False, **fields):
    """Return the model of a random uneven layer, some of its rows empty."""
    rng = np.random.default_rng(seed)
    layer = random_layer(rng, shape, density=0.2, weight_bits=fields.get("weight_bits", 8))
    order = balanced_order(layer.weights, multipliers) if sort else None
    config = fit_csr(layer, multipliers=multipliers, order=order, **fields)
    return CsrModel(pack_csr(layer, config, order=order))


def bsr_model(seed, shape, *, multipliers, block_size, blocks_a_step=1, sort=False, **fields):
    """Return the model of a random uneven layer of blocks, some of its block rows empty."""
    rng = np.random.default_rng(seed)
    folding = {"block_size": block_size, "blocks_a_step": blocks_a_step}
    layer = random_block_layer(rng, shape, density=0.3, block_size=block_size)
    order = balanced_order(layer.weights, multipliers, **folding) if sort else None
    config = fit_bsr(layer, multipliers=multipliers, order=order, **folding, **fields)
    return BsrModel(pack_bsr(layer, config, order=order))


def random_inputs(seed, model, count):
    """Return vectors over the whole range."""
    config = model.image.config
    half = 1 << (config.activation_bits - 1)
    return np.random.default_rng(seed).integers(-half, half, (count, config.columns))


@pytest.mark.icarus
@pytest.mark.parametrize(
    ("make", "shape", "fields"),
    [
        (csr_model, (45, 61), {"multipliers": 4, "beat": 2, "queue_depth": 4, "sort": True}),
        (
            csr_model,
            (10, 37),
            {
                "multipliers": 16,
                "weight_bits": 4,
                "output_mode": OutputMode.ACTIVATIONS,
                "queue_depth": 1,
            },
        ),
        (
            bsr_model,
            (33, 61),
            {"multipliers": 16, "block_size": 2, "beat": 4, "queue_depth": 4, "sort": True},
        ),
        (
            bsr_model,
            (21, 50),
            {
                "multipliers": 32,
                "block_size": 4,
                "blocks_a_step": 2,
                "output_mode": OutputMode.ACTIVATIONS,
            },
        ),
    ],
    ids=["CSR, four lanes", "CSR, lanes to spare", "BSR, four lanes", "BSR, a block row at a time"],
)
def test_rival_on_icarus(make, shape, fields, tmp_path):
    model = make(shape[0], shape, **fields)
    latency = model.outcome().latency
    runs = (
        Disturbance(),
        Disturbance(idle=0.5, seed=1),
        Disturbance(blocked=0.9, seed=2),
        Disturbance(idle=0.3, blocked=0.6, reset_clock=latency + latency // 3, seed=3),
    )
    vectors = random_inputs(5, model, VECTORS)
    results = simulate_baseline(
        model, vectors, tmp_path / "build", simulator="icarus", disturbances=runs
    )
    assert len(results) == len(runs)
    for result, run in zip(results, runs, strict=True):
        assert result.mismatches == 0, run
        assert result.cycle_mismatches == 0, run
    assert results[0].latency == model.outcome().latency


@pytest.mark.parametrize(
    ("make", "fields"),
    [
        (csr_model, {"multipliers": 8}),
        (bsr_model, {"multipliers": 16, "block_size": 2, "blocks_a_step": 2}),
    ],
    ids=["CSR", "BSR"],
)
def test_rival_on_verilator(make, fields, tmp_path):
    model = make(3, (24, 50), **fields)
    vectors = random_inputs(3, model, VECTORS)
    (result,) = simulate_baseline(model, vectors, tmp_path / "build")
    assert result.exact
    assert np.array_equal(result.outputs, model.run(vectors))


@pytest.mark.icarus
@pytest.mark.parametrize(
    ("make", "shape", "fields"),
    [
        (csr_model, (9, 20), {"multipliers": 4, "beat": 4}),
        (csr_model, (1, 1), {"multipliers": 4, "beat": 1, "queue_depth": 1}),
        (csr_model, (3, 2), {"multipliers": 4, "beat": 8, "queue_depth": 2}),
        (bsr_model, (9, 20), {"multipliers": 16, "block_size": 2, "beat": 8}),
        (bsr_model, (1, 1), {"multipliers": 4, "block_size": 2, "queue_depth": 1}),
        (bsr_model, (9, 9), {"multipliers": 32, "block_size": 4, "blocks_a_step": 2}),
    ],
)
def test_verilog_is_plain_2001_and_reproducible(make, shape, fields, tmp_path):
    model = make(1, shape, **fields)
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
        generate_baseline(csr_model(1, (9, 20), multipliers=multipliers).image, tmp_path / "build")
    assert sorted(path.name for path in (tmp_path / "build").glob("entries*")) == [
        "entries_0.mem",
        "entries_1.mem",
    ]


def test_what_cannot_be_simulated_is_refused(tmp_path):
    config = BaselineConfig(multipliers=1, columns=2, rows=2)
    with pytest.raises(TypeError, match=r"config must be one of CsrConfig, .*not BaselineConfig\("):
        baseline_verilog(config)
    model = csr_model(1, (3, 4), multipliers=1)
    with pytest.raises(ValueError, match="vectors must hold at least one vector, not 0"):
        simulate_baseline(model, np.zeros((0, 4), dtype=np.int64), tmp_path / "build")
