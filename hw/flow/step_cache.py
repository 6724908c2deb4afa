"""The outputs of earlier tool calls, kept by the digest of all that went into them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from pathlib import Path

_MOST_BYTES = 4 << 30
_INDEX = "sha256.json"
_UNFINISHED = ".new."
_STALE_SECONDS = 24 * 3600


def cache_directory() -> Path:
    """Return where outputs of earlier calls are kept: DARB_CACHE, or the user's cache folder."""
    named = os.environ.get("DARB_CACHE")
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return (Path(named) if named else Path(home) / "darb") / "steps"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _index(kept: Path) -> dict[str, str]:
    try:
        return json.loads((kept / _INDEX).read_text())
    except (OSError, ValueError):
        return {}


def holds(digest: str, names: tuple[str, ...]) -> bool:
    """Return whether the files `names` of a call are kept, whole."""
    kept = cache_directory() / digest
    index = _index(kept)
    try:
        return all(name in index and _sha256(kept / name) == index[name] for name in names)
    except OSError:
        return False


def fetch(digest: str, directory: Path, names: tuple[str, ...]) -> bool:
    """Copy the files `names` of a call to `directory`.

    Returns
    -------
    bool
        False where they are not kept, were damaged, or another process just removed them; a
        damaged entry is removed.
    """
    kept = cache_directory() / digest
    index = _index(kept)
    try:
        if index:
            os.utime(kept)
        for name in names:
            shutil.copyfile(kept / name, directory / name)
            if _sha256(directory / name) != index.get(name):
                raise ValueError(name)
    except (OSError, ValueError):
        shutil.rmtree(kept, ignore_errors=True)
        return False
    return True


def keep(digest: str, directory: Path, names: tuple[str, ...]) -> None:
    """Keep a call's files, all or none; the longest unused entries make room for them."""
    kept = cache_directory() / digest
    kept.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=kept.parent))
    try:
        for name in names:
            shutil.copyfile(directory / name, fresh / name)
        index = {name: _sha256(fresh / name) for name in names}
        (fresh / _INDEX).write_text(json.dumps(index))
        try:
            os.rename(fresh, kept)
        except OSError:
            # Another build of the same came first.
            if not kept.is_dir():
                raise
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    _make_room(kept)


def _make_room(newest: Path) -> None:
    """Remove entries until all fit the limit; other processes may do the same meanwhile."""
    entries = []
    for entry in newest.parent.iterdir():
        try:
            used = entry.stat().st_mtime
            size = sum(file.stat().st_size for file in entry.iterdir())
        except OSError:
            continue
        if not entry.name.startswith(_UNFINISHED):
            entries.append((used, size, entry))
        elif used < time.time() - _STALE_SECONDS:
            shutil.rmtree(entry, ignore_errors=True)
    total = sum(size for _, size, _ in entries)
    for _, size, entry in sorted(entries):
        if total <= _MOST_BYTES:
            break
        if entry != newest:
            total -= size
            shutil.rmtree(entry, ignore_errors=True)
