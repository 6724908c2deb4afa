"""Verilog: one plain file for a config, and beside it the memories of an image."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

from amaranth.back import verilog
from amaranth.lib.wiring import In

from darb.golden.bitfields import to_hex
from darb.golden.config import EngineConfig
from darb.golden.image import Image
from darb.golden.image_file import read_image
from darb.golden.memory_map import MEMORIES, memory_shapes
from darb.golden.output_directory import replaced_directory
from darb.hw.axi_engine import AxiEngine, axi_engine_ports
from darb.hw.axi_lite_registers import ERRORS, REGISTERS, STATUS
from darb.hw.memory import VerilogTarget

TOP = "darb_engine"
VERILOG = "engine.v"
PORTS = "ports.json"
ENGINE_FILES = (
    VERILOG,
    PORTS,
    *(f"{name}.mem" for name in MEMORIES),
    *("sim_build/", "__pycache__/", "verilator.vlt", "build.log", "run.log", "results.xml"),
    *("job.json", "stimulus.npy", "observations.npz", "progress", "dump.vcd"),
)
"""What `generate` writes and what simulation leaves beside it."""


def generate_verilog(config: EngineConfig) -> str:
    """Return the Verilog-2001 of an engine; the same config gives the same text.

    The module `darb_engine` reads weights.mem, indices.mem, rows.mem and layers.mem with
    $readmemh, so that new weights of the same config need no new Verilog.

    Parameters
    ----------
    config : EngineConfig
    """
    text = verilog.convert(
        AxiEngine(config=config),
        name=TOP,
        platform=VerilogTarget(),
        emit_src=False,
        strip_internal_attrs=True,
    )
    memories = resources.files("darb.hw").joinpath("memories.v").read_text()
    return f"{memories}\n{text}"


def port_manifest(image: Image) -> dict:
    """Return what a person who instantiates the engine needs to know, as JSON values."""
    config = image.config
    segments = image.layers[0].segments(config.lanes)
    return {
        "top": TOP,
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


def generate(image_directory: str | Path, output: str | Path) -> Path:
    """Write engine.v, ports.json and the image's .mem files, all or none.

    Parameters
    ----------
    image_directory : path
        Of `darb.golden.write_image`; verified first.
    output : path
        New, empty, or an earlier output, which is replaced.

    Returns
    -------
    Path
        `output`.

    Raises
    ------
    ImageError
        If the image is damaged.
    ValueError
        If `output` holds something else.
    """
    output = Path(output)
    image = read_image(image_directory)
    shapes = memory_shapes(image.config)
    with replaced_directory(output, VERILOG, ENGINE_FILES) as fresh:
        (fresh / VERILOG).write_text(generate_verilog(image.config))
        (fresh / PORTS).write_text(json.dumps(port_manifest(image), indent=1) + "\n")
        # From what was verified: the file may have changed since it was read.
        for name, words in image.memories.items():
            (fresh / f"{name}.mem").write_bytes(to_hex(words, shapes[name][1]))
    return output
