"""Verilog: one plain file for a config, and beside it the memories of an image."""

from __future__ import annotations

import gc
import json
import re
from importlib import resources
from pathlib import Path

from amaranth.back import verilog
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from darb.golden.bitfields import to_hex
from darb.golden.config import EngineConfig
from darb.golden.image import Image
from darb.golden.image_file import read_image
from darb.golden.loading import writes_a_word
from darb.golden.memory_check import check_requests, memory_crcs
from darb.golden.memory_map import MEMORIES, memory_shapes
from darb.golden.output_directory import replaced_directory
from darb.golden.register_map import (
    CHECK_REGISTERS,
    CONTROL,
    ERRORS,
    LOAD_MEMORY,
    LOAD_MEMORY_SHIFT,
    REGISTERS,
    STATUS,
    Storage,
)
from darb.hw.axi_engine import AxiEngine, axi_engine_ports
from darb.hw.memory import VerilogTarget

TOP = "darb_engine"
VERILOG = "engine.v"
PORTS = "ports.json"
ENGINE_FILES = (
    VERILOG,
    PORTS,
    *(f"{name}.mem" for name in MEMORIES),
    *("sim_build/", "__pycache__/", "verilator.vlt", "build.log", "run.log", "results.xml"),
    *("netlist.v", "cells.v", "synthesis.log", "registers.log", "netlist.log", "cells.log"),
    *("job.json", "progress", "dump.vcd", "stimulus_*.npy", "load_*.npy", "observations_*.npz"),
)
"""What `generate` writes and what simulation leaves beside it."""
_MODULE = re.compile(r"(?://.*\n)*module (\w+)[\s\S]*?\nendmodule\n")
_RECIPE = (
    "write 1 to control: the engine stops and takes nothing",
    f"for each memory: write its number * 2**{LOAD_MEMORY_SHIFT} to load_place",
    "write the memory's words to load_data, word 0 first, 32 bits a write, lowest bits first",
    "write 0 to control: the engine starts with what was loaded",
)
_CHECK_RECIPE = (
    "write 1 to control: the engine stops and takes nothing",
    f"write a memory's number * 2**{LOAD_MEMORY_SHIFT} plus its words to check",
    "read check until it is 0, then the CRC-32 from check_crc",
    "write 0 to control: the engine starts again",
)


def generate_verilog(
    config: EngineConfig, storage: Storage = Storage.ROM, *, memory_check: bool = False
) -> str:
    """Return the Verilog-2001 of an engine; the same arguments give the same text.

    With storage `rom` the module `darb_engine` reads weights.mem, indices.mem, rows.mem and
    layers.mem with $readmemh, so that new weights of the same config need no new Verilog; with
    `ram` it reads no file, and new weights need no new bitstream.

    Parameters
    ----------
    config : EngineConfig
    storage : Storage
    memory_check : bool
        The engine can be asked for the CRC of its memories; see `MemoryChecker`.

    Raises
    ------
    TypeError
        If `config` is no `EngineConfig`, `storage` no `Storage`, or `memory_check` no bool.
    """
    return component_verilog(
        AxiEngine(config=config, storage=storage, memory_check=memory_check), TOP
    )


def component_verilog(component: wiring.Component, name: str) -> str:
    """Return a component's Verilog as module `name`, behind the memory modules that it uses."""
    collecting = gc.isenabled()
    # A netlist is millions of small objects that all stay: looking for garbage among them takes a
    # third of the time and finds none.
    gc.disable()
    try:
        text = verilog.convert(
            component,
            name=name,
            platform=VerilogTarget(),
            emit_src=False,
            strip_internal_attrs=True,
        )
    finally:
        if collecting:
            gc.enable()
    memories = resources.files("darb.hw").joinpath("memories.v").read_text()
    used = [found[0] for found in _MODULE.finditer(memories) if found[1] in text]
    return "\n".join([*used, text])


def port_manifest(
    image: Image, storage: Storage = Storage.ROM, *, memory_check: bool = False
) -> dict:
    """Return what a person who instantiates the engine needs to know, as JSON values."""
    config = image.config
    segments = image.layers[0].segments(config.lanes)
    manifest = {
        "top": TOP,
        "storage": storage.value,
        "config": config.to_dict(),
        "digest": image.digest,
        "ports": [
            {
                "name": name,
                "direction": "input" if member.flow is In else "output",
                "width": member.shape,
            }
            for name, member in axi_engine_ports(config).items()
        ],
        "memories": {
            f"{name}.mem": {"words": depth, "width": width}
            for name, (depth, width) in memory_shapes(config).items()
        },
        "input": {
            "beats_a_vector": segments.length,
            "bytes_a_beat": config.lanes,
            "order": image.layers[0].order.tolist(),
        },
        "output": {"mode": config.output_mode.value, "rows": image.layers[-1].rows},
        "registers": {name: f"0x{address:02x}" for name, address in REGISTERS.items()},
        "status_bits": STATUS,
        "error_bits": ERRORS,
    }
    if memory_check or storage is Storage.RAM:
        manifest["control_bits"] = CONTROL
    if memory_check:
        crcs = memory_crcs(image)
        manifest["registers"] |= {
            name: f"0x{address:02x}" for name, address in CHECK_REGISTERS.items()
        }
        manifest["checking"] = {
            "memories": {
                name: {"request": f"0x{request:08x}", "crc": f"0x{crcs[name]:08x}"}
                for name, request in check_requests(image).items()
            },
            "recipe": list(_CHECK_RECIPE),
        }
    if storage is Storage.RAM:
        manifest["loading"] = {
            "memories": {
                name: {"number": LOAD_MEMORY[name], "writes_a_word": writes_a_word(width)}
                for name, (_, width) in memory_shapes(config).items()
            },
            "recipe": list(_RECIPE),
        }
    return manifest


def generate(
    image_directory: str | Path,
    output: str | Path,
    *,
    storage: Storage = Storage.ROM,
    memory_check: bool = False,
) -> Path:
    """Write engine.v, ports.json and, with storage `rom`, the image's .mem files, all or none.

    Parameters
    ----------
    image_directory : path
        Of `darb.golden.write_image`; verified first.
    output : path
        New, empty, or an earlier output, which is replaced.
    storage : Storage
        With `ram` the engine has the image's config, and room for any other that fits it.
    memory_check : bool
        See `generate_verilog`; ports.json then holds the CRC of each of the image's memories.

    Returns
    -------
    Path
        `output`.

    Raises
    ------
    ImageError
        If the image is damaged.
    TypeError
        If `storage` is no `Storage`, or `memory_check` no bool.
    ValueError
        If `output` holds something else.
    """
    output = Path(output)
    image = read_image(image_directory)
    shapes = memory_shapes(image.config)
    with replaced_directory(output, VERILOG, ENGINE_FILES) as fresh:
        (fresh / VERILOG).write_text(
            generate_verilog(image.config, storage, memory_check=memory_check)
        )
        manifest = port_manifest(image, storage, memory_check=memory_check)
        (fresh / PORTS).write_text(json.dumps(manifest, indent=1) + "\n")
        if storage is Storage.ROM:
            # From what was verified: the file may have changed since it was read.
            for name, words in image.memories.items():
                (fresh / f"{name}.mem").write_bytes(to_hex(words, shapes[name][1]))
    return output
