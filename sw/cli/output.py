"""Where commands write."""

from __future__ import annotations

from pathlib import Path


def check_output(directory: Path) -> None:
    """Refuse to replace the directory that the shell stands in, or one above it.

    The new directory takes the name of the old one; the shell would stay in the old one, deleted.

    Raises
    ------
    ValueError
        If `directory` is such a one.
    """
    if Path.cwd().is_relative_to(directory.resolve()):
        raise ValueError(
            "output must be another directory than the one you are in or one above it, "
            f"not {str(directory)!r}"
        )
