"""CIFAR-10 from its binary files."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from darb.sw.datasets.dataset import Dataset
from darb.sw.datasets.files import checked_path, file_of

_SHAPE = (3, 32, 32)
_RECORD = 1 + 3 * 32 * 32


def cifar10(directory: str | os.PathLike[str]) -> Dataset:
    """Read CIFAR-10 from the files of its binary version.

    The files for Python are pickles, which can run anything, and are not read. The last of the
    five training files is the validation part. Images have values in 0..1.

    Parameters
    ----------
    directory : path
        Holds ``data_batch_1.bin`` to ``data_batch_5.bin`` and ``test_batch.bin``: records of a
        label byte, then 32 rows of 32 pixels of red, of green and of blue.

    Raises
    ------
    TypeError
        If `directory` is no path.
    FileNotFoundError
        If a file is missing.
    ValueError
        If a file is empty, ends inside a record, or a label is above 9.
    """
    folder = checked_path("directory", directory)
    names = [f"data_batch_{index}.bin" for index in range(1, 6)]
    *train, validation, test = [
        _read_batch(file_of(folder, name)) for name in [*names, "test_batch.bin"]
    ]
    return Dataset(
        name="cifar10",
        train_x=np.concatenate([images for images, _ in train]),
        train_y=np.concatenate([labels for _, labels in train]),
        validation_x=validation[0],
        validation_y=validation[1],
        test_x=test[0],
        test_y=test[1],
        classes=10,
    )


def _read_batch(path: Path) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    data = np.fromfile(path, dtype=np.uint8)
    if not data.size or data.size % _RECORD:
        raise ValueError(
            f"{path}: size must be a positive multiple of {_RECORD} bytes, not {data.size!r}"
        )
    records = data.reshape(-1, _RECORD)
    labels = records[:, 0]
    if labels.max() > 9:
        raise ValueError(f"{path}: labels must be in 0..9, not {int(labels.max())!r}")
    images = records[:, 1:].reshape(-1, *_SHAPE).astype(np.float32) / np.float32(255)
    return images, labels.astype(np.int64)
