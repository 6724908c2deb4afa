import json

import numpy as np
import pytest
from cli_runner import refused, run
from random_networks import random_network

from darb.golden import check_requests, memory_crcs, read_image
from darb.sw.exporting import export


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    network = random_network(np.random.default_rng(1), (12, 8, 4), ks=(0, 1))
    return export(network, tmp_path_factory.mktemp("g") / "image", lanes=2, rows=2)


def test_it_writes_the_verilog_and_the_memories(image, tmp_path):
    result = run("generate", image, "-o", tmp_path / "build")
    assert result.exit_code == 0, result.output
    names = {path.name for path in (tmp_path / "build").iterdir()}
    memories = {"weights.mem", "indices.mem", "rows.mem", "layers.mem"}
    assert names == {"engine.v", "ports.json"} | memories
    for name in memories:
        assert (tmp_path / "build" / name).read_bytes() == (image / name).read_bytes()
    assert json.loads((tmp_path / "build" / "ports.json").read_text())["top"] in (
        (tmp_path / "build" / "engine.v").read_text()
    )
    assert f"Next: darb simulate {image}" in result.stdout


def test_storage_ram_writes_no_memories(image, tmp_path):
    result = run("generate", image, "-o", tmp_path / "build", "--storage", "ram")
    assert result.exit_code == 0, result.output
    assert {path.name for path in (tmp_path / "build").iterdir()} == {"engine.v", "ports.json"}
    assert json.loads((tmp_path / "build" / "ports.json").read_text())["storage"] == "ram"
    assert f"Next: darb simulate {image} --storage ram" in result.stdout


@pytest.mark.parametrize("storage", ["rom", "ram"])
def test_an_engine_with_a_memory_check(image, storage, tmp_path):
    result = run(
        *("generate", image, "-o", tmp_path / "build", "--storage", storage, "--memory-check")
    )
    assert result.exit_code == 0, result.output
    told = json.loads((tmp_path / "build" / "ports.json").read_text())
    assert (told["registers"]["check"], told["registers"]["check_crc"]) == ("0x60", "0x64")
    assert told["control_bits"] == {"halt": 0}
    packed = read_image(image)
    assert told["checking"]["memories"] == {
        name: {"request": f"0x{request:08x}", "crc": f"0x{memory_crcs(packed)[name]:08x}"}
        for name, request in check_requests(packed).items()
    }
    assert "memory_checker" in (tmp_path / "build" / "engine.v").read_text()


def test_the_same_image_gives_the_same_bytes(image, tmp_path):
    for name in ("a", "b", "a"):
        assert run("generate", image, "-o", tmp_path / name).exit_code == 0
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_a_damaged_image_is_refused_and_nothing_written(image, tmp_path):
    damaged = tmp_path / "image"
    damaged.mkdir()
    for path in image.iterdir():
        (damaged / path.name).write_bytes(path.read_bytes())
    (damaged / "weights.mem").write_bytes((image / "weights.mem").read_bytes()[:-1])
    assert refused("generate", damaged, "-o", tmp_path / "build").startswith("weights.mem: must be")
    assert [path.name for path in tmp_path.iterdir()] == ["image"]


def test_a_directory_of_the_users_is_left_alone(image, tmp_path):
    (tmp_path / "precious.txt").write_text("mine")
    message = refused("generate", image, "-o", tmp_path)
    assert message.startswith(f"output {tmp_path} must be a new directory, an empty one or one")
    assert [path.name for path in tmp_path.iterdir()] == ["precious.txt"]
