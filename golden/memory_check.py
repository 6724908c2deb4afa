"""The memory check: what an engine finds when it reads its own image memories again.

A bit that flips in block RAM changes results and raises no flag. An engine that was generated with
the check computes the CRC-32 of what a memory holds now; a host compares it with the image's.
"""

from __future__ import annotations

import zlib

from darb.golden.image import Image
from darb.golden.loading import used_words
from darb.golden.memory_map import memory_shapes
from darb.golden.register_map import LOAD_MEMORY, LOAD_MEMORY_SHIFT


def memory_crcs(image: Image) -> dict[str, int]:
    """Return the CRC-32 of each image memory, over the words that the engine reads.

    Parameters
    ----------
    image : Image

    Returns
    -------
    dict of str to int
        That of ``zlib.crc32`` over the words in order, each as ceil(width / 8) bytes, low byte
        first, zeros above its width. A memory of which nothing is read is left out.
    """
    return {
        name: zlib.crc32(image.memories[name][:count].tobytes())
        for name, count in used_words(image).items()
        if count
    }


def check_requests(image: Image) -> dict[str, int]:
    """Return what is written to register ``check`` for each memory of `memory_crcs`.

    The number of the memory in bits 31..28, how many of its words in bits 27..0.
    """
    return {
        name: LOAD_MEMORY[name] << LOAD_MEMORY_SHIFT | count
        for name, count in used_words(image).items()
        if count
    }


def check_clocks(image: Image) -> dict[str, int]:
    """Return the clocks that an engine takes for the check of each memory of `memory_crcs`.

    A byte a clock, and three clocks more a word.
    """
    shapes = memory_shapes(image.config)
    return {
        name: count * (-(-shapes[name][1] // 8) + 3)
        for name, count in used_words(image).items()
        if count
    }
