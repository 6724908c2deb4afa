import dataclasses
import shutil

import numpy as np
import pytest
from cli_runner import refused, run
from random_networks import random_network, reference

import darb.hw.simulation
from darb.golden import Storage
from darb.hw.simulators import ToolMissingError
from darb.sw.exporting import export


@pytest.fixture(scope="module")
def network():
    return random_network(np.random.default_rng(1), (12, 8, 4), ks=(0, 1))


@pytest.fixture(scope="module")
def image(network, tmp_path_factory):
    return export(network, tmp_path_factory.mktemp("s") / "image", lanes=2, rows=2)


def cells(stdout):
    """Return the two columns of the table as a dict."""
    lines = [line.split("│") for line in stdout.splitlines() if line.startswith("│")]
    return {parts[1].strip(): parts[2].strip() for parts in lines}


def test_the_images_own_vectors_on_verilator(image):
    result = run("simulate", image)
    assert result.exit_code == 0, result.output
    told = cells(result.stdout)
    assert told["simulator"].startswith("Verilator 5.")
    assert (told["vectors"], told["mismatches"], told["cycle mismatches"]) == ("16", "0", "0")
    assert "Every output and every cycle equals the golden model's." in result.stdout


@pytest.mark.icarus
def test_vectors_of_the_users_and_waves_on_icarus(image, tmp_path):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(3, 12)))
    result = run(
        *("simulate", image, "--simulator", "icarus", "--vectors", tmp_path / "x.npy"),
        *("--waves", "--build-dir", tmp_path / "waves"),
    )
    assert result.exit_code == 0, result.output
    told = cells(result.stdout)
    assert told["simulator"].startswith("Icarus")
    assert (told["vectors"], told["mismatches"], told["cycle mismatches"]) == ("3", "0", "0")
    recorded = [line for line in result.stdout.splitlines() if line.startswith("Waves: ")]
    assert shutil.os.path.getsize(recorded[0].removeprefix("Waves: ")) > 1000


@pytest.mark.icarus
def test_an_image_that_is_loaded_first(image):
    result = run("simulate", image, "--simulator", "icarus", "--storage", "ram")
    assert result.exit_code == 0, result.output
    assert "Every output and every cycle equals the golden model's." in result.stdout


@pytest.fixture
def faked(monkeypatch, network):
    """Stand in for the simulator; keeps what it is asked and answers what it is told to."""
    asked = {}

    def simulate(directory, **settings):
        asked.update(settings, directory=directory)
        settings["progress"](0, 3)
        settings["progress"](3, 3)
        vectors = settings["vectors"]
        outputs = reference(network, vectors)
        result = darb.hw.simulation.SimulationResult(
            outputs=outputs,
            expected=outputs,
            mismatches=0,
            cycles=np.full(len(vectors), 70),
            cycle_mismatches=0,
            latency=70,
            interval=40,
            seconds={"build": 1.0, "run": 2.0},
            simulator="Verilator 5.99",
            registers={"cycles": 40 * len(vectors)},
        )
        return dataclasses.replace(result, **asked.get("answer", {}))

    monkeypatch.setattr(darb.hw.simulation, "simulate", simulate)
    return asked


@pytest.mark.parametrize("answer", [{"mismatches": 1}, {"cycle_mismatches": 2}])
def test_a_difference_ends_with_status_1(image, tmp_path, faked, answer):
    np.save(tmp_path / "x.npy", np.zeros((3, 12), dtype=int))
    faked["answer"] = answer
    result = run("simulate", image, "--vectors", tmp_path / "x.npy")
    assert result.exit_code == 1
    assert "The engine differs from the golden model." in result.stdout
    told = cells(result.stdout)
    assert told["mismatches"] == str(answer.get("mismatches", 0))
    assert told["cycle mismatches"] == str(answer.get("cycle_mismatches", 0))


def test_every_option_reaches_the_simulator(image, tmp_path, faked, network):
    real = np.random.default_rng(0).normal(size=(3, 12))
    np.save(tmp_path / "x.npy", real)
    result = run(
        *("simulate", image, "--simulator", "icarus", "--vectors", tmp_path / "x.npy", "--waves"),
        *("--storage", "ram"),
    )
    assert result.exit_code == 0, result.output
    assert faked["storage"] is Storage.RAM
    assert faked["netlist"] is None
    assert (faked["simulator"], faked["waves"], faked["directory"]) == ("icarus", True, image)
    assert str(faked["build_dir"]) == "darb-waves"
    scaled = np.clip(np.rint(real / network.input_scale), -128, 127)
    assert np.array_equal(faked["vectors"], scaled)
    assert cells(result.stdout)["cycles a vector"] == "40"


def test_a_netlist_is_simulated_on_icarus(image, tmp_path, faked):
    np.save(tmp_path / "x.npy", np.zeros((3, 12), dtype=int))
    result = run("simulate", image, "--vectors", tmp_path / "x.npy", "--netlist", "ecp5")
    assert result.exit_code == 0, result.output
    assert (faked["simulator"], faked["netlist"]) == ("icarus", "ecp5")


def test_a_netlist_on_verilator_is_refused(image):
    message = refused("simulate", image, "--netlist", "ecp5", "--simulator", "verilator")
    assert message == "a netlist must be simulated on icarus, not 'verilator'"


def test_a_missing_yosys_is_told_in_one_line(image, monkeypatch):
    monkeypatch.setenv("YOSYS", "no-such-yosys")
    message = refused("simulate", image, "--netlist", "ecp5")
    assert message == "yosys is missing: YOSYS names 'no-such-yosys', which is no program"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((3, 11)), "inputs must have shape (B, 12), not (3, 11)"),
        (np.full((3, 12), 200), "input vector 0, column 0 must be in -128..127, not 200"),
        (np.zeros(12), "x.npy must hold vectors, shape (B, ...), not (12,)"),
    ],
)
def test_wrong_vectors_are_refused(image, tmp_path, values, message):
    np.save(tmp_path / "x.npy", values)
    assert refused("simulate", image, "--vectors", tmp_path / "x.npy").endswith(message)


def test_a_missing_simulator_is_told_in_one_line(image, monkeypatch):
    def missing(name):
        raise ToolMissingError("Icarus Verilog is missing: install it")

    monkeypatch.setattr(darb.hw.simulation, "find_simulator", missing)
    message = refused("simulate", image, "--simulator", "icarus")
    assert message == "Icarus Verilog is missing: install it"


def test_what_is_no_image_is_refused(tmp_path):
    assert refused("simulate", tmp_path).startswith("image.json: the image must hold this file")
    assert "'--simulator'" in refused("simulate", tmp_path, "--simulator", "vcs")
