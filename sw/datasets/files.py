"""Where a dataset's files lie: refused by name when they are not there."""

from __future__ import annotations

import os
from pathlib import Path


def checked_path(name: str, value: object) -> Path:
    """Return `value` as a Path.

    Raises
    ------
    TypeError
        If it is no path; `name` is what the message calls it.
    """
    if not isinstance(value, str | os.PathLike):
        raise TypeError(f"{name} must be a path, not {value!r}")
    return Path(value)


def file_of(directory: Path, *names: str) -> Path:
    """Return the first file of these names that a directory holds.

    Raises
    ------
    FileNotFoundError
        If it holds none.
    """
    for name in names:
        if (directory / name).is_file():
            return directory / name
    raise FileNotFoundError(f"{directory} must hold {' or '.join(names)}")
