"""The demo's data: scikit-learn's bundled digits, and MNIST from its usual files."""

from __future__ import annotations

import gzip
import os
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_VALIDATION_ROWS = 10_000
_SPLIT_SEED = 0
_KINDS = {2051: ("images", 3), 2049: ("labels", 1)}


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """Labelled vectors in three parts.

    Parameters
    ----------
    name : str
    train_x, validation_x, test_x : ndarray of float32, shape (B, N)
        In 0..1. Every choice is made on the validation part; the test part is read once.
    train_y, validation_y, test_y : ndarray of int64, shape (B,)
    classes : int
    """

    name: str
    train_x: NDArray[np.float32]
    train_y: NDArray[np.int64]
    validation_x: NDArray[np.float32]
    validation_y: NDArray[np.int64]
    test_x: NDArray[np.float32]
    test_y: NDArray[np.int64]
    classes: int

    @property
    def features(self) -> int:
        """N, the length of a vector."""
        return self.train_x.shape[1]


def digits() -> Dataset:
    """Return scikit-learn's 1797 handwritten digits of 8 x 8 pixels.

    Of every class 60 % are for training, 15 % for validation and 25 % for test. The split is
    always the same, so that a network from disk has never seen the test part, whatever the seed
    it was trained with.
    """
    from sklearn.datasets import load_digits

    bundle = load_digits()
    images = (bundle.data / 16.0).astype(np.float32)
    labels = bundle.target.astype(np.int64)
    generator = np.random.default_rng(_SPLIT_SEED)
    parts: tuple[list, list, list] = ([], [], [])
    for label in range(10):
        members = generator.permutation(np.flatnonzero(labels == label))
        ends = [round(0.6 * members.size), round(0.75 * members.size)]
        for part, piece in zip(parts, np.split(members, ends), strict=True):
            part.append(piece)
    train, validation, test = (generator.permutation(np.concatenate(part)) for part in parts)
    return Dataset(
        name="digits",
        train_x=images[train],
        train_y=labels[train],
        validation_x=images[validation],
        validation_y=labels[validation],
        test_x=images[test],
        test_y=labels[test],
        classes=10,
    )


def mnist(directory: str | os.PathLike[str]) -> Dataset:
    """Read MNIST from its idx files, compressed with gzip or not.

    The last 10,000 of the 60,000 training images are the validation part.

    Parameters
    ----------
    directory : path
        Holds ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte``,
        ``t10k-images-idx3-ubyte`` and ``t10k-labels-idx1-ubyte``, each with or without ``.gz``.

    Raises
    ------
    TypeError
        If `directory` is no path.
    FileNotFoundError
        If a file is missing.
    ValueError
        If a file is no idx file, or the four do not fit one another.
    """
    if not isinstance(directory, str | os.PathLike):
        raise TypeError(f"directory must be a path, not {directory!r}")
    parts = {}
    for part in ("train", "t10k"):
        images, path = _find_idx(Path(directory), f"{part}-images-idx3-ubyte", 2051)
        labels, labels_path = _find_idx(Path(directory), f"{part}-labels-idx1-ubyte", 2049)
        if images.shape[1:] != (28, 28):
            raise ValueError(f"{path}: images must be 28 x 28 pixels, not {images.shape[1:]!r}")
        if len(images) != len(labels):
            raise ValueError(
                f"{labels_path}: there must be a label for each of the {len(images)} images, "
                f"not {len(labels)!r}"
            )
        if labels.size and labels.max() > 9:
            raise ValueError(f"{labels_path}: labels must be in 0..9, not {int(labels.max())!r}")
        vectors = images.reshape(len(images), 784).astype(np.float32) / np.float32(255)
        parts[part] = (vectors, labels.astype(np.int64), path)
    (train_x, train_y, path), (test_x, test_y, _) = parts["train"], parts["t10k"]
    if len(train_x) <= _VALIDATION_ROWS:
        raise ValueError(
            f"{path}: there must be more than {_VALIDATION_ROWS} training images, "
            f"not {len(train_x)!r}"
        )
    return Dataset(
        name="mnist",
        train_x=train_x[:-_VALIDATION_ROWS],
        train_y=train_y[:-_VALIDATION_ROWS],
        validation_x=train_x[-_VALIDATION_ROWS:],
        validation_y=train_y[-_VALIDATION_ROWS:],
        test_x=test_x,
        test_y=test_y,
        classes=10,
    )


def _find_idx(directory: Path, name: str, magic: int) -> tuple[NDArray[np.uint8], Path]:
    for path in (directory / name, directory / f"{name}.gz"):
        if path.is_file():
            return read_idx(path, magic=magic), path
    raise FileNotFoundError(f"{directory} must hold {name} or {name}.gz")


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
