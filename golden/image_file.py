"""The image as a directory: written whole or not at all, read with every byte checked."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from darb.golden.bitfields import from_hex, to_hex
from darb.golden.config import EngineConfig
from darb.golden.image import Image, ImageError
from darb.golden.manifest import MANIFEST, VECTORS, describe, layer_infos, parse, spell
from darb.golden.memory_map import memory_shapes
from darb.golden.unpacker import unpack
from darb.golden.vendor_formats import FORMATS, write_memory

_MOST_MANIFEST_BYTES = 64 << 20
_BAD_ARRAYS = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    KeyError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What a forged .npz file makes zipfile and NumPy raise."""


@contextmanager
def replaced_directory(target: Path, marker: str) -> Iterator[Path]:
    """Give a fresh directory to fill; it takes the place of `target` when all went well.

    Parameters
    ----------
    target : Path
        An existing directory is replaced only if it is empty or holds the file `marker`.
    marker : str
        File name that tells an earlier output from something precious.

    Raises
    ------
    ValueError
        If `target` exists and is neither empty nor an earlier output.
    """
    target = Path(os.path.realpath(target))
    if target.exists() and not (
        target.is_dir() and ((target / marker).is_file() or not any(target.iterdir()))
    ):
        raise ValueError(
            f"output {target} must be a new directory, an empty one or one that holds {marker}"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        fresh.chmod(0o755)
        yield fresh
        if target.exists():
            _exchange(fresh, target)
        else:
            os.rename(fresh, target)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _exchange(fresh: Path, target: Path) -> None:
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as attic:
        old = Path(attic, "old")
        os.rename(target, old)
        try:
            os.rename(fresh, target)
        except OSError:
            os.rename(old, target)
            raise


def _npz(arrays: dict[str, NDArray]) -> bytes:
    """Return an .npz file without a clock in it, so that the same arrays give the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, values in sorted(arrays.items()):
            entry = io.BytesIO()
            np.lib.format.write_array(entry, np.ascontiguousarray(values), allow_pickle=False)
            info = zipfile.ZipInfo(f"{name}.npy")
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, entry.getvalue())
    return buffer.getvalue()


def _from_npz(content: bytes) -> dict[str, NDArray]:
    """Return the arrays of an .npz file; the inverse of `_npz`."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {
            name.removesuffix(".npy"): np.lib.format.read_array(
                io.BytesIO(archive.read(name)), allow_pickle=False
            )
            for name in archive.namelist()
        }


def write_image(
    image: Image,
    directory: str | Path,
    *,
    vectors: dict[str, NDArray] | None = None,
    formats: tuple[str, ...] = (),
) -> Path:
    """Write an image directory, whole or not at all.

    Parameters
    ----------
    image : Image
    directory : path
        New, empty, or an earlier image, which is replaced.
    vectors : dict of str to ndarray, optional
        Saved as vectors.npz: ``inputs`` (B, N), ``outputs`` (B, M), ``cycles`` (B,).
    formats : tuple of str
        Any of ``coe``, ``mif``, ``bin``: the same memories in vendors' formats as well.

    Returns
    -------
    Path
        The directory.

    Raises
    ------
    ValueError
        If `directory` holds something else, or a format is unknown.
    """
    for name in formats:
        if name not in FORMATS:
            raise ValueError(f"formats must be among {sorted(FORMATS)}, not {name!r}")
    directory = Path(directory)
    shapes = memory_shapes(image.config)
    files: dict[str, bytes] = {}
    for name, words in image.memories.items():
        files[f"{name}.mem"] = to_hex(words, shapes[name][1])
        for kind in formats:
            files[f"{name}.{kind}"] = write_memory(kind, words, shapes[name][1])
    if vectors is not None:
        files[VECTORS] = _npz(vectors)
    manifest = describe(image, files)
    with replaced_directory(directory, MANIFEST) as fresh:
        for name, content in files.items():
            (fresh / name).write_bytes(content)
        (fresh / MANIFEST).write_bytes(spell(manifest))
    return directory


def _read_bytes(path: Path, most: int) -> bytes:
    """Return a plain file's bytes, refusing one that is missing, no file, or over `most`."""
    if not path.is_file():
        raise ImageError(f"{path.name}: the image must hold this file, but {path} is missing")
    size = path.stat().st_size
    if size > most:
        raise ImageError(f"{path.name}: must be at most {most} bytes, not {size}")
    return path.read_bytes()


def _read_manifest(directory: Path) -> dict:
    if not directory.is_dir():
        raise ImageError(f"{directory} must be an image directory, but it is no directory")
    return parse(_read_bytes(directory / MANIFEST, _MOST_MANIFEST_BYTES))


def _read_file(directory: Path, name: str, entry: dict) -> bytes:
    """Return a file that the manifest lists, checked."""
    content = _read_bytes(directory / name, entry["bytes"])
    if len(content) != entry["bytes"]:
        raise ImageError(f"{name}: must be {entry['bytes']} bytes, not {len(content)}")
    if hashlib.sha256(content).hexdigest() != entry["sha256"]:
        raise ImageError(f"{name}: checksum does not match, the file was changed or damaged")
    return content


def _to_image(manifest: dict, files: dict[str, bytes]) -> Image:
    config = EngineConfig.from_dict(manifest["config"])
    memories = {}
    for name, (depth, width) in memory_shapes(config).items():
        try:
            memories[name] = from_hex(files[f"{name}.mem"], width, depth)
        except ValueError as error:
            raise ImageError(f"{name}.mem: {error}") from None
        for kind in FORMATS:
            twin = files.get(f"{name}.{kind}")
            if twin is not None and twin != write_memory(kind, memories[name], width):
                raise ImageError(f"{name}.{kind}: must hold the same words as {name}.mem")
    return Image(
        config,
        memories,
        layer_infos(manifest),
        manifest["input_scale"],
        tuple(manifest["output_scales"]),
    )


def read_image(directory: str | Path) -> Image:
    """Read an image directory and verify it: every checksum, every word.

    Raises
    ------
    ImageError
        If a file is missing, changed, of another version, or contradicts another; names the
        file, the word where there is one, and the rule.
    """
    directory = Path(directory)
    manifest = _read_manifest(directory)
    files = {name: _read_file(directory, name, entry) for name, entry in manifest["files"].items()}
    image = _to_image(manifest, files)
    unpack(image)
    if image.digest != manifest["digest"]:
        raise ImageError(f"{MANIFEST}: digest must be {image.digest}, not {manifest['digest']!r}")
    return image


def read_vectors(directory: str | Path) -> dict[str, NDArray]:
    """Return the arrays of an image's vectors.npz: ``inputs``, ``outputs``, ``cycles``.

    Raises
    ------
    ImageError
        If the image has none, or the file was changed.
    """
    directory = Path(directory)
    manifest = _read_manifest(directory)
    if VECTORS not in manifest["files"]:
        raise ImageError(f"{VECTORS}: the image must hold this file, but it has no vectors")
    content = _read_file(directory, VECTORS, manifest["files"][VECTORS])
    try:
        return _from_npz(content)
    except _BAD_ARRAYS as error:
        raise ImageError(f"{VECTORS}: must hold plain arrays ({error})") from None
