"""MNIST and Fashion-MNIST from their four idx files."""

from __future__ import annotations

import os

import numpy as np

from darb.sw.datasets.dataset import Dataset
from darb.sw.datasets.files import checked_path, file_of
from darb.sw.datasets.idx import read_idx

_VALIDATION_ROWS = 10_000


def mnist(directory: str | os.PathLike[str]) -> Dataset:
    """Read MNIST from its idx files, compressed with gzip or not.

    The last 10,000 of the 60,000 training images are the validation part. Images are vectors of
    784 values in 0..1.

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
    return _from_idx("mnist", directory)


def fashion_mnist(directory: str | os.PathLike[str]) -> Dataset:
    """Read Fashion-MNIST, which has the names, shapes and split of `mnist`.

    Parameters
    ----------
    directory : path
        One that holds not MNIST, for nothing inside the files tells them apart.

    Raises
    ------
    TypeError, FileNotFoundError, ValueError
        As `mnist`.
    """
    return _from_idx("fashion-mnist", directory)


def _from_idx(name: str, directory: str | os.PathLike[str]) -> Dataset:
    folder = checked_path("directory", directory)
    parts = {}
    for part in ("train", "t10k"):
        stem = f"{part}-images-idx3-ubyte"
        path = file_of(folder, stem, f"{stem}.gz")
        images = read_idx(path, magic=2051)
        stem = f"{part}-labels-idx1-ubyte"
        labels_path = file_of(folder, stem, f"{stem}.gz")
        labels = read_idx(labels_path, magic=2049)
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
        name=name,
        train_x=train_x[:-_VALIDATION_ROWS],
        train_y=train_y[:-_VALIDATION_ROWS],
        validation_x=train_x[-_VALIDATION_ROWS:],
        validation_y=train_y[-_VALIDATION_ROWS:],
        test_x=test_x,
        test_y=test_y,
        classes=10,
    )
