"""Tiles of DPP on the engine: quantised, packed, modelled and simulated, against plain products."""

import numpy as np
import pytest
import torch
from random_networks import random_vectors, reference

from darb.golden import EngineModel, Pattern, fit_config, pack, unpack
from darb.hw import simulate
from darb.sw.dpp import Dpp, DppConfig, DppLayerRule
from darb.sw.exporting import export
from darb.sw.networks import mlp
from darb.sw.quantization import quantize

torch.set_num_threads(1)

X = torch.rand(60, 30, generator=torch.Generator().manual_seed(0))


def pruned_by_dpp(sizes, *, seed=0, **settings):
    """A network whose masks have moved away from where they started."""
    model = mlp(sizes, seed=seed)
    dpp = Dpp(DppConfig(epochs=2, seed=seed, **settings))
    dpp.prepare(model)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    for epoch in range(2):
        dpp.step(epoch)
        for _ in range(5):
            optimizer.zero_grad()
            (model(X[:, : sizes[0]]) - 1).square().mean().backward()
            optimizer.step()
    return dpp.finalize()


def codes_match(network, pruned):
    """The integers are the trained weights over one step a row, to the last code."""
    modules = dict(pruned.model.named_modules())
    for layer in network.layers:
        weight = modules[layer.name].weight.detach().double().numpy()
        step = np.abs(weight).max(axis=1) / np.maximum(1, np.abs(layer.weights).max(axis=1))
        assert np.allclose(layer.weights * step[:, None], weight, atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "lanes", "pattern"),
    [
        ({"granularity": "tiles", "tile": 8, "keep": 2}, 1, Pattern(3, 2)),
        ({"granularity": "tiles", "tile": 8, "keep": 2}, 4, Pattern(3, 2)),
        ({"granularity": "tiles", "tile": 4, "keep": 1, "lanes": 4}, 4, Pattern(2, 1)),
        # Segments of 8 columns (30 over 4 lanes): one tile a lane.
        ({"granularity": "tiles", "tile": 8, "keep": 3, "lanes": 4}, 4, Pattern(3, 3)),
        ({"granularity": "weights", "keep": 5}, 2, Pattern(5, 5)),
    ],
)
@pytest.mark.parametrize("rows", [1, 2])
def test_the_engine_computes_the_plain_product(settings, lanes, pattern, rows):
    pruned = pruned_by_dpp((30, 21, 18, 6), **settings)
    network = quantize(pruned, X)
    assert network.layers[0].patterns == (pattern,) * 21
    image = pack(network, fit_config(network, lanes=lanes, rows=rows))
    assert unpack(image) == network.drop_dead_rows()
    vectors = random_vectors(np.random.default_rng(3), network, 20)
    assert np.array_equal(EngineModel(image).run(vectors), reference(network, vectors))


@pytest.mark.parametrize(("bits", "weight_bits"), [(8, 8), (4, 4), (1, 2)])
def test_trained_quantised_weights_are_the_engines_own(bits, weight_bits):
    pruned = pruned_by_dpp((30, 21, 6), granularity="tiles", tile=8, keep=2, bits=bits)
    network = quantize(pruned, X, weight_bits=weight_bits)
    codes_match(network, pruned)
    image = pack(network, fit_config(network, lanes=4, rows=1))
    vectors = random_vectors(np.random.default_rng(4), network, 10)
    assert np.array_equal(EngineModel(image).run(vectors), reference(network, vectors))
    if bits == 1:
        assert {abs(int(code)) for layer in network.layers for code in layer.weights.flat} == {0, 1}


def test_dense_and_tiled_layers_share_an_engine():
    pruned = pruned_by_dpp(
        (30, 21, 6),
        granularity="tiles",
        tile=8,
        keep=2,
        layers={"2": DppLayerRule(ratio=1)},
    )
    assert pruned.layers["2"].patterns == (Pattern(0),) * 6
    network = quantize(pruned, X)
    image = pack(network, fit_config(network, lanes=4, rows=2))
    vectors = random_vectors(np.random.default_rng(5), network, 10)
    assert np.array_equal(EngineModel(image).run(vectors), reference(network, vectors))


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        {"granularity": "tiles", "tile": 4, "keep": 2},
        {"granularity": "tiles", "tile": 8, "keep": 1, "lanes": 2, "bits": 1},
    ],
)
def test_the_generated_verilog_on_verilator(settings, tmp_path):
    pruned = pruned_by_dpp((12, 9, 4), **settings)
    network = quantize(pruned, X[:, :12], weight_bits=2 if settings.get("bits") else 8)
    vectors = random_vectors(np.random.default_rng(6), network, 6)
    image = export(network, tmp_path / "image", lanes=2, rows=1, vectors=vectors)
    result = simulate(image)
    assert result.exact
    assert np.array_equal(result.outputs, reference(network, vectors))
