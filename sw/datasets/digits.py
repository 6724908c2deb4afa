"""scikit-learn's bundled handwritten digits."""

from __future__ import annotations

import numpy as np

from darb.sw.datasets.dataset import Dataset

_SPLIT_SEED = 0


def digits() -> Dataset:
    """Return scikit-learn's 1797 handwritten digits of 8 x 8 pixels.

    Of every class 60 % are for training, 15 % for validation and 25 % for test. The split is
    always the same, so that a network from disk has never seen the test part, whatever the seed
    it was trained with.
    """
    from sklearn.datasets import load_digits

    bundle = load_digits()
    images = (bundle.data / 16.0).astype(np.float32)
    labels = bundle.target.astype(np.int64)
    generator = np.random.default_rng(_SPLIT_SEED)
    parts: tuple[list, list, list] = ([], [], [])
    for label in range(10):
        members = generator.permutation(np.flatnonzero(labels == label))
        ends = [round(0.6 * members.size), round(0.75 * members.size)]
        for part, piece in zip(parts, np.split(members, ends), strict=True):
            part.append(piece)
    train, validation, test = (generator.permutation(np.concatenate(part)) for part in parts)
    return Dataset(
        name="digits",
        train_x=images[train],
        train_y=labels[train],
        validation_x=images[validation],
        validation_y=labels[validation],
        test_x=images[test],
        test_y=labels[test],
        classes=10,
    )
