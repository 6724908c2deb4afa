"""One run of a rival engine in Amaranth's simulator, held against its golden model."""

from __future__ import annotations

import numpy as np
from sparse_layers import layer_reference
from stream_ends import run_streams

from darb.golden import IntegerLayer, OutputMode
from darb.golden.baselines import BaselineModel, Outcome
from darb.hw.baselines.stimulus import baseline_beats


def check_engine(
    engine: object,
    model: BaselineModel,
    layer: IntegerLayer,
    seed: int,
    *,
    idle: float = 0.0,
    blocked: float = 0.0,
    vectors: int = 7,
) -> Outcome:
    """Compare every word and clock with golden, and golden with plain arithmetic.

    Returns what the engine makes of its layer when both streams flow freely.
    """
    config, rng = model.image.config, np.random.default_rng(seed)
    half = 1 << (config.activation_bits - 1)
    given = rng.integers(-half, half, (vectors, config.columns))
    given[0], given[-1] = -half, half - 1
    expected = model.run(given)
    free = model.outcome()
    words, lasts, inputs, outputs, valids, readies = run_streams(
        engine,
        baseline_beats(config, given).view(np.int8),
        rng,
        beats=config.input_beats,
        due=expected.size,
        tail=2 * free.latency,
        idle=idle,
        blocked=blocked,
    )
    predicted = model.timeline(vectors, valid=valids, ready=readies)
    raw = config.output_mode is OutputMode.ACCUMULATORS
    plain = layer_reference(layer, given, activation_bits=config.activation_bits, raw=raw)
    assert np.array_equal(expected, plain), f"seed {seed}"
    assert np.array_equal(np.reshape(words, expected.shape), expected), f"seed {seed}"
    assert inputs == predicted.inputs.ravel().tolist(), f"seed {seed}"
    assert outputs == predicted.outputs.ravel().tolist(), f"seed {seed}"
    assert lasts == ([0] * (config.rows - 1) + [1]) * vectors, f"seed {seed}"
    return free
