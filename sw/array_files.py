"""Arrays that a user hands over as NumPy files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def read_array(path: str | Path) -> NDArray[np.number]:
    """Read a batch of vectors from a ``.npy`` file.

    Parameters
    ----------
    path : path

    Returns
    -------
    ndarray, shape (B, ...)
        Of integers or real numbers, B at least 1.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no ``.npy`` file, or holds anything but a batch of finite numbers.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} must be a .npy file")
    try:
        values = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        # NumPy's own message advises to load the file as a pickle, which would run code from it.
        raise ValueError(
            f"{path} must be a whole .npy file of numbers, as numpy.save writes it"
        ) from error
    if not isinstance(values, np.ndarray):
        raise ValueError(f"{path} must be one array saved with numpy.save, not an archive")
    if values.dtype.kind not in "iuf":
        raise ValueError(f"{path} must hold integers or real numbers, not {values.dtype}")
    if values.ndim < 2 or not len(values):
        raise ValueError(f"{path} must hold vectors, shape (B, ...), not {values.shape!r}")
    if not np.isfinite(values).all():
        bad = int(np.argwhere(~np.isfinite(values))[0][0])
        raise ValueError(f"{path}: vector {bad} must be finite, not with NaN or infinity")
    return values
