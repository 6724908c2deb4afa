"""The plain arithmetic that a network's image, model and engine must agree with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from darb.golden.network import IntegerNetwork


def reference(
    network: IntegerNetwork, vectors: NDArray[np.integer], raw: bool = True
) -> NDArray[np.int64]:
    """Return the last layer's accumulators, or with ``raw=False`` its activations.

    Dense matrix products and Python integers; nothing of the packed format.

    Parameters
    ----------
    network : IntegerNetwork
    vectors : ndarray of int, shape (B, N)
    raw : bool

    Returns
    -------
    ndarray of int64, shape (B, M)
    """
    half = 1 << (network.activation_bits - 1)
    values = np.asarray(vectors, dtype=np.int64)
    for number, layer in enumerate(network.layers):
        sums = values @ layer.weights.astype(np.int64).T + layer.bias.astype(np.int64)
        if raw and number == len(network.layers) - 1:
            return sums
        low = 0 if layer.relu else -half
        values = np.array(
            [
                [
                    min(max((2 * a * m + (1 << s)) // (1 << (s + 1)), low), half - 1)
                    for a, m, s in zip(
                        row.tolist(), layer.multiplier.tolist(), layer.shift.tolist(), strict=True
                    )
                ]
                for row in sums
            ],
            dtype=np.int64,
        ).reshape(sums.shape)
    return values
