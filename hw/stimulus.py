"""Input vectors as the beats of an engine's input stream."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from darb.golden.baselines.image import BaselineImage
from darb.golden.config import OutputMode
from darb.golden.image import Image


def to_beats(image: Image, vectors: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Put vectors in the first layer's column order and cut them into beats.

    Parameters
    ----------
    image : Image
    vectors : ndarray of int, shape (B, N)
        In the network's own column order.

    Returns
    -------
    ndarray of uint8, shape (B * L, lanes)
        Byte s of beat b of a vector is stored column s * L + b, two's complement; 0 where the
        segment has no such column.
    """
    layer = image.layers[0]
    segments = layer.segments(image.config.lanes)
    stored = np.zeros((len(vectors), segments.lanes * segments.length), dtype=np.int8)
    stored[:, : layer.order.size] = vectors[:, layer.order]
    grid = stored.reshape(len(vectors), segments.lanes, segments.length).transpose(0, 2, 1)
    return np.ascontiguousarray(grid.reshape(-1, segments.lanes)).view(np.uint8)


def from_words(image: Image | BaselineImage, words: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return the integers that output words stand for, whatever their width.

    Parameters
    ----------
    image : Image or BaselineImage
    words : ndarray of int
        Unsigned, as the stream carries them.
    """
    bits = 8 * image.config.output_bytes
    words = np.asarray(words, dtype=np.int64)
    if image.config.output_mode is OutputMode.ARGMAX:
        return words
    return words - ((words >> (bits - 1)) << bits)
