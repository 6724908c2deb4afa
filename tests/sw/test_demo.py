import dataclasses
import json
import re

import pytest
import torch
from cli_runner import refused, run
from matplotlib.image import imread

import darb.sw.demo
from darb.hw.simulators import ToolMissingError
from darb.sw.demo import run_demo
from darb.sw.demo_settings import DemoSettings
from darb.sw.inspection import inspect_image
from darb.sw.recipe import RECIPES

SHORT = dataclasses.replace(RECIPES["digits"], dense_epochs=4, pruned_epochs=6)
VECTORS = 12


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A short demo: its directory, its table, its progress."""
    out = tmp_path_factory.mktemp("demo") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(RECIPES, "digits", SHORT)
        result = run("demo", "--vectors", VECTORS, "--out", out)
    assert result.exit_code == 0, result.output
    return out, result


def test_every_output_and_cycle_is_exact(finished):
    summary = json.loads((finished[0] / "summary.json").read_text())
    assert summary["vectors"] == VECTORS
    assert summary["mismatches"] == summary["cycle_mismatches"] == 0
    assert summary["interval_cycles"] == summary["predicted_interval_cycles"]
    assert summary["cycles_per_vector"] >= summary["stored_weights"] / summary["multipliers"]


def test_the_summary_says_what_was_built(finished):
    out = finished[0]
    summary = json.loads((out / "summary.json").read_text())
    report = inspect_image(out / "image")
    assert summary["digest"] == report.digest
    assert summary["image_bits"] == report.image_bits
    assert summary["pruning_ratio"] == report.pruning_ratio >= 16
    assert summary["effective_ratio"] == report.effective_ratio >= 15.5
    chances = summary["multipliers"] * summary["interval_cycles"]
    assert summary["utilisation"] == summary["stored_weights"] / chances > 0.85
    assert summary["utilisation_predicted"] == report.utilisation_steady
    assert summary["multipliers"] == summary["lanes"] * summary["rows"] <= 8
    assert summary["seed"] == 0
    assert 0.5 < summary["accuracy_integer"] <= 1
    assert abs(summary["accuracy_integer"] - summary["accuracy_pruned"]) < 0.05
    assert summary["accuracy_dense"] > 0.8
    assert list(summary["seconds"]) == [
        *("train", "fold", "prune", "quantise", "pack", "generate", "simulate", "compare")
    ]


def test_everything_is_written(finished):
    out, result = finished
    assert {path.name for path in out.iterdir()} == {
        *("image", "build", "simulation"),
        *("checkpoint.pt", "pattern.png", "summary.json"),
    }
    assert imread(out / "pattern.png").std() > 0.05
    assert (out / "build" / "engine.v").is_file()
    assert report_lines(result.stdout) >= 15
    assert f"darb simulate {out / 'image'} --waves" in result.stdout
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def report_lines(stdout):
    return sum(line.startswith("│") for line in stdout.splitlines())


def test_progress_tells_every_stage_once(finished):
    stages = [line.split()[0] for line in finished[1].stderr.splitlines()]
    assert stages == [
        *("train", "fold", "prune", "quantise", "pack", "generate", "simulate", "compare")
    ]


class Stop(Exception):
    pass


@pytest.fixture
def stopped_after_training(monkeypatch):
    """Stop the demo when it is about to retrain; keeps the dense network."""
    seen = {}

    def stop(dense, data, config, **settings):
        seen.update(dense=dense, config=config)
        raise Stop

    monkeypatch.setattr(darb.sw.demo, "prune_and_retrain", stop)
    return seen


def test_a_checkpoint_replaces_training(finished, stopped_after_training, monkeypatch, tmp_path):
    monkeypatch.setattr(darb.sw.demo, "train_dense", lambda *_, **__: pytest.fail("trained"))
    checkpoint = finished[0] / "checkpoint.pt"
    with pytest.raises(Stop):
        run_demo(DemoSettings(checkpoint=checkpoint, lanes=4, rows=1), tmp_path / "out")
    saved = torch.load(checkpoint, weights_only=True)["dense"]
    for name, tensor in stopped_after_training["dense"].state_dict().items():
        assert torch.equal(tensor, saved[name])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("settings", "lanes", "rows"),
    [
        ({"lanes": 2, "rows": 2}, 2, 2),
        ({"rows": 4}, 2, 4),
        ({"multipliers": 4, "order": "natural", "saliency": "magnitude"}, 4, 1),
    ],
)
def test_settings_reach_the_pruner(
    finished, stopped_after_training, tmp_path, settings, lanes, rows
):
    wanted = DemoSettings(checkpoint=finished[0] / "checkpoint.pt", ratio=8.0, seed=3, **settings)
    with pytest.raises(Stop):
        run_demo(wanted, tmp_path / "out")
    config = stopped_after_training["config"]
    assert (config.lanes, config.rows, config.ratio, config.seed) == (lanes, rows, 8.0, 3)
    assert config.order == settings.get("order", "spread")
    assert config.saliency == settings.get("saliency", "activation")


@pytest.fixture
def no_training(monkeypatch):
    monkeypatch.setattr(darb.sw.demo, "train_dense", lambda *_, **__: pytest.fail("trained"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--data", "mnist"], "data_dir must name the directory of the idx files for mnist"),
        (["--data", "mnist", "--data-dir", "."], ". must hold train-images-idx3-ubyte or"),
        (["--ratio", "0.5"], "ratio must be finite and at least 1, not 0.5"),
        (["--ratio", "1000"], "ratio must be in reach of blocks of at most 64 columns, not 1000.0"),
        (["--lanes", "0"], "lanes must be in 1..256, not 0"),
        (["--lanes", "100000"], "lanes must be in 1..256, not 100000"),
        (["--data-dir", "."], "data_dir must be left out for digits, not '.'"),
        (["--seed", str(1 << 63)], f"seed must be in 0..{(1 << 63) - 1}, not {1 << 63}"),
        (["--lanes", "3"], "lanes must be a power of two, not 3"),
        (["--lanes", "8", "--rows", "2", "--multipliers", "8"], "multipliers must be at least 16"),
        (["--vectors", "0"], "vectors must be at least 1, not 0"),
        (["--vectors", "451"], "vectors must be at most the 450 of the test part, not 451"),
        (["--seed", "-1"], "seed must be in 0..9223372036854775807, not -1"),
        (["--checkpoint", "none.pt"], "none.pt must be a checkpoint file"),
    ],
)
def test_refusals_come_before_training_and_write_nothing(
    tmp_path, monkeypatch, no_training, options, message
):
    monkeypatch.chdir(tmp_path)
    assert refused("demo", "--out", tmp_path / "out", *options).startswith(message)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_simulator_is_told_before_training(tmp_path, monkeypatch, no_training):
    def missing(name):
        raise ToolMissingError(f"{name} is missing: install it")

    monkeypatch.setattr(darb.sw.demo, "find_simulator", missing)
    told = refused("demo", "--simulator", "icarus", "--out", tmp_path / "out")
    assert told == "icarus is missing: install it"
    assert list(tmp_path.iterdir()) == []


def test_a_directory_of_the_users_is_left_alone(tmp_path, no_training):
    (tmp_path / "precious.txt").write_text("mine")
    told = refused("demo", "--out", tmp_path)
    assert told.startswith(f"output {tmp_path} must be a new directory, an empty one or one that")
    assert [path.name for path in tmp_path.iterdir()] == ["precious.txt"]


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"data": "cifar"}, ValueError, "data must be one of digits, mnist, not 'cifar'"),
        ({"simulator": "vcs"}, ValueError, "simulator must be one of verilator, icarus, not 'vcs'"),
        (
            {"order": "sorted"},
            ValueError,
            "order must be one of natural, spread, searched, not 'sorted'",
        ),
        ({"saliency": 1}, TypeError, "saliency must be a str, not 1"),
        ({"rows": 1.5}, TypeError, "rows must be an int, not 1.5"),
        ({"seed": None}, TypeError, "seed must be an int, not None"),
    ],
)
def test_settings_are_validated(settings, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        DemoSettings(**settings)
