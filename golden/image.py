"""The packed image in memory: four memories and what they do not say of the layers."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from darb.golden.bitfields import Words
from darb.golden.config import EngineConfig
from darb.golden.memory_map import LAYER_WORD_BITS
from darb.golden.pattern import Segments


class ImageError(ValueError):
    """An image that cannot be trusted; names the memory, the word and the reason."""


def shorten(text: str, most: int = 300) -> str:
    """Return what a message may show of a text that a forged image holds: printable, not long."""
    shown = text[: most + 1]
    shown = "".join(each if each.isprintable() else ascii(each)[1:-1] for each in shown)
    return shown if len(shown) <= most else f"{shown[: most - 3]}..."


@dataclass(frozen=True, eq=False)
class LayerInfo:
    """What the memories do not say of a layer.

    Parameters
    ----------
    name : str
    rows, columns : int
        M and N of the weight matrix, dead rows and columns included.
    order : ndarray of int32, shape (C,)
        Original column of each stored position.
    align : int
        Segments are rounded up to this many columns.
    relu : bool
    """

    name: str
    rows: int
    columns: int
    order: NDArray[np.int32]
    align: int
    relu: bool

    def segments(self, lanes: int) -> Segments:
        """Return how the stored columns are dealt to `lanes` lanes."""
        return Segments(self.order.size, lanes, self.align)


@dataclass(frozen=True, eq=False)
class Image:
    """A packed network.

    Parameters
    ----------
    config : EngineConfig
    memories : dict of str to ndarray of uint8
        ``weights``, ``indices``, ``rows`` and ``layers``, each (depth, bytes a word).
    layers : tuple of LayerInfo
    input_scale : float
    output_scales : tuple of float
    """

    config: EngineConfig
    memories: dict[str, Words]
    layers: tuple[LayerInfo, ...]
    input_scale: float = 1.0
    output_scales: tuple[float, ...] = ()

    @property
    def digest(self) -> str:
        """The image's identity: 24 hexadecimal digits that the engine also holds."""
        return self.memories["layers"][0, ::-1].tobytes().hex()


def digest_words(config: EngineConfig, memories: dict[str, Words]) -> NDArray[np.uint8]:
    """Return the first layer word: a hash of everything else that the engine reads."""
    whole = hashlib.sha256(json.dumps(config.to_dict(), sort_keys=True).encode())
    for name in ("weights", "indices", "rows"):
        whole.update(memories[name].tobytes())
    whole.update(memories["layers"][1:].tobytes())
    return np.frombuffer(whole.digest()[: LAYER_WORD_BITS // 8], dtype=np.uint8)
