"""A compiler cache for Verilator's makefiles: objects kept by the digest of all that made them.

Verilator's run-time library is the same C++ for every design, and most of what a build compiles.
Its makefiles put `OBJCACHE` before each call of the compiler; here it names this file, run as a
script. That runs with the standard library alone, in little time, once for each object.

Only a call that is understood to the last argument is ever answered from the cache; every other
call, and every trouble with the cache, goes to the compiler as if this file were not there.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator

_MOST_BYTES = 256 << 20
_PATIENCE_SECONDS = 120
_STALE_SECONDS = 24 * 3600
_UNFINISHED = ".new."
_LOCK = ".lock."
_DIGEST_BYTES = hashlib.sha256().digest_size

# What changes an object by nothing but the text of the argument. Not -g, which records the
# directory, nor -march=native, which means another thing on another machine.
_PLAIN_FLAG = re.compile(
    r"-O\w*|-D.+|-W[\w-]+|-Wno-[\w=-]+|-std=[\w+]+|-fno-[\w-]+|-faligned-new|-fcoroutines"
    r"|-fcf-protection=none|-fPI[CE]|-mno-cet|-pthread|-pipe|-MMD"
)
_INCLUDE = re.compile(rb'^[ \t]*#[ \t]*include[ \t]*(["<])([^">\n]+)[">]', re.MULTILINE)
# Variables that lead the compiler to other files, or away from the usual ones.
_TELLING_VARIABLES = (
    "CPATH",
    "C_INCLUDE_PATH",
    "CPLUS_INCLUDE_PATH",
    "COMPILER_PATH",
    "GCC_EXEC_PREFIX",
    "DEPENDENCIES_OUTPUT",
    "SUNPRO_DEPENDENCIES",
    "SOURCE_DATE_EPOCH",
    "CCC_OVERRIDE_OPTIONS",
    "MACOSX_DEPLOYMENT_TARGET",
    "SDKROOT",
)


def compiler_prefix() -> str | None:
    """Return what Verilator's makefiles shall put before the compiler, as `OBJCACHE`.

    Returns
    -------
    str or None
        The user's own `OBJCACHE`, else `ccache` where it is installed, else this file with the
        directory `objects` beside the cache of `darb.hw.flow.step_cache`; None where neither that
        can be written nor another cache is there.
    """
    from darb.hw.flow.step_cache import cache_directory

    if os.environ.get("OBJCACHE"):
        return os.environ["OBJCACHE"]
    if shutil.which("ccache"):
        return "ccache"
    try:
        directory = os.path.abspath(cache_directory().with_name("objects"))
        present = directory
        while not os.path.exists(present):
            present = os.path.dirname(present)
    except (OSError, RuntimeError):
        return None
    script = os.path.abspath(__file__)
    writable = os.path.isdir(present) and os.access(present, os.W_OK | os.X_OK)
    if os.name != "posix" or not (writable and sys.executable and os.path.isfile(script)):
        return None
    # make would take a dollar for a variable of its own.
    return shlex.join([sys.executable, "-I", "-S", script, directory]).replace("$", "$$")


def _paths(command: list[str]) -> tuple[str, str, list[str]] | None:
    """Return the source, the object and the include directories of a call that is understood."""
    sources, objects, includes = [], [], []
    if "-c" not in command or "-MMD" not in command:
        return None
    arguments = iter(command[1:])
    for argument in arguments:
        if argument == "-o":
            objects.append(next(arguments, ""))
        elif argument.startswith("-I") and len(argument) > 2:
            includes.append(argument[2:])
        elif argument.endswith(".cpp") and not argument.startswith("-"):
            sources.append(argument)
        elif argument != "-c" and not _PLAIN_FLAG.fullmatch(argument):
            return None
    if len(sources) != 1 or len(objects) > 1:
        return None
    target = objects[0] if objects else os.path.basename(sources[0])[:-4] + ".o"
    return (sources[0], target, includes) if target.endswith(".o") else None


def _sources(source: str, includes: list[str]) -> dict[str, str]:
    """Return the SHA-256 of the source and of every file it includes that is not the system's."""
    digests: dict[str, str] = {}
    waiting = [os.path.normpath(source)]
    while waiting:
        path = waiting.pop()
        if path in digests:
            continue
        with open(path, "rb") as file:
            text = file.read()
        digests[path] = hashlib.sha256(text).hexdigest()
        for quote, name in set(_INCLUDE.findall(text)):
            folders = [os.path.dirname(path)] if quote == b'"' else []
            for folder in (*folders, *includes):
                found = os.path.normpath(os.path.join(folder, os.fsdecode(name)))
                if os.path.isfile(found):
                    waiting.append(found)
                    break
    return digests


def _compiler(name: str) -> list[object]:
    """Return what tells this compiler, and the system headers it comes with, from another."""
    program = os.path.realpath(shutil.which(name) or name)
    status = os.stat(program)
    said = subprocess.run([name, "--version"], capture_output=True, check=True, timeout=60).stdout
    system = os.uname()
    library = os.confstr("CS_GNU_LIBC_VERSION") if "CS_GNU_LIBC_VERSION" in os.confstr_names else ""
    return [program, status.st_size, status.st_mtime_ns, said, system[0], system[4], library]


def _digest(command: list[str], compiler: list[object], sources: dict[str, str]) -> str:
    told = repr((1, compiler, command[1:], sorted(sources.items())))
    return hashlib.sha256(told.encode()).hexdigest()


def _dependencies(target: str) -> set[str]:
    """Return the files that the compiler says it read for an object."""
    with open(target[:-2] + ".d") as file:
        rule = file.read().replace("\\\n", " ")
    return {os.path.normpath(path) for path in rule.partition(":")[2].split()}


def _fetch(kept: str, target: str) -> bool:
    """Write a kept object and its rule; False where it is not kept, or damaged: then removed."""
    try:
        with open(kept, "rb") as file:
            entry = file.read()
        os.utime(kept)
    except FileNotFoundError:
        return False
    content = entry[_DIGEST_BYTES:]
    if len(content) < 8 or hashlib.sha256(content).digest() != entry[:_DIGEST_BYTES]:
        os.remove(kept)
        return False
    end = 8 + int.from_bytes(content[:8], "little")
    for path, part in ((target[:-2] + ".d", content[8:end]), (target, content[end:])):
        with open(path, "wb") as file:
            file.write(part)
    print(f"{target} was kept")
    return True


def _keep(kept: str, target: str) -> None:
    """Keep an object and its rule, whole or not at all; the longest unused make room for them."""
    parts = []
    for path in (target[:-2] + ".d", target):
        with open(path, "rb") as file:
            parts.append(file.read())
    content = len(parts[0]).to_bytes(8, "little") + b"".join(parts)
    directory = os.path.dirname(kept)
    fresh = os.path.join(directory, f"{_UNFINISHED}{os.getpid()}")
    with open(fresh, "xb") as file:
        file.write(hashlib.sha256(content).digest() + content)
    os.replace(fresh, kept)
    _make_room(directory)


def _make_room(directory: str) -> None:
    """Remove objects until all fit the limit; other processes may do the same meanwhile."""
    entries = []
    for entry in os.scandir(directory):
        with contextlib.suppress(OSError):
            status = entry.stat()
            if not entry.name.startswith("."):
                entries.append((status.st_mtime, status.st_size, entry.path))
            elif status.st_mtime < time.time() - _STALE_SECONDS:
                os.remove(entry.path)
    total = sum(size for _, size, _ in entries)
    for _, size, path in sorted(entries)[:-1]:
        if total <= _MOST_BYTES:
            break
        total -= size
        with contextlib.suppress(FileNotFoundError):
            os.remove(path)


@contextlib.contextmanager
def _alone(kept: str) -> Iterator[None]:
    """Wait, not for ever, until no other process compiles the same object."""
    import fcntl

    directory, name = os.path.split(kept)
    path = os.path.join(directory, f"{_LOCK}{name}")
    with open(path, "w") as lock:
        until = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < until:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(0.05)
        try:
            yield
        finally:
            # Whoever still waits for the removed file finds the object kept.
            with contextlib.suppress(FileNotFoundError):
                os.remove(path)


def compile_cached(directory: str, command: list[str]) -> int:
    """Run a compiler's call, or take what it wrote the last time.

    Parameters
    ----------
    directory : str
        Of the kept objects; made where it is not there.
    command : list of str
        The compiler and its arguments, with paths from the current directory.

    Returns
    -------
    int
        The compiler's exit status.
    """
    status = None
    try:
        paths = None if any(map(os.environ.get, _TELLING_VARIABLES)) else _paths(command)
        if paths is not None:
            source, target, includes = paths
            compiler = _compiler(command[0])
            sources = _sources(source, includes)
            kept = os.path.join(directory, _digest(command, compiler, sources))
            os.makedirs(directory, exist_ok=True)
            if _fetch(kept, target):
                return 0
            with _alone(kept):
                if _fetch(kept, target):
                    return 0
                status = subprocess.run(command).returncode
                # Not what the compiler found elsewhere than here, nor what changed meanwhile.
                whole = status == 0 and _dependencies(target) <= sources.keys()
                if whole and _sources(source, includes) == sources:
                    _keep(kept, target)
    except (OSError, ValueError, subprocess.SubprocessError):
        pass
    return subprocess.run(command).returncode if status is None else status


if __name__ == "__main__":
    sys.exit(compile_cached(sys.argv[1], sys.argv[2:]))
