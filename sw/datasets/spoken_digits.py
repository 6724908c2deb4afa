"""The Free Spoken Digit Dataset as sequences of log-mel frames."""

from __future__ import annotations

import os
import zipfile
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from darb.sw.datasets.dataset import PARTS, Dataset
from darb.sw.datasets.files import checked_path
from darb.sw.datasets.log_mel import log_mel
from darb.sw.validation import check_int

RATE = 8000
_ORDER_SEED = 0
# Takes of every speaker and digit: the first five are for test by the dataset's own rule.
_TAKES = {"test": range(5), "train": range(5, 45), "validation": range(45, 50)}
_NAMES = ("audio", "length", "digit", "take")


def spoken_digits(path: str | os.PathLike[str], *, frames: int = 44, hop: int = 160) -> Dataset:
    """Read the Free Spoken Digit Dataset: ten digits, each said fifty times by six speakers.

    Takes 0-4 of each speaker and digit are the test part, which is the dataset's own split; of its
    training part takes 45-49 are for validation. The order within a part is random, and always
    the same. A recording becomes `frames` frames of 40 log-mel bands, from windows of 25 ms; it
    ends with the last frame, and what is too short begins with silence. Each band has mean 0 and
    standard deviation 1 over the training part.

    Parameters
    ----------
    path : path
        A ``.npz`` file of ``audio`` (int16, 8 kHz, all recordings end to end), and for each
        recording its ``length`` (samples), ``digit`` and ``take``.
    frames : int
        T, frames of a sequence.
    hop : int
        Samples from one frame to the next; 8 are a millisecond.

    Returns
    -------
    Dataset
        Of sequences, shape (B, T, 40).

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    FileNotFoundError
        If there is no such file.
    ModuleNotFoundError
        If librosa is not installed.
    ValueError
        If `frames` or `hop` is below 1, the file is no ``.npz`` file, or its arrays are not what
        is said above.
    """
    file = checked_path("path", path)
    check_int("frames", frames, 1)
    check_int("hop", hop, 1)
    arrays = _read_arrays(file)
    # Calibration takes the first examples: in the file's order they would all be of one digit.
    order = np.random.default_rng(_ORDER_SEED).permutation(len(arrays["take"]))
    chosen = {part: order[np.isin(arrays["take"][order], takes)] for part, takes in _TAKES.items()}
    for part, takes in _TAKES.items():
        if not chosen[part].size:
            raise ValueError(
                f"{file}: take must be in {takes[0]}..{takes[-1]} for some recordings, not for 0"
            )
    ends = np.cumsum(arrays["length"], dtype=np.int64)[:-1]
    audio = arrays["audio"].astype(np.float32) / np.float32(1 << 15)
    features = log_mel(np.split(audio, ends), rate=RATE, hop=hop, frames=frames)
    known = features[chosen["train"]].reshape(-1, features.shape[2])
    features -= known.mean(axis=0, dtype=np.float64).astype(np.float32)
    spread = known.std(axis=0, dtype=np.float64).astype(np.float32)
    # A band in which nothing is ever heard stays zero.
    features /= np.where(spread > 1e-6, spread, np.float32(1))
    labels = arrays["digit"].astype(np.int64)
    parts = {
        f"{part}_{name}": values[chosen[part]]
        for part in PARTS
        for name, values in (("x", features), ("y", labels))
    }
    return Dataset(name="spoken-digits", classes=10, **parts)


def _read_arrays(path: Path) -> dict[str, NDArray]:
    """Return the arrays of a file, checked."""
    if not path.is_file():
        raise FileNotFoundError(f"{path} must be a file of recordings")
    arrays = {}
    try:
        with zipfile.ZipFile(path), np.load(path, allow_pickle=False) as file:
            held = file.files
            for name in _NAMES:
                if name in held:
                    arrays[name] = file[name]
    except (ValueError, EOFError, OSError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{path}: must be a whole .npz file of numbers ({error})") from error
    if len(arrays) < len(_NAMES):
        raise ValueError(f"{path}: must hold {', '.join(_NAMES)}, not only {', '.join(held)!r}")
    for name, array in arrays.items():
        right = array.dtype == np.int16 if name == "audio" else array.dtype.kind in "iu"
        if array.ndim != 1 or not right:
            raise ValueError(
                f"{path}: {name} must be {'int16' if name == 'audio' else 'integers'} "
                f"along one axis, not {array.dtype} of shape {array.shape!r}"
            )
    count = len(arrays["length"])
    for name, high in (("digit", 9), ("take", 49)):
        array = arrays[name]
        if len(array) != count:
            raise ValueError(
                f"{path}: {name} must be there for each of the {count} recordings, "
                f"not for {len(array)!r}"
            )
        for value in (array.min(), array.max()) if count else ():
            if not 0 <= value <= high:
                raise ValueError(f"{path}: {name} must be in 0..{high}, not {int(value)!r}")
    lengths = arrays["length"].astype(np.int64)
    if count and lengths.min() < 1:
        raise ValueError(f"{path}: length must be at least 1, not {int(lengths.min())!r}")
    if lengths.sum() != arrays["audio"].size:
        raise ValueError(
            f"{path}: audio must have the {lengths.sum()} samples that lengths add up to, "
            f"not {arrays['audio'].size!r}"
        )
    return arrays
