"""The generated Verilog on both simulators: every word and every clock as golden says."""

import json
import shutil
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from random_networks import random_network, random_vectors, reference

from darb.golden import (
    ImageError,
    OutputMode,
    Storage,
    fit_config,
    pack,
    read_image,
    schedule,
    write_image,
)
from darb.hw import Disturbance, SimulationError, generate, simulate
from darb.hw.cocotb_runner import build, run_bench, run_cocotb, run_images
from darb.hw.simulation import compare
from darb.hw.simulators import find_simulator
from darb.hw.stimulus import to_beats

SIMULATORS = ["verilator", pytest.param("icarus", marks=pytest.mark.icarus)]


def random_image(
    rng,
    *,
    lanes,
    rows,
    weight_bits=8,
    sizes=None,
    mode=OutputMode.ACCUMULATORS,
    restart=None,
    **fields,
):
    """Return a network and its image: k from 0 to 6 and keep from 1 to 4, all mixed.

    With `restart` the blocks restart at each segment; by default that is drawn.
    """
    if sizes is None:
        sizes = [int(size) for size in rng.integers(1, 40, rng.integers(2, 5))]
    if restart is None:
        restart = bool(rng.integers(2))
    network = random_network(
        rng,
        sizes,
        keeps=range(1, 5),
        weight_bits=weight_bits,
        lanes=lanes if restart else None,
        spare_columns=float(rng.choice([0.0, 0.25])),
    )
    config = fit_config(network, lanes=lanes, rows=rows, output_mode=mode, **fields)
    return network, pack(network, config)


def build_engine(image, directory, name):
    """Generate and compile an image's engine; returns the build directory and the simulator."""
    tool = find_simulator(name)
    write_image(image, directory / "image")
    generate(directory / "image", directory / "build")
    build(directory / "build", tool)
    return directory / "build", tool


def disturbances(image, seed):
    """Return every mix of idle input, blocked output and reset in mid-run."""
    cycles = schedule(image).cycles
    return [
        Disturbance(),
        Disturbance(idle=0.5, seed=seed),
        Disturbance(blocked=0.9, seed=seed),
        Disturbance(idle=0.3, blocked=0.6, reset_clock=cycles + cycles // 3, seed=seed),
    ]


def check(image, network, vectors, directory, tool, disturbance):
    """Run the bench once and hold it against golden and against plain arithmetic."""
    result = compare(
        image,
        run_bench(directory, tool, image, vectors, disturbance=disturbance),
        vectors,
    )
    assert result.mismatches == 0, disturbance
    assert result.cycle_mismatches == 0, disturbance
    if image.config.output_mode is OutputMode.ACCUMULATORS:
        assert np.array_equal(result.outputs, reference(network, vectors)), disturbance
    return result


SHAPES = list(product([1, 2, 4, 8, 16], [1, 2, 4, 8], [2, 4, 8]))


def grid_case(number):
    """Return layers, disturbance and mode of case `number`: each runs through its values."""
    return 1 + number % 4, number // 4 % 4, list(OutputMode)[number // 2 % 3]


def test_the_grid_mixes_layers_and_disturbances():
    cases = [grid_case(number) for number in range(len(SHAPES))]
    assert {case[:2] for case in cases} == set(product(range(1, 5), range(4)))
    assert {case[2] for case in cases} == set(OutputMode)


@pytest.mark.icarus
@pytest.mark.parametrize("number", range(len(SHAPES)), ids=lambda n: "x".join(map(str, SHAPES[n])))
def test_every_shape_of_engine_is_exact_on_icarus(number, tmp_path):
    lanes, rows, weight_bits = SHAPES[number]
    layers, disturbance, mode = grid_case(number)
    rng = np.random.default_rng(number)
    most = 40 if lanes * rows < 16 else 20
    sizes = [int(size) for size in rng.integers(2, most, 1 + layers)]
    network, image = random_image(
        rng, lanes=lanes, rows=rows, weight_bits=weight_bits, sizes=sizes, mode=mode
    )
    directory, tool = build_engine(image, tmp_path, "icarus")
    vectors = random_vectors(rng, network, 3)
    chosen = disturbances(image, number)[disturbance]
    check(image, network, vectors, directory, tool, chosen)


@pytest.mark.parametrize("simulator", SIMULATORS)
@pytest.mark.parametrize(
    ("lanes", "rows", "weight_bits", "mode"),
    [
        (1, 1, 8, OutputMode.ACTIVATIONS),
        (2, 8, 4, OutputMode.ACCUMULATORS),
        (4, 2, 2, OutputMode.ARGMAX),
        (8, 4, 8, OutputMode.ACCUMULATORS),
        (16, 1, 4, OutputMode.ACTIVATIONS),
    ],
)
def test_disturbed_streams_are_exact(simulator, lanes, rows, weight_bits, mode, tmp_path):
    seed = lanes + rows
    rng = np.random.default_rng(seed)
    network, image = random_image(rng, lanes=lanes, rows=rows, weight_bits=weight_bits, mode=mode)
    directory, tool = build_engine(image, tmp_path, simulator)
    vectors = random_vectors(rng, network, 6)
    for disturbance in disturbances(image, seed):
        check(image, network, vectors, directory, tool, disturbance)


@pytest.mark.icarus
@pytest.mark.parametrize("sizes", [[1, 1], [1, 9], [23, 1], [7, 1, 5], [1, 3, 1, 2, 1]])
def test_layers_of_one_row_or_one_column(sizes, tmp_path):
    rng = np.random.default_rng(len(sizes))
    network, image = random_image(rng, lanes=4, rows=2, sizes=sizes)
    directory, tool = build_engine(image, tmp_path, "icarus")
    vectors = random_vectors(rng, network, 6)
    for disturbance in disturbances(image, 1):
        check(image, network, vectors, directory, tool, disturbance)


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_new_weights_need_no_new_verilog(simulator, tmp_path):
    rng = np.random.default_rng(11)
    pinned = {"weight_depth": 300, "index_depth": 80, "row_depth": 120, "layer_depth": 60}
    pinned |= {"input_depth": 32, "hidden_depth": 32, "output_depth": 9, "max_k": 6}
    pinned |= {"accumulator_bits": 28}
    first, second = (
        random_image(rng, lanes=4, rows=4, sizes=sizes, restart=True, **pinned)
        for sizes in ([37, 30, 9], [25, 12, 20, 7])
    )
    directory, tool = build_engine(first[1], tmp_path, simulator)
    for network, image in (first, second):
        write_image(image, tmp_path / "image")
        for memory in image.memories:
            shutil.copy(tmp_path / "image" / f"{memory}.mem", directory)
        vectors = random_vectors(rng, network, 5)
        check(image, network, vectors, directory, tool, Disturbance())


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_axi_drivers_of_others_agree(simulator, tmp_path):
    rng = np.random.default_rng(5)
    network, image = random_image(rng, lanes=4, rows=2, sizes=[30, 20, 6])
    directory, tool = build_engine(image, tmp_path, simulator)
    vectors = random_vectors(rng, network, 12)
    packets = to_beats(image, vectors).reshape(len(vectors), -1, 4)
    np.savez(tmp_path / "vectors.npz", packets=packets, expected=reference(network, vectors))
    job = {
        "vectors": str(tmp_path / "vectors.npz"),
        "digest": image.digest,
        "seed": 5,
        "tail": 3 * schedule(image).cycles,
    }
    (tmp_path / "job.json").write_text(json.dumps(job))
    with tool.active():
        run_cocotb(
            directory,
            tool,
            module="cocotbext_bench",
            environment={"COCOTBEXT_JOB": str(tmp_path / "job.json")},
        )


@pytest.mark.icarus
def test_reset_in_any_clock_leaves_nothing_behind(tmp_path):
    rng = np.random.default_rng(8)
    network, image = random_image(rng, lanes=2, rows=2, sizes=[11, 8, 5])
    directory, tool = build_engine(image, tmp_path, "icarus")
    vectors = random_vectors(rng, network, 3)
    clocks = rng.choice(3 * schedule(image).cycles, 6, replace=False)
    for clock, blocked in product(clocks, (0, 0.5)):
        disturbance = Disturbance(blocked=blocked, reset_clock=int(clock), seed=8)
        check(image, network, vectors, directory, tool, disturbance)


@pytest.fixture
def small(tmp_path):
    network, image = random_image(np.random.default_rng(2), lanes=2, rows=2, sizes=[9, 6, 4])
    vectors = random_vectors(np.random.default_rng(3), network, 3)
    write_image(image, tmp_path / "image", vectors={"inputs": vectors})
    return tmp_path / "image"


@pytest.mark.icarus
def test_simulate_uses_the_images_own_vectors_and_keeps_what_it_is_told(small, tmp_path):
    seen = []
    result = simulate(
        small,
        simulator="icarus",
        build_dir=tmp_path / "kept",
        waves=True,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert result.exact
    assert result.outputs.shape == result.expected.shape == (3, 4)
    assert result.latency == result.cycles[0] > schedule(read_image(small)).cycles
    assert seen[-1] == (3, 3)
    assert result.waves is not None
    assert result.waves.stat().st_size > 0
    assert (tmp_path / "kept" / "engine.v").is_file()


@pytest.mark.icarus
def test_a_wrong_weight_or_a_lost_clock_is_seen(tmp_path):
    _, image = random_image(np.random.default_rng(2), lanes=2, rows=2, sizes=[9, 4])
    _, tool = build_engine(image, tmp_path, "icarus")
    weights = tmp_path / "build" / "weights.mem"
    text = weights.read_text()
    place = next(i for i, digit in enumerate(text) if digit not in "0\n")
    weights.write_text(text[:place] + "0" + text[place + 1 :])
    vectors = np.full((2, 9), 127)
    broken = compare(
        image,
        run_bench(tmp_path / "build", tool, image, vectors, disturbance=Disturbance()),
        vectors,
    )
    assert broken.mismatches == 2
    assert broken.cycle_mismatches == 0
    weights.write_text(text)
    # A ROM that is a clock late feeds the wrong header to the sequencer, which then never starts.
    verilog = tmp_path / "build" / "engine.v"
    slower = verilog.read_text().replace("read <= words[addr];", "read <= #11 words[addr];")
    assert slower != verilog.read_text()
    verilog.write_text(slower)
    build(tmp_path / "build", tool)
    with pytest.raises(SimulationError, match=r"no beat moved since clock \d+; see .*run\.log"):
        run_bench(tmp_path / "build", tool, image, vectors, disturbance=Disturbance())


def test_refusals(small, tmp_path):
    with pytest.raises(ValueError, match="simulator must be one of verilator, icarus, not 'vcs'"):
        simulate(small, simulator="vcs")
    with pytest.raises(ValueError, match="waves need a build_dir to stay in, not None"):
        simulate(small, waves=True)
    with pytest.raises(ValueError, match=r"input vectors must have shape \(B, 9\), not \(1, 8\)"):
        simulate(small, vectors=np.zeros((1, 8), dtype=int))
    with pytest.raises(ValueError, match="vectors must hold at least one vector, not 0"):
        simulate(small, vectors=np.zeros((0, 9), dtype=int))
    with pytest.raises(TypeError, match="input vectors must be integers, not float64"):
        simulate(small, vectors=np.zeros((1, 9)))
    with pytest.raises(ValueError, match=r"idle must be in 0\.\.0\.99, not 1"):
        Disturbance(idle=1)
    with pytest.raises(ValueError, match="reset_clock must not be negative, not -1"):
        Disturbance(reset_clock=-1)
    (small / "rows.mem").write_bytes(b"")
    with pytest.raises(ImageError, match=r"rows\.mem"):
        simulate(small, build_dir=tmp_path / "kept")
    assert not (tmp_path / "kept").exists()


@pytest.mark.icarus
def test_a_simulator_that_fails_names_its_log(small, tmp_path):
    tool = find_simulator("icarus")
    generate(small, tmp_path / "build")
    Path(tmp_path / "build" / "engine.v").write_text("module darb_engine(; endmodule\n")
    with pytest.raises(
        SimulationError, match=r"icarus cannot compile: .*syntax error; see .*build\.log"
    ):
        build(tmp_path / "build", tool)


@pytest.mark.icarus
def test_a_simulator_stuck_in_one_clock_is_killed(small, tmp_path):
    tool = find_simulator("icarus")
    generate(small, tmp_path / "build")
    verilog = tmp_path / "build" / "engine.v"
    text = verilog.read_text()
    inside = text.index(";", text.index("module darb_engine")) + 1
    loop = " reg stuck = 0; initial forever #0 stuck = ~stuck;"
    verilog.write_text(text[:inside] + loop + text[inside:])
    build(tmp_path / "build", tool)
    image = read_image(small)
    runs = [(image, np.zeros((1, 9), dtype=int), Disturbance())]
    with pytest.raises(SimulationError, match=r"^icarus did not end in 1 s; see .*run\.log$"):
        run_images(tmp_path / "build", tool, runs, storage=Storage.ROM, seconds=1)
