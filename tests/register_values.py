"""What every register of an engine reads that has run nothing yet."""

from __future__ import annotations

import dataclasses

from darb.golden import EngineConfig, Image, Storage
from darb.golden.memory_map import FORMAT_VERSION, HEADER
from darb.golden.register_map import STATUS, constant_registers


def of_another_version(image: Image) -> Image:
    """Return an image whose header tells a format version that there is not yet."""
    layers = image.memories["layers"].copy()
    layers[1, 0] = FORMAT_VERSION + 1
    return dataclasses.replace(image, memories={**image.memories, "layers": layers})


def registers_job(config: EngineConfig, image: Image | None = None) -> dict:
    """Return the job of `cocotbext_registers_bench`: storage `ram` is without an image."""
    storage = Storage.RAM if image is None else Storage.ROM
    values = {**constant_registers(config, storage), "status": 1 << STATUS["booted"]}
    job = {"ram": image is None, "runs": False, "beat": config.lanes, "beats": 1, "values": values}
    if image is not None:
        digest, header = (
            int.from_bytes(word.tobytes(), "little") for word in image.memories["layers"][:2]
        )
        fields, place = {}, 0
        for name, width in HEADER.items():
            fields[name] = header >> place & (1 << width) - 1
            place += width
        job["runs"] = fields["version"] == FORMAT_VERSION
        job["beats"] = fields["input_beats"]
        values |= {f"digest_{n}": digest >> 32 * n & 0xFFFFFFFF for n in range(3)}
        values |= {name: fields[name] for name in ("input_beats", "outputs")}
    if not job["runs"]:
        values["status"] |= 1 << STATUS["version_differs"]
    return job
