import json
import re

import numpy as np
import pytest
from cli_runner import refused, run
from random_networks import random_network

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


def test_something_else_is_refused(tmp_path):
    message = refused("inspect", tmp_path / "none")
    assert message == f"{tmp_path / 'none'} must be an image directory, but it is no directory"
    assert re.match(r"image\.json: the image must hold this file", refused("inspect", tmp_path))
