"""The registers of generated Verilog on both simulators: every address, read and written."""

import json

import numpy as np
import pytest
from random_networks import random_network
from register_values import of_another_version, registers_job

from darb.golden import Storage, fit_config, pack, write_image
from darb.golden.bitfields import to_hex
from darb.golden.memory_map import LAYER_WORD_BITS
from darb.hw import generate
from darb.hw.cocotb_runner import build, run_cocotb
from darb.hw.simulators import find_simulator

SIMULATORS = ["verilator", pytest.param("icarus", marks=pytest.mark.icarus)]


@pytest.mark.parametrize("simulator", SIMULATORS)
@pytest.mark.parametrize("kind", [*Storage, "another version"])
def test_every_address_answers_as_the_map_says(simulator, kind, tmp_path):
    network = random_network(np.random.default_rng(71), [7, 4], ks=(1,), lanes=2)
    image = pack(network, fit_config(network, lanes=2, rows=1))
    write_image(image, tmp_path / "image")
    storage = kind if kind in set(Storage) else Storage.ROM
    directory = generate(tmp_path / "image", tmp_path / "build", storage=storage)
    if kind == "another version":
        image = of_another_version(image)
        text = to_hex(image.memories["layers"], LAYER_WORD_BITS)
        (directory / "layers.mem").write_bytes(text)
    job = registers_job(image.config, image if storage is Storage.ROM else None)
    (tmp_path / "job.json").write_text(json.dumps(job))
    tool = find_simulator(simulator)
    build(directory, tool)
    with tool.active():
        run_cocotb(
            directory,
            tool,
            module="cocotbext_registers_bench",
            environment={"REGISTERS_JOB": str(tmp_path / "job.json")},
        )
