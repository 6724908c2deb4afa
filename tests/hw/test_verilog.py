import json
import re
import shutil
import subprocess

import numpy as np
import pytest
from configs import small_config
from random_networks import random_network

from darb.golden import ImageError, OutputMode, fit_config, pack, write_image
from darb.hw import generate, generate_verilog
from darb.hw.axi_lite_registers import REGISTERS
from darb.hw.verilog import TOP

CONFIGS = {
    "typical": small_config(),
    "smallest": small_config(
        lanes=1, rows=1, max_k=0, input_depth=1, hidden_depth=1, output_depth=1
    ),
    "narrow": small_config(weight_bits=2, activation_bits=4, output_mode=OutputMode.ACTIVATIONS),
    "argmax": small_config(lanes=8, rows=1, output_mode=OutputMode.ARGMAX),
}


@pytest.fixture
def image_directory(tmp_path):
    network = random_network(np.random.default_rng(4), [11, 7, 3])
    image = pack(network, fit_config(network, lanes=2, rows=2))
    return write_image(image, tmp_path / "image")


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_verilog_is_reproducible_and_holds_no_weights_and_no_paths(config):
    text = generate_verilog(config)
    assert text == generate_verilog(config)
    assert sorted(set(re.findall(r"\.FILE\(\"([^\"]+)\"\)", text))) == [
        "indices.mem",
        "layers.mem",
        "rows.mem",
        "weights.mem",
    ]
    assert "/" not in re.sub(r"//.*|/\*.*?\*/", "", text)
    # A signal of no bits would be one of two in Verilog.
    assert "[-1:0]" not in text


@pytest.mark.icarus
@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_verilog_is_plain_2001_without_a_warning(config, tmp_path):
    (tmp_path / "engine.v").write_text(generate_verilog(config))
    done = subprocess.run(
        ["iverilog", "-g2001", "-Wall", "-s", TOP, "-o", "engine.vvp", "engine.v"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0
    assert [line for line in done.stderr.splitlines() if "timescale" not in line] == []


def test_generate_writes_the_same_bytes_twice(image_directory, tmp_path):
    names = ["engine.v", "indices.mem", "layers.mem", "ports.json", "rows.mem", "weights.mem"]
    for output in ("one", "two"):
        generate(image_directory, tmp_path / output)
    for directory in ("one", "two"):
        assert sorted(path.name for path in (tmp_path / directory).iterdir()) == names
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    for name in ("indices", "layers", "rows", "weights"):
        copy = (tmp_path / "one" / f"{name}.mem").read_bytes()
        assert copy == (image_directory / f"{name}.mem").read_bytes()


def test_port_manifest_names_the_ports_of_the_module(image_directory, tmp_path):
    build = generate(image_directory, tmp_path / "build")
    manifest = json.loads((build / "ports.json").read_text())
    text = (build / "engine.v").read_text()
    module = text[text.index(f"module {TOP}(") :]
    header = module[: module.index(";")]
    names = set(re.findall(r"\w+", header)) - {"module", TOP}
    assert {port["name"] for port in manifest["ports"]} == names
    for port in manifest["ports"]:
        size = f"[{port['width'] - 1}:0] " if port["width"] > 1 else ""
        assert f"  {port['direction']} {size}{port['name']};" in module, port
    assert manifest["registers"] == {name: f"0x{at:02x}" for name, at in REGISTERS.items()}


def test_a_damaged_image_leaves_nothing_behind(image_directory, tmp_path):
    weights = image_directory / "weights.mem"
    flipped = bytearray(weights.read_bytes())
    flipped[0] ^= 1
    weights.write_bytes(flipped)
    with pytest.raises(ImageError, match=r"weights\.mem: checksum does not match"):
        generate(image_directory, tmp_path / "build")
    assert {path.name for path in tmp_path.iterdir()} == {"image"}


def test_an_output_that_holds_something_else_is_kept(image_directory, tmp_path):
    precious = tmp_path / "build"
    precious.mkdir()
    (precious / "thesis.tex").write_text("years of work")
    with pytest.raises(ValueError, match="must be a new directory, an empty one or one that holds"):
        generate(image_directory, precious)
    assert (precious / "thesis.tex").read_text() == "years of work"
    shutil.rmtree(precious)
    generate(image_directory, precious)
    generate(image_directory, precious)
