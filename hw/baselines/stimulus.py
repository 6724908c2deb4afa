"""Input vectors as the beats of a rival engine's input stream."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from darb.golden.baselines.config import BaselineConfig


def baseline_beats(config: BaselineConfig, vectors: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Cut vectors into beats.

    Parameters
    ----------
    config : BaselineConfig
    vectors : ndarray of int, shape (B, N)

    Returns
    -------
    ndarray of uint8, shape (B * input_beats, beat)
        Byte s of beat b of a vector is column ``b * beat + s``, two's complement; 0 where there is
        no such column.
    """
    padded = np.zeros((len(vectors), config.input_beats * config.beat), dtype=np.int8)
    padded[:, : config.columns] = vectors
    return padded.reshape(-1, config.beat).view(np.uint8)
