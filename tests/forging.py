"""Images changed on purpose, with every checksum made right again."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from darb.golden import Image, IntegerNetwork, fit_config, pack, write_image
from darb.golden.bitfields import pack_struct, unpack_struct
from darb.golden.image import digest_words
from darb.golden.manifest import spell
from darb.golden.memory_map import HEADER, HEADER_WORDS, SECTION, row_layout


def with_memory(image: Image, name: str, words: np.ndarray) -> Image:
    """Return `image` with other words in one memory, its digest made to fit."""
    memories = {**image.memories, name: words.copy()}
    memories["layers"] = memories["layers"].copy()
    memories["layers"][0] = digest_words(image.config, memories)
    return dataclasses.replace(image, memories=memories)


def with_field(image: Image, name: str, word: int, **fields: int) -> Image:
    """Return `image` with fields of one word of ``rows`` or ``layers`` set anew."""
    if name == "rows":
        layout = row_layout(image.config)
    else:
        layout = HEADER if word < HEADER_WORDS else SECTION
    words = image.memories[name].copy()
    values = {
        key: int(value[0]) for key, value in unpack_struct(layout, words[word : word + 1]).items()
    }
    assert all(0 <= value < 1 << layout[key] for key, value in fields.items())
    values |= fields
    words[word] = pack_struct(layout, {key: [value] for key, value in values.items()})[0]
    return with_memory(image, name, words)


def edit_manifest(directory: Path, change: Callable[[dict], object]) -> None:
    """Change image.json in place and make its checksum right."""
    path = directory / "image.json"
    manifest = json.loads(path.read_bytes())
    change(manifest)
    path.write_bytes(spell(manifest))


def replace_file(directory: Path, name: str, content: bytes) -> None:
    """Replace a file of the image and the manifest's record of it."""
    (directory / name).write_bytes(content)
    record = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    edit_manifest(directory, lambda manifest: manifest["files"].update({name: record}))


def write_packed(network: IntegerNetwork, directory: Path, lanes=2, rows=2, **options) -> Image:
    image = pack(network, fit_config(network, lanes=lanes, rows=rows))
    write_image(image, directory, **options)
    return image
