"""The engine in Amaranth's simulator: every word and every clock as golden says."""

import numpy as np
import pytest
from component_simulation import run_component
from random_networks import random_network, random_vectors, reference
from stream_ends import run_streams

from darb.golden import (
    EngineModel,
    IntegerLayer,
    IntegerNetwork,
    OutputMode,
    Pattern,
    Storage,
    fit_config,
    pack,
    schedule,
    timeline,
)
from darb.hw.engine import Engine
from darb.hw.stimulus import to_beats

VECTORS = 6


def check(image, network, vectors, rng, *, idle=0.0, blocked=0.0):
    """Hold one run of the engine against golden and, where it says the same, plain arithmetic."""
    plan = schedule(image)
    words, lasts, inputs, outputs, valids, readies = run_streams(
        Engine(config=image.config, memories=image.memories),
        to_beats(image, vectors).view(np.int8),
        rng,
        beats=plan.input_beats,
        due=len(vectors) * plan.output_beats,
        tail=2 * plan.cycles,
        idle=idle,
        blocked=blocked,
    )
    predicted = timeline(plan, image, len(vectors), valid=valids, ready=readies)
    expected = EngineModel(image).run(vectors)
    assert np.array_equal(np.reshape(words, expected.shape), expected)
    if image.config.output_mode is not OutputMode.ARGMAX:
        raw = image.config.output_mode is OutputMode.ACCUMULATORS
        assert np.array_equal(expected, reference(network, vectors, raw=raw))
    assert inputs == predicted.inputs.ravel().tolist()
    assert outputs == predicted.outputs.ravel().tolist()
    ends = [0] * (plan.output_beats - 1) + [1]
    assert lasts == ends * len(vectors)


@pytest.mark.parametrize("seed", range(20))
def test_engine_is_golden_bit_for_bit_and_clock_for_clock(seed):
    rng = np.random.default_rng(seed)
    lanes, rows = [1, 2, 4, 8, 16][seed % 5], [1, 2, 4, 8][seed // 5]
    sizes = [int(size) for size in rng.integers(1, 30, 2 + seed % 4)]
    network = random_network(
        rng,
        sizes,
        keeps=range(1, 5),
        weight_bits=[2, 4, 8][seed % 3],
        lanes=[None, lanes][seed % 2],
        spare_columns=[0.0, 0.3][seed // 10],
    )
    mode = list(OutputMode)[seed % 3]
    image = pack(network, fit_config(network, lanes=lanes, rows=rows, output_mode=mode))
    vectors = random_vectors(rng, network, VECTORS)
    idle, blocked = [(0, 0), (0.4, 0), (0, 0.9), (0.3, 0.5)][(seed // 3) % 4]

    check(image, network, vectors, rng, idle=idle, blocked=blocked)


@pytest.mark.parametrize(
    ("sizes", "ks", "keeps", "lanes", "rows", "activation_bits", "index_word_bits"),
    [
        ([300, 20, 5], (5, 6), (1, 4), 1, 1, 8, 12),
        ([150, 9], (6,), (1, 2), 2, 4, 5, 7),
        ([40, 12, 6], (0, 1), (1, 2), 4, 1, 2, 1),
        ([90, 30, 4], range(7), (1, 3), 2, 2, 3, 64),
        ([60, 40, 3], range(3, 7), (1, 4), 4, 2, 4, 25),
        ([600, 5], (8, 9), (1, 30), 1, 2, 8, 38),
        ([700, 4], (8,), (255,), 2, 1, 6, 17),
        ([4100, 3], (11, 12), (1, 9), 1, 1, 8, 50),
        ([30, 5, 4], range(5), (1,), 16, 16, 7, 12),
    ],
)
def test_unusual_widths_and_patterns(
    sizes, ks, keeps, lanes, rows, activation_bits, index_word_bits
):
    rng = np.random.default_rng(sizes[0])
    network = random_network(rng, sizes, ks=ks, keeps=keeps, activation_bits=activation_bits)
    config = fit_config(network, lanes=lanes, rows=rows, index_word_bits=index_word_bits)
    check(pack(network, config), network, random_vectors(rng, network, 3), rng)


def test_accumulators_exactly_full():
    layer = IntegerLayer(
        name="full",
        weights=[[127, 127], [-127, -127], [127, -127]],
        bias=[255, -255, 0],
        multiplier=[1 << 15] * 3,
        shift=[30] * 3,
        relu=False,
        patterns=(Pattern(0),) * 3,
        columns=[0, 1],
    )
    network = IntegerNetwork(layers=(layer,))
    image = pack(network, fit_config(network, lanes=2, rows=1))
    assert image.config.accumulator_bits == 16
    extremes = np.array([[-128, -128], [127, 127], [-128, 127], [127, -128]])
    check(image, network, extremes, np.random.default_rng(0))


def test_an_image_of_another_format_is_not_computed_with():
    rng = np.random.default_rng(1)
    network = random_network(rng, [4, 3])
    image = pack(network, fit_config(network, lanes=2, rows=1))
    memories = {name: words.copy() for name, words in image.memories.items()}
    memories["layers"][1, 0] += 1
    engine = Engine(config=image.config, memories=memories)

    async def bench(ctx):
        ctx.set(engine.i.valid, 1)
        for _ in range(50):
            assert not ctx.get(engine.i.ready)
            await ctx.tick()
        assert ctx.get(engine.booted)

    run_component(engine, bench)


def test_engine_refuses_what_is_no_config():
    with pytest.raises(TypeError, match="config must be an EngineConfig, not 'small'"):
        Engine(config="small")


def test_engine_refuses_a_storage_that_is_none_and_contents_for_ram():
    network = random_network(np.random.default_rng(1), [3, 2])
    image = pack(network, fit_config(network, lanes=1, rows=1))
    with pytest.raises(TypeError, match="storage must be a Storage, not 'ram'"):
        Engine(config=image.config, storage="ram")
    message = r"memories must be None with storage ram, not \['weights', .*'layers'\]"
    with pytest.raises(ValueError, match=message):
        Engine(config=image.config, storage=Storage.RAM, memories=image.memories)
