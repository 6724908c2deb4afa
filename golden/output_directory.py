"""A directory written whole or not at all, in the place of an earlier one or of none."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path

from darb.golden.scratch_directory import NEW, OLD, scratch_directory, take_up

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


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
    On Linux the new directory takes the place of an earlier one in one step: whatever ends the
    process, and when, `target` is wholly the old one or wholly the new one. Where the system or the
    file system cannot exchange two directories, two renames do it. An exception between them, an
    interrupt included, brings the old one back; a process killed there leaves nothing at `target`
    but both beside it, and the next call for the same `target` brings the old one back first.

    A killed process leaves a hidden directory ``.NAME.darb-xxxxxxxx`` beside `target`: the output
    that was being made or had been replaced. The next call for the same `target` removes it.

    Nothing is forced to disk: what a failure of the power leaves is up to the file system.
    """
    target = Path(os.path.realpath(target))
    take_up(target)
    _check_replaceable(target, marker, known)
    target.parent.mkdir(parents=True, exist_ok=True)
    with scratch_directory(target) as scratch:
        fresh = scratch / NEW
        # Made inside what is its owner's alone, it takes the mode that the user's mask gives any
        # new directory.
        fresh.mkdir()
        yield fresh
        _check_replaceable(target, marker, known)
        _replace(target, fresh, scratch / OLD)


def _exchange(first: Path, second: Path) -> bool:
    """Exchange two directories in one step; return whether the system could."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        import ctypes

        rename = ctypes.CDLL(None).renameat2
    # A Python may have been built without ctypes, a C library without the call.
    except (ImportError, OSError, AttributeError):
        return False
    names = [os.fsencode(path) for path in (first, second)]
    return not rename(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE)


def _replace(target: Path, fresh: Path, old: Path) -> None:
    if not target.exists():
        os.rename(fresh, target)
        return
    if _exchange(fresh, target):
        return
    try:
        os.rename(target, old)
        os.rename(fresh, target)
    except BaseException:
        if old.exists() and not target.exists():
            os.rename(old, target)
        raise
