"""Log-mel features: how loud a recording is in each band of the ear's scale, frame by frame."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

BANDS = 40
_WINDOW = 0.025
# About the quietest that a recording of 16 bits has in a band; without it silence were minus
# infinity, and noise far below anything that is heard would fill half of the range.
_FLOOR = 1e-6
_AT_ONCE = 500


def log_mel(
    recordings: Sequence[NDArray[np.float32]], *, rate: int, hop: int, frames: int
) -> NDArray[np.float32]:
    """Return the log-mel features of recordings, cut or padded to one length.

    All end with the last frame: a recurrent network's last state is then that after the last
    sound. What is too short begins with silence; what is too long loses its beginning.

    Parameters
    ----------
    recordings : sequence of ndarray of float32, shape (samples,)
        In -1..1.
    rate : int
        Samples a second.
    hop : int
        Samples from one frame to the next.
    frames : int
        T.

    Returns
    -------
    ndarray of float32, shape (B, T, 40)
        Natural logarithms of power.

    Raises
    ------
    ModuleNotFoundError
        If librosa is not installed.
    """
    try:
        from librosa.feature import melspectrogram
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "librosa must be installed for log-mel features: pip install 'darb[audio]'",
            name=error.name,
        ) from error
    window = round(_WINDOW * rate)
    size = 1 << (window - 1).bit_length()
    samples = np.zeros((len(recordings), size + (frames - 1) * hop), dtype=np.float32)
    for row, recording in zip(samples, recordings, strict=True):
        kept = recording[-row.size :]
        row[row.size - kept.size :] = kept
    parts = [
        melspectrogram(
            y=some,
            sr=rate,
            n_fft=size,
            win_length=window,
            hop_length=hop,
            n_mels=BANDS,
            center=False,
        )
        # Spectra of all at once would take many times the room of the recordings.
        for some in np.array_split(samples, -(-len(samples) // _AT_ONCE))
    ]
    levels = np.log(np.concatenate(parts) + np.float32(_FLOOR))
    return np.ascontiguousarray(levels.transpose(0, 2, 1), dtype=np.float32)
