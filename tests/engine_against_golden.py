"""One run of a rival engine in Amaranth's simulator, held against its golden model."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sparse_layers import layer_reference
from stream_ends import run_streams

from darb.golden import IntegerLayer
from darb.golden.baselines import BaselineModel, Outcome
from darb.hw.baselines.simulation import ENGINES
from darb.hw.baselines.stimulus import baseline_beats


def check_engine(
    model: BaselineModel,
    layer: IntegerLayer,
    seed: int,
    *,
    idle: float = 0.0,
    blocked: float = 0.0,
    vectors: int | NDArray[np.integer] = 7,
) -> Outcome:
    """Compare every word and clock with golden, and golden with plain arithmetic.

    The vectors are given, shape (B, N), or so many random ones. Returns what the engine makes of
    those given, or of vectors without zeros, when both streams flow freely.
    """
    image, rng = model.image, np.random.default_rng(seed)
    config, given = image.config, vectors
    if isinstance(given, int):
        half = 1 << (config.activation_bits - 1)
        given = rng.integers(-half, half, (vectors, config.columns))
        given[0], given[-1] = -half, half - 1
    expected = model.run(given)
    words, lasts, inputs, outputs, valids, readies = run_streams(
        ENGINES[type(config)](config=config, memories=image.memories),
        baseline_beats(config, given).view(np.int8),
        rng,
        beats=config.input_beats,
        due=expected.size,
        tail=2 * model.outcome().latency,
        idle=idle,
        blocked=blocked,
    )
    predicted = model.timeline(given, valid=valids, ready=readies)
    assert np.array_equal(expected, layer_reference(layer, given, config)), f"seed {seed}"
    assert np.array_equal(np.reshape(words, expected.shape), expected), f"seed {seed}"
    assert inputs == predicted.inputs.ravel().tolist(), f"seed {seed}"
    assert outputs == predicted.outputs.ravel().tolist(), f"seed {seed}"
    assert lasts == ([0] * (config.rows - 1) + [1]) * len(given), f"seed {seed}"
    return model.outcome(None if isinstance(vectors, int) else given)
