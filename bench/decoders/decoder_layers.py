"""Layers of random weights, pruned as each engine's format asks for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from darb.golden import IntegerLayer, Pattern
from darb.sw.folding import choose_folding, pattern_network
from darb.sw.pruning import Irregular, Mask, SquareBlocks, mask

SPREAD = 0.3
"""Standard deviation of the logarithms of rows' and columns' scales.

At ratio 16 irregular pruning then gives rows densities that vary by 0.7 of their mean, the largest
4 to 5 times the mean. In the trained LeNet-300-100 and LSTM of docs/results/pruning.md rows vary by
0.4 to 1.1, columns by 0.3 to 1.
"""
SHAPES = ((512, 512), (1024, 1024), (2048, 1024))
RATIOS = (4, 8, 16, 32, 64)
VECTORS = 32
"""Input vectors that an engine is timed with whose clocks depend on them."""
_MAX_K = 8
_LIMIT = 127


@dataclass(frozen=True, kw_only=True)
class Work:
    """A layer to compute, ready for one engine.

    Parameters
    ----------
    layer : IntegerLayer
    vectors : ndarray of int64, shape (B, N)
        Inputs like those to come.
    lanes, rows : int, optional
        Fold that the pattern was chosen for.
    """

    layer: IntegerLayer
    vectors: NDArray[np.int64]
    lanes: int | None = None
    rows: int | None = None


def synthetic_weights(rows: int, columns: int, *, seed: int = 0) -> NDArray[np.float64]:
    """Return weights as training leaves them: rows and columns of unlike size, many small ones."""
    rng = np.random.default_rng([rows, columns, seed])
    down, across = (np.exp(SPREAD * rng.standard_normal(count)) for count in (rows, columns))
    return down[:, None] * across * rng.laplace(size=(rows, columns))


def _synthetic_layer(weights: NDArray[np.float64], chosen: object, *, seed: int) -> IntegerLayer:
    rng = np.random.default_rng(seed)
    m, n = weights.shape
    kept = chosen.mask if chosen is not None else np.ones_like(weights, dtype=bool)
    scaled = np.abs(weights) * (_LIMIT / np.abs(weights).max(axis=1, keepdims=True))
    # What stays is worth a weight of at least one step.
    integers = np.where(kept, np.sign(weights) * np.maximum(1, np.rint(scaled)), 0)
    regular = isinstance(chosen, Mask)
    return IntegerLayer(
        name="synthetic",
        weights=integers.astype(np.int64),
        bias=rng.integers(-5000, 5000, m),
        multiplier=rng.integers(1 << 15, 1 << 16, m),
        shift=rng.integers(20, 26, m),
        relu=False,
        patterns=chosen.patterns if regular else (Pattern(0, 1),) * m,
        columns=chosen.columns if regular else np.arange(n),
        align=chosen.align if regular else 1,
    )


def _activations(columns: int, *, density: float, seed: int = 1) -> NDArray[np.int64]:
    rng = np.random.default_rng(seed)
    values = rng.integers(1, _LIMIT + 1, (VECTORS, columns))
    return np.where(rng.random(values.shape) < density, values, 0)


def synthetic(
    shape: tuple[int, int], method: str, ratio: int, *, multipliers: int, density: float
) -> Work:
    """Return one layer of random weights, pruned by its magnitudes.

    Parameters
    ----------
    shape : tuple of int
        (M, N).
    method : str
        ``dense``, ``irregular``, ``block-2``, ``block-4``, ``block-8`` or ``darb``.
    ratio : int
    multipliers : int
        P, which DARB's pattern is chosen for.
    density : float
        Share of the activations that are not zero.
    """
    weights = synthetic_weights(*shape)
    vectors = _activations(shape[1], density=density)
    if method == "darb":

        def chosen(lanes: int, rows: int) -> Mask:
            return mask(weights, ratio=ratio, lanes=lanes, rows=rows, max_k=_MAX_K)

        fold = choose_folding(
            lambda lanes, rows: pattern_network({"synthetic": chosen(lanes, rows)}),
            multipliers=multipliers,
        )
        layer = _synthetic_layer(weights, chosen(fold.lanes, fold.rows), seed=ratio)
        return Work(layer=layer, vectors=vectors, lanes=fold.lanes, rows=fold.rows)
    kept = None
    if method == "irregular":
        kept = mask(weights, ratio=ratio, method=Irregular())
    elif method != "dense":
        size = int(method.removeprefix("block-"))
        kept = mask(weights, ratio=ratio, method=SquareBlocks(size=size))
    return Work(layer=_synthetic_layer(weights, kept, seed=ratio), vectors=vectors)
