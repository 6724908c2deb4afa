"""A directory written whole or not at all, in the place of an earlier one or of none."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path


def _is_known(path: Path, known: tuple[str, ...]) -> bool:
    for pattern in known:
        names = pattern.rstrip("/").split("/")
        below = pattern.endswith("/")
        fits = len(path.parts) > len(names) if below else len(path.parts) == len(names)
        if fits and all(map(fnmatchcase, path.parts, names)):
            return True
    return False


def _first_foreign(target: Path, known: tuple[str, ...]) -> Path | None:
    """Return the first file under `target`, as a path from there, that no pattern names."""
    for folder, folders, files in os.walk(target):
        folders.sort()
        here = Path(folder)
        # A link to a directory is not walked into, so it is judged like a file.
        links = [name for name in folders if (here / name).is_symlink()]
        for name in sorted(files + links):
            path = (here / name).relative_to(target)
            if not _is_known(path, known):
                return path
    return None


def _check_replaceable(target: Path, marker: str, known: tuple[str, ...]) -> None:
    if not target.exists():
        return
    if not target.is_dir() or (any(target.iterdir()) and not (target / marker).is_file()):
        raise ValueError(
            f"output {target} must be a new directory, an empty one or one that holds {marker}"
        )
    foreign = _first_foreign(target, (marker, *known))
    if foreign is not None:
        raise ValueError(
            f"output {target} must hold nothing but an earlier output, not {str(foreign)!r}"
        )


@contextmanager
def replaced_directory(target: Path, marker: str, known: tuple[str, ...] = ()) -> Iterator[Path]:
    """Give a fresh directory to fill; it takes the place of `target` when all went well.

    Parameters
    ----------
    target : Path
        An existing directory is replaced only if it is empty or holds the file `marker`, and
        beside it nothing but files that `known` names.
    marker : str
        File name that tells an earlier output from something precious.
    known : tuple of str
        The other files of an output, as shell patterns of a path from `target`; one that ends in
        a slash names all that is below.

    Raises
    ------
    ValueError
        If `target` exists and is neither empty nor an earlier output, or holds a file of another
        origin; asked before the directory is given and again before it takes its place.

    Notes
    -----
    Two renames put the new directory in place. An exception between them, an interrupt included,
    brings the old one back. A process killed there leaves both beside `target`, in a hidden
    directory ``.NAME.xxxxxxxx``: the earlier output in ``old``, the complete new one in ``new``.
    """
    target = Path(os.path.realpath(target))
    _check_replaceable(target, marker, known)
    target.parent.mkdir(parents=True, exist_ok=True)
    workshop = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    fresh, old = workshop / "new", workshop / "old"
    try:
        # Made inside what mkdtemp made for its owner alone, it takes the mode that the user's mask
        # gives any new directory.
        fresh.mkdir()
        yield fresh
        _check_replaceable(target, marker, known)
        _exchange(fresh, old, target)
    finally:
        # Never the only copy: a second interrupt can keep the old one from coming back.
        if target.exists() or not old.exists():
            shutil.rmtree(workshop, ignore_errors=True)


def _exchange(fresh: Path, old: Path, target: Path) -> None:
    try:
        if target.exists():
            os.rename(target, old)
        os.rename(fresh, target)
    except BaseException:
        if old.exists() and not target.exists():
            os.rename(old, target)
        raise
