"""Loading: the register writes that bring an image into an engine of storage `ram`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from darb.golden.bitfields import Words
from darb.golden.image import Image
from darb.golden.image_walk import read_layers
from darb.golden.memory_map import HEADER_WORDS, MEMORIES, indices_per_word
from darb.golden.register_map import LOAD_MEMORY, LOAD_MEMORY_SHIFT, REGISTERS

_WRITE_BITS = 32


def writes_a_word(width: int) -> int:
    """Return the writes to `load_data` that bring one word of `width` bits."""
    return -(-width // _WRITE_BITS)


def used_words(image: Image) -> dict[str, int]:
    """Return how many words of each memory the engine reads; it never looks at those behind."""
    sections = [section for layer in read_layers(image) for section in layer.sections]
    steps = [section.groups * section.steps for section in sections]
    indices = 0
    for section, count in zip(sections, steps, strict=True):
        per_word = indices_per_word(image.config.index_word_bits, section.pattern.k)
        indices += -(-count // per_word) if per_word else 0
    return {
        "weights": sum(steps),
        "indices": indices,
        "rows": sum(section.groups for section in sections) * image.config.rows,
        "layers": HEADER_WORDS + len(sections),
    }


def _to_writes(words: Words) -> NDArray[np.uint32]:
    """Cut each word into 32 bits a write, least significant first."""
    depth, size = words.shape
    padded = np.zeros((depth, 4 * writes_a_word(8 * size)), dtype=np.uint8)
    padded[:, :size] = words
    return padded.view("<u4").ravel()


def loading_writes(image: Image) -> NDArray[np.uint32]:
    """Return the writes that load `image`, in order, for an engine that is halted.

    Parameters
    ----------
    image : Image
        Of the engine's own config; `darb.golden.repack` makes it so.

    Returns
    -------
    ndarray of uint32, shape (writes, 2)
        Address of the register and what to write there. Words that the engine never reads are left
        as they are. The layer memory comes last, so that what is cut short is less likely taken
        for an image.
    """
    used = used_words(image)
    parts = []
    for name in MEMORIES:
        if not used[name]:
            continue
        parts.append([[REGISTERS["load_place"], LOAD_MEMORY[name] << LOAD_MEMORY_SHIFT]])
        data = _to_writes(image.memories[name][: used[name]])
        parts.append(np.stack([np.full_like(data, REGISTERS["load_data"]), data], axis=1))
    return np.concatenate(parts).astype(np.uint32)
