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
# Takes of every speaker and digit: the first five are for test by the dataset's own rule.
_TAKES = {"test": range(5), "train": range(5, 45), "validation": range(45, 50)}
_PER_RECORDING = ("length", "digit", "speaker", "take")


def spoken_digits(path: str | os.PathLike[str], *, frames: int = 56, hop: int = 128) -> Dataset:
    """Read the Free Spoken Digit Dataset: ten digits, each said fifty times by six speakers.

    Takes 0-4 of each speaker and digit are the test part, which is the dataset's own split; of its
    training part takes 45-49 are for validation. A recording becomes `frames` frames of 40
    log-mel bands, from windows of 25 ms; it ends with the last frame, and what is too short begins
    with silence. Each band has mean 0 and standard deviation 1 over the training part.

    Parameters
    ----------
    path : path
        A ``.npz`` file of ``audio`` (int16, 8 kHz, all recordings end to end), and for each
        recording ``length`` (samples), ``digit``, ``speaker`` and ``take``.
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
    chosen = {
        part: np.flatnonzero(np.isin(arrays["take"], takes)) for part, takes in _TAKES.items()
    }
    for part, takes in _TAKES.items():
        if not chosen[part].size:
            raise ValueError(f"{file}: takes {takes[0]}-{takes[-1]} must be there, not missing")
    ends = np.cumsum(arrays["length"])[:-1]
    audio = arrays["audio"].astype(np.float32) / np.float32(1 << 15)
    features = log_mel(np.split(audio, ends), rate=RATE, hop=hop, frames=frames)
    known = features[chosen["train"]].reshape(-1, features.shape[2])
    features -= known.mean(axis=0, dtype=np.float64).astype(np.float32)
    # A band that never changes stays zero.
    spread = known.std(axis=0, dtype=np.float64).astype(np.float32)
    features /= np.where(spread > 0, spread, np.float32(1))
    labels = arrays["digit"].astype(np.int64)
    parts = {
        f"{part}_{name}": values[chosen[part]]
        for part in PARTS
        for name, values in (("x", features), ("y", labels))
    }
    return Dataset(name="spoken-digits", classes=10, **parts)


def _read_arrays(path: Path) -> dict[str, NDArray]:
    """Return the arrays of a file that is what it says."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in ("audio", *_PER_RECORDING)}
    except KeyError as error:
        raise ValueError(f"{path}: must hold {', '.join(_PER_RECORDING)} ({error})") from error
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{path}: must be a whole .npz file ({error})") from error
    return arrays
