"""The synthesised engine, ECP5 cells in Icarus: every word and every clock as golden says."""

import re

import numpy as np
import pytest
from random_networks import random_network, random_vectors, reference

from darb.golden import OutputMode, Storage, fit_config, pack, schedule, write_image
from darb.hw import Disturbance, ToolMissingError, generate, simulate
from darb.hw.cocotb_runner import build, run_bench, run_images
from darb.hw.flow import BuildError
from darb.hw.flow.netlist_simulation import synthesise, synthesise_engine
from darb.hw.simulation import compare
from darb.hw.simulators import find_simulator
from darb.hw.verilog import TOP, VERILOG


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DARB_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def random_engine(seed, directory, *, sizes, lanes, rows, mode, storage=Storage.ROM, **fields):
    """Return a network, its image and vectors; the engine's Verilog is in `directory` / build."""
    rng = np.random.default_rng(seed)
    network = random_network(rng, sizes, keeps=range(1, 5), lanes=lanes, **fields)
    config = fit_config(network, lanes=lanes, rows=rows, output_mode=mode)
    image = pack(network, config)
    write_image(image, directory / "image")
    generate(directory / "image", directory / "build", storage=storage)
    return network, image, random_vectors(rng, network, 3)


def disturbances(image, seed):
    """Return every mix of idle input, blocked output and reset in mid-run."""
    cycles = schedule(image).cycles
    return [
        Disturbance(),
        Disturbance(idle=0.5, seed=seed),
        Disturbance(blocked=0.8, seed=seed),
        Disturbance(idle=0.3, blocked=0.6, reset_clock=cycles + cycles // 3, seed=seed),
    ]


@pytest.mark.icarus
@pytest.mark.parametrize(
    ("lanes", "rows", "sizes", "weight_bits", "mode", "in_block_ram"),
    [
        (4, 2, [21, 13, 6], 8, OutputMode.ACCUMULATORS, False),
        (8, 1, [30, 10, 5], 8, OutputMode.ARGMAX, True),
        (2, 2, [9, 8, 7, 4], 4, OutputMode.ACTIVATIONS, True),
    ],
)
def test_the_netlist_is_exact(tmp_path, lanes, rows, sizes, weight_bits, mode, in_block_ram):
    seed = lanes
    network, image, vectors = random_engine(
        seed, tmp_path, sizes=sizes, lanes=lanes, rows=rows, mode=mode, weight_bits=weight_bits
    )
    directory, tool = tmp_path / "build", find_simulator("icarus")
    if in_block_ram:
        verilog = synthesise_engine(directory, Storage.ROM)
    else:
        memories = [f"{name}.mem" for name in image.memories]
        verilog = synthesise(directory, top=TOP, verilog=VERILOG, memories=memories)
    netlist = (directory / verilog[0]).read_text()
    block_rams = re.findall(r"^  DP16KD #.*?^  \) \\engine\.(\w+)\.words\.", netlist, re.M | re.S)
    assert (set(block_rams) == set(image.memories)) == in_block_ram
    build(directory, tool, verilog=verilog)
    runs = [(image, vectors, disturbance) for disturbance in disturbances(image, seed)]
    for seen, run in zip(run_images(directory, tool, runs, storage=Storage.ROM), runs, strict=True):
        result = compare(image, seen, vectors)
        assert result.mismatches == 0, f"seed {seed}, {run[2]}"
        assert result.cycle_mismatches == 0, f"seed {seed}, {run[2]}"
        if mode is OutputMode.ACCUMULATORS:
            assert np.array_equal(result.outputs, reference(network, vectors)), f"seed {seed}"


@pytest.mark.icarus
def test_a_loaded_image_is_exact(tmp_path):
    _, _, vectors = random_engine(
        3,
        tmp_path,
        sizes=[9, 6, 4],
        lanes=2,
        rows=2,
        mode=OutputMode.ACCUMULATORS,
        storage=Storage.RAM,
    )
    result = simulate(
        tmp_path / "image",
        simulator="icarus",
        storage=Storage.RAM,
        netlist="ecp5",
        vectors=vectors,
        disturbance=Disturbance(blocked=0.5, seed=3),
    )
    assert result.exact, "seed 3"
    assert result.simulator.endswith(", ecp5 netlist")
    assert len(result.outputs) == len(vectors)


@pytest.mark.icarus
def test_a_broken_cell_is_noticed(tmp_path):
    _, image, vectors = random_engine(
        4, tmp_path, sizes=[9, 4], lanes=2, rows=1, mode=OutputMode.ACCUMULATORS
    )
    directory, tool = tmp_path / "build", find_simulator("icarus")
    verilog = synthesise_engine(directory, Storage.ROM)
    cells = directory / verilog[1]
    text = cells.read_text()
    broken = text.replace("} = p;", "} = p ^ 36'h100;")
    assert broken != text
    cells.write_text(broken)
    build(directory, tool, verilog=verilog)
    seen = run_bench(directory, tool, image, vectors, disturbance=Disturbance())
    result = compare(image, seen, vectors)
    assert result.mismatches == len(vectors)
    assert result.cycle_mismatches == 0


def test_refusals(tmp_path, monkeypatch):
    _, _, vectors = random_engine(
        5, tmp_path, sizes=[3, 2], lanes=1, rows=1, mode=OutputMode.ACCUMULATORS
    )
    image = tmp_path / "image"
    with pytest.raises(ValueError, match="netlist must be one of ecp5, not 'ice40'"):
        simulate(image, simulator="icarus", vectors=vectors, netlist="ice40")
    with pytest.raises(ValueError, match="a netlist must be simulated on icarus, not 'verilator'"):
        simulate(image, vectors=vectors, netlist="ecp5")
    with pytest.raises(BuildError, match=r"synthesis: yosys failed: .*nothing"):
        synthesise(tmp_path / "build", top="nothing", verilog=VERILOG)
    monkeypatch.setenv("YOSYS", "no-such-yosys")
    with pytest.raises(ToolMissingError, match="yosys is missing: YOSYS names 'no-such-yosys'"):
        simulate(image, simulator="icarus", vectors=vectors, netlist="ecp5")
