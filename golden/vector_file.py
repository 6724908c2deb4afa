"""vectors.npz: test vectors beside an image, written without a clock, read without trust."""

from __future__ import annotations

import io
import math
import warnings
import zipfile

import numpy as np
from numpy.typing import NDArray

from darb.golden.image import ImageError, shorten

VECTORS = "vectors.npz"
_AXES = {"inputs": 2, "outputs": 2, "cycles": 1}
_MOST_BYTES = 1 << 29
"""Of all arrays together: a compressed file of a megabyte can claim a gigabyte."""
MOST_VECTOR_BYTES = _MOST_BYTES + (1 << 20)
"""Of the file: what cannot be compressed grows a little."""
_MOST_DIRECTORY_BYTES = 1 << 12
_DEFLATE_GROWTH = 1 << 16
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


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


def _check_end(content: bytes) -> None:
    """Refuse an archive whose directory is long: each entry costs far more than its bytes."""
    end = content[-22:]
    size = int.from_bytes(end[12:16], "little")
    plain = end[:4] == b"PK\5\6" and end[20:] == b"\0\0" and content[-42:-38] != b"PK\6\7"
    if not plain or size > _MOST_DIRECTORY_BYTES:
        raise ValueError("must end as a .npz file of a few arrays")


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
        if entry.compress_size > entry.file_size + _DEFLATE_GROWTH:
            raise ValueError(f"{entry.filename} must not be shorter than what it is packed in")
    size = sum(entry.file_size for entry in entries)
    # A header comes on top of each array.
    if size > _MOST_BYTES + (len(known) << 16):
        raise ValueError(f"arrays must take at most {_MOST_BYTES} bytes, not {size}")
    return entries


def _unpack_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    with archive.open(entry) as file:
        # Without a limit zipfile inflates first and cuts to what the entry claims afterwards.
        content = file.read(entry.file_size + 1)
    if len(content) != entry.file_size:
        raise ValueError(f"{entry.filename} must be {entry.file_size} bytes, not {len(content)}")
    return content


def _to_array(name: str, content: bytes) -> NDArray:
    """Return the array of a .npy file: integers that fill it to its end, nothing that runs."""
    file = io.BytesIO(content)
    version = np.lib.format.read_magic(file)
    if version not in _HEADERS:
        raise ValueError(f"{name} must be of .npy version 1.0 or 2.0, not {version!r}")
    shape, fortran, dtype = _HEADERS[version](file)
    if dtype.kind not in "iu":
        raise ValueError(f"{name} must be integers, not {dtype}")
    start = file.tell()
    # Compared before anything of that size is asked for.
    if any(side < 0 for side in shape) or start + math.prod(shape) * dtype.itemsize != len(content):
        raise ValueError(f"{name} must fill its file, whose shape is {shape!r}")
    values = np.frombuffer(content[start:], dtype=dtype)
    return values.reshape(shape, order="F" if fortran else "C").copy()


def parse_vectors(content: bytes) -> dict[str, NDArray]:
    """Return the arrays of an .npz file; the inverse of `spell_vectors`.

    No more memory is taken than the arrays need, whatever the file claims, and nothing in it is
    ever unpickled.

    Raises
    ------
    ImageError
        If it is anything else.
    """
    arrays = {}
    try:
        _check_end(content)
        # Python's tokenizer warns of what a forged header holds.
        with zipfile.ZipFile(io.BytesIO(content)) as archive, warnings.catch_warnings():
            warnings.simplefilter("error")
            for entry in _entries(archive):
                name = entry.filename.removesuffix(".npy")
                arrays[name] = _to_array(name, _unpack_entry(archive, entry))
    # A forged file makes zipfile, its decoders, NumPy and Python's own tokenizer, which reads the
    # header, raise a dozen kinds, and the next version of each may add one.
    except Exception as error:
        raise ImageError(f"{VECTORS}: must hold plain arrays ({shorten(str(error))})") from None
    try:
        _check(arrays)
    except ValueError as error:
        raise ImageError(f"{VECTORS}: {shorten(str(error))}") from None
    return arrays
