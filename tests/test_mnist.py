"""The main job on MNIST: what the README says of it, on fewer vectors."""

import json
import os

import pytest
from documents import run_shell

from darb.golden import EngineModel, read_image

pytestmark = [pytest.mark.mnist, pytest.mark.slow]

VECTORS = 300


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    directory = tmp_path_factory.mktemp("mnist")
    data = os.environ["DARB_MNIST_DIR"]
    run_shell(f"darb demo --data mnist --data-dir {data} --vectors {VECTORS} --out out", directory)
    return directory / "out"


def test_lenet_at_one_in_sixteen_on_32_multipliers(demo):
    summary = json.loads((demo / "summary.json").read_text())
    assert summary["vectors"] == VECTORS
    assert summary["mismatches"] == summary["cycle_mismatches"] == 0
    assert summary["multipliers"] == 32
    assert summary["pruning_ratio"] >= 16
    assert summary["accuracy_dense"] >= 0.982
    assert summary["accuracy_integer"] >= 0.980
    assert summary["utilisation"] >= 0.85
    ideal = 8 + summary["mean_index_bits"]
    assert summary["bits_per_stored_weight"] <= 1.05 * ideal


def test_the_parts_of_the_image_add_up(demo):
    layers = EngineModel(read_image(demo / "image")).layers
    summary = json.loads((demo / "summary.json").read_text())
    assert sum(layer.stored_weights() for layer in layers) == summary["stored_weights"]


@pytest.mark.icarus
def test_the_same_image_is_exact_on_icarus(demo, tmp_path):
    screen = run_shell(f"darb simulate {demo / 'image'} --simulator icarus", tmp_path)
    assert "Every output and every cycle equals the golden model's." in screen
