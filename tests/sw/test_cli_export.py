import json

import numpy as np
import pytest
import torch
from cli_runner import refused, run
from torch import nn

from darb.golden import EngineModel, read_image, read_vectors
from darb.sw.inspection import inspect_image


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A saved network, its calibration data and the network itself."""
    directory = tmp_path_factory.mktemp("model")
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(32, 24), nn.ReLU(), nn.Dropout(0.1), nn.Linear(24, 5)
    ).eval()
    torch.export.save(torch.export.export(model, (torch.zeros(1, 4, 8),)), directory / "m.pt2")
    np.save(directory / "x.npy", np.random.default_rng(0).random((200, 4, 8), dtype=np.float32))
    return directory / "m.pt2", directory / "x.npy", model


def export(files, output, *options):
    return run("export", files[0], "--calibration", files[1], "-o", output, *options)


def test_the_image_computes_nearly_what_the_network_does(files, tmp_path):
    result = export(files, tmp_path / "image")
    assert result.exit_code == 0, result.output
    image = read_image(tmp_path / "image")
    inputs = read_vectors(tmp_path / "image")["inputs"]
    exact = files[2](torch.as_tensor(np.load(files[1])[:16])).detach().numpy()
    computed = EngineModel(image).run(inputs) * np.array(image.output_scales)
    assert np.abs(computed - exact).max() < 0.03 * np.abs(exact).max()
    report = inspect_image(tmp_path / "image")
    assert report.pruning_ratio == 1
    assert report.multipliers <= 32
    assert f"{report.stored:,} of {report.weights:,} weights" in result.stdout
    for line in ("darb inspect", "darb generate", "darb simulate"):
        assert f"  {line} {tmp_path / 'image'}" in result.stdout


def test_every_option_reaches_the_image(files, tmp_path):
    options = ["--lanes", 4, "--rows", 2, "--weight-bits", 4, "--activation-bits", 6]
    options += ["--formats", "coe, bin", "--output-mode", "argmax", "--ratio", 4]
    result = export(files, tmp_path / "image", *options)
    assert result.exit_code == 0, result.output
    config = read_image(tmp_path / "image").config
    assert (config.lanes, config.rows, config.weight_bits, config.activation_bits) == (4, 2, 4, 6)
    assert config.output_mode == "argmax"
    assert (tmp_path / "image" / "weights.coe").is_file()
    assert (tmp_path / "image" / "rows.bin").is_file()
    assert not (tmp_path / "image" / "weights.mif").exists()
    assert inspect_image(tmp_path / "image").effective_ratio >= 4


def test_the_shape_is_searched_within_the_multipliers(files, tmp_path):
    for options in (["--multipliers", 4], ["--multipliers", 4, "--rows", 2, "--ratio", 2]):
        assert export(files, tmp_path / "image", *options).exit_code == 0
        assert inspect_image(tmp_path / "image").multipliers <= 4
    assert read_image(tmp_path / "image").config.rows == 2


def test_like_takes_the_config_of_another_image(files, tmp_path):
    options = ["--lanes", 2, "--rows", 2, "--ratio", 3, "--room", 1.5]
    assert export(files, tmp_path / "first", *options).exit_code == 0
    result = export(files, tmp_path / "second", "--like", tmp_path / "first", "--ratio", 4)
    assert result.exit_code == 0, result.output
    first, second = (read_image(tmp_path / name) for name in ("first", "second"))
    assert first.config == second.config
    assert first.digest != second.digest
    message = refused(
        *("export", files[0], "--calibration", files[1], "-o", tmp_path / "third"),
        *("--like", tmp_path / "first", "--lanes", 4),
    )
    assert message == "lanes must be 2 as in the image of --like, not 4"
    for options, line in (
        (
            ["--output-mode", "argmax"],
            "output_mode must be accumulators as in the image of --like, not 'argmax'",
        ),
        (
            ["--room", 2],
            "room must be left out with like, whose engine has its own, not 2.0",
        ),
    ):
        message = refused(
            *("export", files[0], "--calibration", files[1], "-o", tmp_path / "third"),
            *("--like", tmp_path / "first", *options),
        )
        assert message == line


def test_the_same_command_writes_the_same_bytes(files, tmp_path):
    for name in ("a", "b"):
        assert export(files, tmp_path / name, "--ratio", 4).exit_code == 0
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--ratio", 0.5], "ratio must be finite and at least 1, not 0.5"),
        (["--weight-bits", 9], "weight_bits must be in 2..8, not 9"),
        (["--activation-bits", 1], "activation_bits must be in 2..8, not 1"),
        (["--lanes", 3], "lanes must be a power of two, not 3"),
        (["--lanes", 100000], "lanes must be in 1..256, not 100000"),
        (["--multipliers", 0], "multipliers must be in 1..16384, not 0"),
        (["--lanes", 8, "--rows", 8, "--multipliers", 9], "multipliers must be at least 64"),
        (["--lanes", 2, "--rows", 1, "--room", 0], "room must be in 1..16, not 0.0"),
        (["--formats", "elf"], "formats must be one of bin, coe, mif, not 'elf'"),
        (["--like", "nothing"], "nothing must be an image directory"),
        (["--output-mode", "floats"], "Invalid value for '--output-mode'"),
    ],
)
def test_wrong_options_are_refused_and_nothing_is_written(files, tmp_path, options, message):
    told = refused("export", files[0], "--calibration", files[1], "-o", tmp_path / "i", *options)
    assert told.startswith(message)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            np.zeros((4, 31)),
            "calibration vectors must have 32 values, as the network takes, not 31",
        ),
        (np.full((4, 32), np.nan), "vector 0 must be finite"),
        (np.array("text"), "must hold integers or real numbers"),
    ],
)
def test_wrong_calibration_is_refused(files, tmp_path, values, message):
    np.save(tmp_path / "x.npy", values)
    told = refused(
        "export", files[0], "--calibration", tmp_path / "x.npy", "-o", tmp_path / "image"
    )
    assert told.startswith(f"{tmp_path / 'x.npy'}")
    assert message in told
    assert [path.name for path in tmp_path.iterdir()] == ["x.npy"]


def test_an_unsupported_operator_is_refused_before_the_calibration_is_read(tmp_path):
    model = nn.Sequential(nn.Linear(4, 4), nn.Sigmoid())
    torch.export.save(torch.export.export(model, (torch.zeros(1, 4),)), tmp_path / "m.pt2")
    told = refused(
        "export", tmp_path / "m.pt2", "--calibration", tmp_path / "none.npy", "-o", tmp_path / "i"
    )
    assert told.startswith(
        f"{tmp_path / 'm.pt2'}: layer 1 (Sigmoid), operator aten.sigmoid.default: must be Linear"
    )
    assert not (tmp_path / "i").exists()


def test_files_that_are_not_there_are_refused(files, tmp_path):
    told = refused("export", tmp_path / "m.pt2", "--calibration", files[1], "-o", tmp_path / "i")
    assert told == f"{tmp_path / 'm.pt2'} must be a file saved with torch.export.save"
    told = refused("export", files[0], "--calibration", tmp_path / "x.npy", "-o", tmp_path / "i")
    assert told == f"{tmp_path / 'x.npy'} must be a .npy file"


def test_a_directory_of_the_users_is_left_alone(files, tmp_path):
    (tmp_path / "precious.txt").write_text("mine")
    told = refused("export", files[0], "--calibration", files[1], "-o", tmp_path)
    assert "must be a new directory, an empty one or one that holds image.json" in told
    assert [path.name for path in tmp_path.iterdir()] == ["precious.txt"]


def test_an_image_is_replaced_whole(files, tmp_path):
    assert export(files, tmp_path / "i", "--formats", "mif").exit_code == 0
    assert export(files, tmp_path / "i", "--ratio", 4).exit_code == 0
    assert not (tmp_path / "i" / "rows.mif").exists()
    assert json.loads((tmp_path / "i" / "image.json").read_text())["format"] == "darb image"
    assert [path.name for path in tmp_path.iterdir()] == ["i"]
