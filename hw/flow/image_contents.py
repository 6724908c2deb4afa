"""An image's way into a bitstream: with the netlist, or into the design once it is placed."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from darb.golden.bitfields import to_hex
from darb.golden.image import Image
from darb.golden.memory_map import memory_shapes
from darb.golden.register_map import Storage
from darb.hw.boards.devices import Family
from darb.hw.flow.block_ram import (
    exchange,
    locate,
    random_contents,
    read_contents,
    to_bits,
)
from darb.hw.flow.block_ram_text import CONTENTS_TEXTS
from darb.hw.flow.step import BuildError
from darb.hw.flow.toolchain import TOOLCHAINS


class ImageContents:
    """The image memories of one build.

    Parameters
    ----------
    image : Image
    family : Family
    storage : Storage
        With ``ram`` there is nothing to bring in.
    """

    def __init__(self, image: Image, family: Family, storage: Storage) -> None:
        self._image, self._family = image, family
        self._text = CONTENTS_TEXTS[family]
        self._toolchain = TOOLCHAINS[family]
        self._shapes = memory_shapes(image.config) if storage is Storage.ROM else {}
        self.exchangeable = False
        self._random = random_contents(self._shapes, grain=self._toolchain.grain)
        self._real = {
            name: to_bits(image.memories[name], width) for name, (_, width) in self._shapes.items()
        }

    @property
    def files(self) -> tuple[str, ...]:
        """Names of the memory files that synthesis reads."""
        return tuple(f"{name}.mem" for name in self._shapes)

    def write_memories(self, directory: Path, *, exchangeable: bool) -> None:
        """Write the memory files: random words to be exchanged later, or the image's own."""
        self.exchangeable = exchangeable and bool(self._shapes)
        source = self._random if self.exchangeable else self._image.memories
        for name, (_, width) in self._shapes.items():
            (directory / f"{name}.mem").write_bytes(to_hex(source[name], width))

    def put(self, directory: Path) -> None:
        """Exchange the contents of the placed design for the image's.

        Raises
        ------
        NotInBlockRamError
            If synthesis put a memory elsewhere.
        """
        path = directory / self._toolchain.configuration
        text = path.read_text()
        blocks = self._text.read(text)
        arrays = list(blocks.values())
        random = {
            name: to_bits(words, self._shapes[name][1]) for name, words in self._random.items()
        }
        self._names = tuple(blocks)
        self._places = locate(arrays, random)
        exchange(arrays, self._places, self._real)
        path.write_text(self._text.write(text, blocks))

    def check(self, directory: Path) -> None:
        """Compare what the bitstream holds with the image, bit for bit.

        Raises
        ------
        BuildError
            If a bit differs; names the memory and the word.
        """
        text = (directory / self._toolchain.read_back).read_text()
        blocks = self._text.read(text)
        held = read_contents([blocks[name] for name in self._names], self._places)
        for name, bits in self._real.items():
            wrong = np.argwhere(held[name][: len(bits)] != bits)
            if wrong.size:
                raise BuildError(
                    f"readback: word {wrong[0, 0]} of memory {name} in the bitstream differs from "
                    "the image's"
                )

    def describe(self) -> str:
        """Say how the image got in and how that was checked."""
        if not self._shapes:
            return "loaded at run time"
        if not self.exchangeable:
            return (
                "synthesised with the netlist: the block RAM that exchanging them takes is more "
                "than the chip has, so new weights need a new place and route"
            )
        if self._toolchain.readback is None:
            return (
                f"exchanged after place and route ({len(self._names)} block RAMs); no public tool "
                "reads them back out of this family's bitstream"
            )
        return "exchanged after place and route, read back from the bitstream, every bit equal"
