"""The image as a directory: written whole or not at all, read with every byte checked."""

from __future__ import annotations

import hashlib
from pathlib import Path

from numpy.typing import NDArray

from darb.golden.bitfields import from_hex, to_hex
from darb.golden.config import EngineConfig
from darb.golden.image import Image, ImageError
from darb.golden.manifest import MANIFEST, describe, layer_infos, parse, spell
from darb.golden.memory_map import MEMORIES, memory_shapes
from darb.golden.output_directory import replaced_directory
from darb.golden.unpacker import unpack
from darb.golden.vector_file import VECTORS, parse_vectors, spell_vectors
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

    The last two may be left out.

    Raises
    ------
    MissingVectorsError
        If the image has none.
    ImageError
        If the file was changed, or holds anything else.
    """
    directory = Path(directory)
    manifest = _read_manifest(directory)
    if VECTORS not in manifest["files"]:
        raise MissingVectorsError(
            f"{VECTORS}: the image must hold this file, but it has no vectors"
        )
    return parse_vectors(_read_file(directory, VECTORS, manifest["files"][VECTORS]))
