"""The image as a directory: written whole or not at all, read with every byte checked."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from pathlib import Path

from numpy.typing import NDArray

from darb.golden.bitfields import Words, from_hex, to_hex
from darb.golden.config import EngineConfig
from darb.golden.fixed_point import check_vectors
from darb.golden.image import Image, ImageError, shorten
from darb.golden.manifest import MANIFEST, describe, layer_infos, parse, spell
from darb.golden.memory_map import MEMORIES, memory_shapes
from darb.golden.output_directory import replaced_directory
from darb.golden.unpacker import unpack
from darb.golden.vector_file import MOST_VECTOR_BYTES, VECTORS, parse_vectors, spell_vectors
from darb.golden.vendor_formats import FORMATS, write_memory

_MOST_MANIFEST_BYTES = 64 << 20
IMAGE_FILES = (
    MANIFEST,
    VECTORS,
    *(f"{name}.{kind}" for name in MEMORIES for kind in ("mem", *FORMATS)),
)
"""Every file that an image directory may hold."""


class MissingVectorsError(ImageError):
    """An image that holds no vectors."""


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
    vectors : dict of str to ndarray of int, optional
        Saved as vectors.npz: ``inputs`` (B, N); ``outputs`` (B, M) and ``cycles`` (B,) with them
        or left out.
    formats : tuple of str
        Any of ``coe``, ``mif``, ``bin``: the same memories in vendors' formats as well.

    Returns
    -------
    Path
        The directory.

    Raises
    ------
    ValueError
        If `directory` holds something else, a format is unknown, or the vectors do not fit one
        another.
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
        files[VECTORS] = spell_vectors(vectors)
    manifest = describe(image, files)
    with replaced_directory(directory, MANIFEST, IMAGE_FILES) as fresh:
        for name, content in files.items():
            (fresh / name).write_bytes(content)
        (fresh / MANIFEST).write_bytes(spell(manifest))
    return directory


def _open_plain(path: str, flags: int) -> int:
    """Open a file of the directory itself: a link leads out of it, a pipe never ends."""
    name = os.path.basename(path)
    try:
        # Windows knows neither flag.
        extra = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        handle = os.open(path, flags | extra)
    except FileNotFoundError:
        raise ImageError(f"{name}: the image must hold this file, but {path} is missing") from None
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.ENXIO):
            raise
        raise ImageError(f"{name}: must be a plain file, not a link, a pipe or the like") from None
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise ImageError(f"{name}: must be a plain file, not a link, a pipe or the like")
    return handle


def _read_bytes(path: Path, most: int) -> bytes:
    """Return a plain file's bytes, refusing one that is missing, no file, or over `most`."""
    with open(path, "rb", opener=_open_plain) as file:
        size = os.fstat(file.fileno()).st_size
        if size > most:
            raise ImageError(f"{path.name}: must be at most {most} bytes, not {size}")
        return file.read(size + 1)


def _read_manifest(directory: Path) -> dict:
    if not directory.is_dir():
        raise ImageError(f"{directory} must be an image directory, but it is no directory")
    return parse(_read_bytes(directory / MANIFEST, _MOST_MANIFEST_BYTES))


def check_content(name: str, content: bytes, entry: dict) -> bytes:
    """Return a file's content, if it is what its `entry` in the manifest says.

    Raises
    ------
    ImageError
        If the size or the checksum differs; names the file.
    """
    if len(content) != entry["bytes"]:
        raise ImageError(f"{name}: must be {entry['bytes']} bytes, not {len(content)}")
    if hashlib.sha256(content).hexdigest() != entry["sha256"]:
        raise ImageError(f"{name}: checksum does not match, the file was changed or damaged")
    return content


def _read_file(directory: Path, name: str, entry: dict) -> bytes:
    return check_content(name, _read_bytes(directory / name, entry["bytes"]), entry)


def _check_listed(directory: Path, manifest: dict) -> None:
    """Refuse a file that looks like the image's and is not: nothing vouches for it."""
    for path in sorted(directory.iterdir()):
        if path.name in IMAGE_FILES and path.name not in {MANIFEST, *manifest["files"]}:
            raise ImageError(f"{path.name}: must be listed in {MANIFEST}, or not be here")


def _read_memory(
    directory: Path, name: str, files: dict[str, dict], depth: int, width: int
) -> Words:
    """Return a memory's words; its files in other formats must hold the same."""
    digits = -(-width // 4)
    size, entry = depth * (digits + 1), files[f"{name}.mem"]
    # A file can claim any length at no cost, so none is read that could not be right.
    if entry["bytes"] != size:
        raise ImageError(
            f"{name}.mem: must hold {depth} words of {digits} digits ({size} bytes), "
            f"not {shorten(str(entry['bytes']))} bytes"
        )
    try:
        words = from_hex(_read_file(directory, f"{name}.mem", entry), width, depth)
    except ImageError:
        raise
    except ValueError as error:
        raise ImageError(f"{name}.mem: {shorten(str(error))}") from None
    for kind in FORMATS:
        twin = f"{name}.{kind}"
        if twin not in files:
            continue
        expected = write_memory(kind, words, width)
        if files[twin]["bytes"] != len(expected) or expected != _read_file(
            directory, twin, files[twin]
        ):
            raise ImageError(f"{twin}: must hold the same words as {name}.mem")
    return words


def _read_vectors_file(directory: Path, manifest: dict) -> bytes:
    entry = manifest["files"][VECTORS]
    if entry["bytes"] > MOST_VECTOR_BYTES:
        raise ImageError(
            f"{VECTORS}: must be at most {MOST_VECTOR_BYTES} bytes, "
            f"not {shorten(str(entry['bytes']))}"
        )
    return _read_file(directory, VECTORS, entry)


def read_image(directory: str | Path) -> Image:
    """Read an image directory and verify it: every checksum, every word.

    Only plain files of the directory itself are read, none longer than its image's memories are.
    Files with names that no image gives (see `IMAGE_FILES`) are not looked at.

    Raises
    ------
    ImageError
        If a file is missing, changed, of another version, not listed, no plain file, or contradicts
        another; names the file, the word where there is one, and the rule.
    """
    directory = Path(directory)
    manifest = _read_manifest(directory)
    _check_listed(directory, manifest)
    config = EngineConfig.from_dict(manifest["config"])
    memories = {
        name: _read_memory(directory, name, manifest["files"], depth, width)
        for name, (depth, width) in memory_shapes(config).items()
    }
    if VECTORS in manifest["files"]:
        _read_vectors_file(directory, manifest)
    image = Image(
        config,
        memories,
        layer_infos(manifest),
        manifest["input_scale"],
        tuple(manifest["output_scales"]),
    )
    unpack(image)
    if image.digest != manifest["digest"]:
        given = shorten(repr(manifest["digest"]))
        raise ImageError(f"{MANIFEST}: digest must be {image.digest}, not {given}")
    return image


def read_vectors(directory: str | Path) -> dict[str, NDArray]:
    """Return the arrays of an image's vectors.npz: ``inputs``, ``outputs``, ``cycles``.

    The last two may be left out.

    Raises
    ------
    MissingVectorsError
        If the image has none.
    ImageError
        If the file was changed, holds anything else, or inputs that the image does not take.
    """
    directory = Path(directory)
    manifest = _read_manifest(directory)
    if VECTORS not in manifest["files"]:
        raise MissingVectorsError(
            f"{VECTORS}: the image must hold this file, but it has no vectors"
        )
    arrays = parse_vectors(_read_vectors_file(directory, manifest))
    columns, bits = manifest["layers"][0]["columns"], manifest["config"]["activation_bits"]
    try:
        check_vectors(arrays["inputs"], columns, bits)
    except ValueError as error:
        raise ImageError(f"{VECTORS}: {error}") from None
    return arrays
