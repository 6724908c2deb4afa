"""vectors.npz: test vectors beside an image, written without a clock, read without trust."""

from __future__ import annotations

import io
import zipfile

import numpy as np
from numpy.typing import NDArray

from darb.golden.image import ImageError

VECTORS = "vectors.npz"
_AXES = {"inputs": 2, "outputs": 2, "cycles": 1}
_MOST_BYTES = 1 << 29
"""Of all arrays together: a compressed file of a megabyte can claim a gigabyte."""


def _check(arrays: dict[str, NDArray]) -> None:
    """Refuse arrays that are not ``inputs`` and what belongs to them.

    Raises
    ------
    ValueError
        Names the array and the rule.
    """
    for name in arrays:
        if name not in _AXES:
            raise ValueError(f"arrays must be among {[*_AXES]}, not {name!r}")
    if "inputs" not in arrays:
        raise ValueError(f"must hold inputs, but has {sorted(arrays)}")
    count = np.shape(arrays["inputs"])[:1]
    for name, values in arrays.items():
        if values.dtype.kind not in "iu":
            raise ValueError(f"{name} must be integers, not {values.dtype}")
        if values.ndim != _AXES[name] or values.shape[:1] != count:
            rule = "B, N" if _AXES[name] == 2 else "B"
            raise ValueError(f"{name} must have shape ({rule}), B as inputs, not {values.shape!r}")
    size = sum(values.nbytes for values in arrays.values())
    if size > _MOST_BYTES:
        raise ValueError(f"arrays must take at most {_MOST_BYTES} bytes, not {size}")


def spell_vectors(arrays: dict[str, NDArray]) -> bytes:
    """Return the .npz file of some arrays; the same arrays give the same bytes.

    Raises
    ------
    ValueError
        If they are not ``inputs`` (B, N), with or without ``outputs`` (B, M) and ``cycles`` (B,),
        in integers.
    """
    arrays = {name: np.ascontiguousarray(values) for name, values in sorted(arrays.items())}
    try:
        _check(arrays)
    except ValueError as error:
        raise ValueError(f"vectors: {error}") from None
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, values in arrays.items():
            entry = io.BytesIO()
            np.lib.format.write_array(entry, values, allow_pickle=False)
            # A fixed date, where ZipFile.write would take the clock's.
            info = zipfile.ZipInfo(f"{name}.npy")
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, entry.getvalue())
    return buffer.getvalue()


def _entries(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """Return what is in the archive, every claim that costs memory or a decoder checked."""
    entries = archive.infolist()
    names = [entry.filename for entry in entries]
    known = [f"{name}.npy" for name in _AXES]
    for entry in entries:
        if entry.filename not in known or names.count(entry.filename) > 1:
            raise ValueError(f"entries must be among {known}, each once, not {entry.filename!r}")
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"{entry.filename} must be stored or deflated")
    size = sum(entry.file_size for entry in entries)
    # A header comes on top of each array.
    if size > _MOST_BYTES + (len(known) << 16):
        raise ValueError(f"arrays must take at most {_MOST_BYTES} bytes, not {size}")
    return entries


def parse_vectors(content: bytes) -> dict[str, NDArray]:
    """Return the arrays of an .npz file; the inverse of `spell_vectors`.

    Raises
    ------
    ImageError
        If it is anything else.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            arrays = {
                entry.filename.removesuffix(".npy"): np.lib.format.read_array(
                    io.BytesIO(archive.read(entry)), allow_pickle=False
                )
                for entry in _entries(archive)
            }
    # A forged file makes zipfile, its decoders, NumPy and Python's own tokenizer, which reads the
    # header, raise a dozen kinds, and the next version of each may add one.
    except Exception as error:
        raise ImageError(f"{VECTORS}: must hold plain arrays ({error})") from None
    try:
        _check(arrays)
    except ValueError as error:
        raise ImageError(f"{VECTORS}: {error}") from None
    return arrays
