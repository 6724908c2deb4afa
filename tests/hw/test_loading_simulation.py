"""Storage `ram` on both simulators: images loaded one after the other, exact to the clock."""

import json

import numpy as np
import pytest
from random_networks import random_network, random_vectors, reference

from darb.golden import (
    OutputMode,
    Storage,
    fit_config,
    loading_writes,
    pack,
    read_image,
    schedule,
    write_image,
)
from darb.golden.memory_map import MEMORIES, depth_field
from darb.hw import Disturbance, generate_verilog, simulate
from darb.hw.cocotb_runner import build, run_bench, run_cocotb, run_images
from darb.hw.simulation import compare
from darb.hw.simulators import find_simulator
from darb.hw.stimulus import to_beats

SIMULATORS = ["verilator", pytest.param("icarus", marks=pytest.mark.icarus)]
ROOM = {
    "weight_depth": 300,
    "index_depth": 80,
    "row_depth": 120,
    "layer_depth": 60,
    "input_depth": 32,
    "hidden_depth": 32,
    "output_depth": 9,
    "max_k": 6,
    "accumulator_bits": 28,
}


def build_loadable(config, directory, name):
    """Compile an engine that holds no image; returns the simulator."""
    directory.mkdir()
    (directory / "engine.v").write_text(generate_verilog(config, Storage.RAM))
    tool = find_simulator(name)
    build(directory, tool)
    return tool


def images_with_room(rng, shapes, *, lanes=4, rows=4, **fields):
    """Return networks and their images, all of one config."""
    networks = [
        random_network(rng, sizes, keeps=range(1, 5), lanes=lanes, spare_columns=0.2)
        for sizes in shapes
    ]
    configs = {fit_config(n, lanes=lanes, rows=rows, **{**ROOM, **fields}) for n in networks}
    assert len(configs) == 1
    return [(network, pack(network, *configs)) for network in networks]


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_two_images_in_one_simulation_are_exact(simulator, tmp_path):
    rng = np.random.default_rng(21)
    images = images_with_room(rng, ([37, 30, 9], [25, 12, 20, 7]))
    tool = build_loadable(images[0][1].config, tmp_path / "build", simulator)
    cycles = schedule(images[0][1]).cycles
    plans = [
        (0, Disturbance()),
        (1, Disturbance()),
        (0, Disturbance(idle=0.3, blocked=0.6, reset_clock=cycles + cycles // 3, seed=21)),
        (1, Disturbance(blocked=0.9, reset_clock=3, seed=21)),
        (0, Disturbance(reset_clock=2 * cycles)),
    ]
    runs = [
        (images[which][1], random_vectors(rng, images[which][0], 5), disturbance)
        for which, disturbance in plans
    ]
    seen = run_images(tmp_path / "build", tool, runs, storage=Storage.RAM)
    for (which, disturbance), (image, vectors, _), saw in zip(plans, runs, seen, strict=True):
        result = compare(image, saw, vectors, Storage.RAM)
        assert result.exact, (which, disturbance)
        expected = reference(images[which][0], vectors)
        assert np.array_equal(result.outputs, expected), (which, disturbance)


@pytest.mark.icarus
@pytest.mark.parametrize(
    ("lanes", "rows", "index_word_bits", "mode"),
    [
        (1, 1, 6, OutputMode.ACTIVATIONS),
        (2, 1, 12, OutputMode.ARGMAX),
        (1, 8, 37, OutputMode.ACCUMULATORS),
        (16, 2, 25, OutputMode.ARGMAX),
    ],
)
def test_words_of_every_width_are_loaded(lanes, rows, index_word_bits, mode, tmp_path):
    rng = np.random.default_rng(lanes + rows)
    network = random_network(rng, [20, 11, 6], keeps=(1, 3), lanes=lanes)
    fields = {"index_word_bits": index_word_bits, "output_mode": mode}
    image = pack(network, fit_config(network, lanes=lanes, rows=rows, **fields))
    tool = build_loadable(image.config, tmp_path / "build", "icarus")
    vectors = random_vectors(rng, network, 4)
    arguments = {"disturbance": Disturbance(idle=0.2, blocked=0.3), "storage": Storage.RAM}
    seen = run_bench(tmp_path / "build", tool, image, vectors, **arguments)
    assert compare(image, seen, vectors, Storage.RAM).exact


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_another_driver_loads_is_refused_and_halts(simulator, tmp_path):
    rng = np.random.default_rng(22)
    images = images_with_room(rng, ([37, 30, 9], [25, 12, 20, 7]))
    tool = build_loadable(images[0][1].config, tmp_path / "build", simulator)
    paths = []
    for number, (network, image) in enumerate(images):
        vectors = random_vectors(rng, network, 8)
        paths.append(str(tmp_path / f"image_{number}.npz"))
        np.savez(
            paths[-1],
            writes=loading_writes(image),
            packets=to_beats(image, vectors).reshape(len(vectors), -1, 4),
            expected=reference(network, vectors),
        )
    cycles = schedule(images[0][1]).cycles
    halts = [(int(clock), False) for clock in rng.integers(1, 4 * cycles, 5)]
    job = {
        "images": paths,
        "depths": [ROOM[depth_field(memory)] for memory in MEMORIES],
        "halts": [*halts, (3 * cycles, True)],
        "tail": 3 * cycles,
    }
    (tmp_path / "job.json").write_text(json.dumps(job))
    with tool.active():
        run_cocotb(
            tmp_path / "build",
            tool,
            module="cocotbext_loading_bench",
            environment={"LOADING_JOB": str(tmp_path / "job.json")},
        )


@pytest.mark.icarus
def test_simulate_is_the_same_for_both_storages(tmp_path):
    rng = np.random.default_rng(3)
    network = random_network(rng, [9, 6, 4])
    image = pack(network, fit_config(network, lanes=2, rows=2))
    vectors = random_vectors(rng, network, 3)
    write_image(image, tmp_path / "image", vectors={"inputs": vectors})
    rom, ram = (
        simulate(tmp_path / "image", simulator="icarus", storage=storage) for storage in Storage
    )
    assert rom.exact
    assert ram.exact
    assert np.array_equal(rom.outputs, ram.outputs)
    assert np.array_equal(rom.cycles, ram.cycles)
    assert rom.registers["widths"] ^ ram.registers["widths"] == 1 << 28
    assert {**rom.registers, "widths": 0, "load_place": 0} == {
        **ram.registers,
        "widths": 0,
        "load_place": 0,
    }
    used = read_image(tmp_path / "image").config.layer_depth
    assert (rom.registers["load_place"], ram.registers["load_place"]) == (0, 3 << 28 | used)


@pytest.mark.icarus
def test_a_word_that_is_lost_is_seen(tmp_path):
    rng = np.random.default_rng(5)
    network = random_network(rng, [9, 4], ks=(0,))
    image = pack(network, fit_config(network, lanes=2, rows=2))
    tool = build_loadable(image.config, tmp_path / "build", "icarus")
    verilog = tmp_path / "build" / "engine.v"
    good = "if (w_en) words[w_addr]"
    assert good in verilog.read_text()
    verilog.write_text(verilog.read_text().replace(good, "if (w_en && w_addr != 3) words[w_addr]"))
    build(tmp_path / "build", tool)
    vectors = random_vectors(rng, network, 3)
    arguments = {"disturbance": Disturbance(), "storage": Storage.RAM}
    seen = run_bench(tmp_path / "build", tool, image, vectors, **arguments)
    result = compare(image, seen, vectors, Storage.RAM)
    assert result.mismatches == 3
    assert result.cycle_mismatches == 0
