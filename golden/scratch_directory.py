"""A hidden directory beside an output, to make it in; what a killed process left is taken up."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, where what a killed process left is left to the user.
    fcntl = None

_MARK, _RANDOM = ".darb-", 8
NEW, OLD = "new", "old"


def _lock(scratch: Path, *, wait: bool) -> int | None:
    """Return a handle that locks `scratch`, None if another has it or no lock can be had.

    The system lets go of it when the process ends, however it does.
    """
    if fcntl is None:
        return None
    try:
        handle = os.open(scratch, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        # Whoever had it may have removed it.
        if os.path.samestat(os.fstat(handle), os.stat(scratch)):
            return handle
    except OSError:
        pass
    except BaseException:
        os.close(handle)
        raise
    os.close(handle)
    return None


def _remove(scratch: Path, target: Path) -> None:
    # Never the only copy: a second interrupt can keep the old one from coming back.
    if target.exists() or not (scratch / OLD).exists():
        shutil.rmtree(scratch, ignore_errors=True)


@contextmanager
def scratch_directory(target: Path) -> Iterator[Path]:
    """Give a directory ``.NAME.darb-xxxxxxxx`` beside `target` and remove it in the end.

    It stays if it holds ``old`` and `target` is not there. As long as this process lives no
    `take_up` touches it.
    """
    prefix = f".{target.name}{_MARK}"
    while True:
        scratch = Path(tempfile.mkdtemp(prefix=prefix, dir=target.parent))
        handle = _lock(scratch, wait=True)
        # Before it was locked, another process may have thought that it was left over.
        if scratch.exists():
            break
    try:
        yield scratch
    finally:
        _remove(scratch, target)
        if handle is not None:
            os.close(handle)


def take_up(target: Path) -> None:
    """Bring back an earlier `target` that a killed process had just moved away; remove the rest.

    Only what `scratch_directory` makes is touched, and nothing that a living process uses.
    """
    prefix = f".{target.name}{_MARK}"
    try:
        beside = sorted(target.parent.iterdir())
    # A directory may be written to and not be listed.
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return
    for scratch in beside:
        if not scratch.name.startswith(prefix) or len(scratch.name) != len(prefix) + _RANDOM:
            continue
        handle = _lock(scratch, wait=False)
        if handle is None:
            continue
        try:
            # What another user left in a shared directory is no output of ours.
            if os.fstat(handle).st_uid != os.geteuid():
                continue
            # Where only the old one is left, the new one took its place before.
            between = (scratch / OLD).exists() and (scratch / NEW).exists()
            if between and not os.path.lexists(target):
                os.rename(scratch / OLD, target)
            _remove(scratch, target)
        finally:
            os.close(handle)
