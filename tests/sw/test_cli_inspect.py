import json
import os
import re

import numpy as np
import pytest
from cli_runner import refused, run
from forging import edit_manifest, replace_file
from random_networks import random_network

from darb.golden.vector_file import spell_vectors
from darb.sw.exporting import export


@pytest.fixture
def image(tmp_path):
    network = random_network(np.random.default_rng(1), (24, 16, 6), ks=(0, 2))
    return export(network, tmp_path / "image", lanes=4, rows=2, formats=("coe", "mif", "bin"))


def test_json_and_tables_tell_the_same(image):
    told = run("inspect", image, "--json")
    assert told.exit_code == 0
    report = json.loads(told.stdout)
    assert report["vectors"] == 16
    shown = run("inspect", image).stdout
    assert report["digest"] in shown
    for expected in ("fc0", "16x24", "1 of 4", f"{report['image_bits']:,}"):
        assert expected in shown
    assert f"{report['cycles']:,}" in shown
    assert f"{report['pruning_ratio']:.2f}" in shown
    assert f"darb generate {image} -o build/" in shown


@pytest.mark.parametrize("seed", range(4))
def test_a_flipped_bit_in_any_file_is_refused_with_the_file(image, seed):
    rng = np.random.default_rng(seed)
    files = sorted(image.iterdir())
    assert len(files) == 18
    for path in files:
        whole = path.read_bytes()
        damaged = bytearray(whole)
        damaged[int(rng.integers(len(whole)))] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        message = refused("inspect", image)
        path.write_bytes(whole)
        assert message.startswith(path.name), message
    assert run("inspect", image).exit_code == 0


def test_a_missing_file_is_refused(image):
    (image / "rows.mem").unlink()
    assert refused("inspect", image).startswith("rows.mem: the image must hold this file")


def empty(path):
    path.write_bytes(b"")


def cut_short(path):
    path.write_bytes(path.read_bytes()[:-1])


def grown(path):
    os.truncate(path, 1 << 40)


def binary(path):
    path.write_bytes(bytes(range(256)) * 40)


def linked(path):
    path.rename(path.parent.parent / "elsewhere")
    path.symlink_to("../elsewhere")


def a_directory(path):
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("fault", [empty, cut_short, grown, binary, linked, a_directory])
def test_a_file_that_cannot_be_is_told_in_one_line(image, fault):
    """`refused` sees to it that there is one line, and no traceback."""
    for path in sorted(image.iterdir()):
        whole = path.read_bytes()
        fault(path)
        message = refused("inspect", image)
        assert message.startswith(f"{path.name}: "), message
        assert len(message) < 400
        if path.is_dir():
            path.rmdir()
        else:
            path.unlink()
        path.write_bytes(whole)
    assert run("inspect", image).exit_code == 0


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda m: m.update(version=2), "image.json: version must be 1, not 2; export the network"),
        (lambda m: m.update(input_scale=float("nan")), "image.json: input_scale must be a finite"),
        (lambda m: m["config"].update(lanes=10**4000), "image.json: lanes must be in 1..256, not"),
        (lambda m: m["config"].update(weight_depth=1 << 40), "image.json: weight_depth must be in"),
        (lambda m: m["config"].update({"\x1b[2J": 0}), "image.json: config field \\x1b[2J is unk"),
        (lambda m: m["files"].update({"/etc/passwd": {}}), "image.json: files must be named as an"),
        (lambda m: m["files"].pop("rows.coe"), "rows.coe: must be listed in image.json, or not"),
        (
            lambda m: m["files"]["rows.mem"].update(bytes=1 << 40),
            "rows.mem: must hold 24 words of 15 digits (384 bytes), not 1099511627776 bytes",
        ),
    ],
)
def test_a_forged_manifest_is_told_in_one_line(image, change, text):
    edit_manifest(image, change)
    assert refused("inspect", image).startswith(text)


@pytest.mark.parametrize(
    ("arrays", "text"),
    [
        ({"inputs": np.zeros((2, 5), int)}, "input vectors must have shape (B, 24), not (2, 5)"),
        ({"inputs": np.full((1, 24), 200)}, "input vector 0, column 0 must be in -128..127, not"),
        ({"inputs": np.zeros((1, 24), int)}, "must hold outputs, but has ['inputs']"),
        (
            {"inputs": np.zeros((0, 24), int), "outputs": np.zeros((0, 5), int), "cycles": []},
            "outputs must have shape (0, 6), not (0, 5)",
        ),
    ],
)
def test_vectors_of_something_else_are_told_in_one_line(image, arrays, text):
    arrays = {name: np.asarray(array, dtype=np.int64) for name, array in arrays.items()}
    replace_file(image, "vectors.npz", spell_vectors(arrays))
    assert refused("inspect", image).startswith(f"vectors.npz: {text}")


def test_no_vectors_at_all_are_right(image):
    arrays = {"inputs": np.zeros((0, 24), int), "outputs": np.zeros((0, 6), int)}
    arrays["cycles"] = np.zeros(0, int)
    replace_file(image, "vectors.npz", spell_vectors(arrays))
    assert json.loads(run("inspect", image, "--json").stdout)["vectors"] == 0


def test_something_else_is_refused(tmp_path):
    message = refused("inspect", tmp_path / "none")
    assert message == f"{tmp_path / 'none'} must be an image directory, but it is no directory"
    assert re.match(r"image\.json: the image must hold this file", refused("inspect", tmp_path))
