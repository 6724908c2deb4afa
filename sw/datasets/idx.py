"""The idx files of MNIST and of the datasets that took over its format."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_KINDS = {2051: ("images", 3), 2049: ("labels", 1)}


def read_idx(path: Path, *, magic: int) -> NDArray[np.uint8]:
    """Read one idx file of unsigned bytes.

    Parameters
    ----------
    path : Path
        Compressed with gzip if it ends in ``.gz``.
    magic : int
        2051 for images, 2049 for labels.

    Raises
    ------
    ValueError
        If the file is no gzip file, or its magic number or its length is wrong.
    """
    data = path.read_bytes()
    if path.suffix == ".gz":
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError(f"{path}: must be a whole gzip file ({error})") from error
    kind, dimensions = _KINDS[magic]
    header = 4 + 4 * dimensions
    if len(data) < header:
        raise ValueError(f"{path}: must have a header of {header} bytes, not {len(data)!r}")
    found = int.from_bytes(data[:4], "big")
    if found != magic:
        raise ValueError(f"{path}: magic number of {kind} must be {magic}, not {found!r}")
    shape = tuple(np.frombuffer(data, dtype=">u4", count=dimensions, offset=4).astype(int).tolist())
    size = header + int(np.prod(shape, dtype=object))
    if len(data) != size:
        raise ValueError(
            f"{path}: {kind} of shape {shape} must take {size} bytes, not {len(data)!r}"
        )
    return np.frombuffer(data, dtype=np.uint8, offset=header).reshape(shape)
