"""Several weights a block, on the engine: the golden model against plain matrix products."""

import numpy as np
import pytest
import torch

from darb.golden import EngineModel, fit_config, pack
from darb.golden.fixed_point import requantize
from darb.hw import simulate
from darb.sw.exporting import export, random_vectors
from darb.sw.networks import mlp
from darb.sw.pruning import BankBalanced, Mask, NOfM, prune
from darb.sw.quantization import quantize

torch.set_num_threads(1)
X = torch.rand(100, 40, generator=torch.Generator().manual_seed(0))


def reference(network, vectors):
    """Return the last layer's accumulators, in Python integers."""
    values = vectors.astype(object)
    for index, layer in enumerate(network.layers):
        sums = values @ layer.weights.astype(object).T + layer.bias.astype(object)
        if index + 1 == len(network.layers):
            return sums
        values = requantize(
            sums.astype(np.int64), layer.multiplier, layer.shift, bits=8, relu=layer.relu
        ).astype(object)
    raise AssertionError


@pytest.mark.parametrize(
    ("method", "lanes", "settings"),
    [
        (NOfM(m=4), 4, {}),
        (NOfM(m=8), 4, {"lanes": 4, "rows": 2}),
        (NOfM(m=16), 2, {"order": "spread", "left_out": 0.2}),
        (NOfM(m=64), 8, {"lanes": 8}),
        (BankBalanced(banks=8), 8, {}),
        (BankBalanced(banks=4), 4, {"order": "spread", "left_out": 0.2}),
        (BankBalanced(banks=10), 2, {}),
        (BankBalanced(banks=16), 16, {}),
        ("darb", 4, {"max_keep": 3}),
        ("darb", 4, {"max_keep": 5, "lanes": 4, "rows": 2}),
        ("bmwm", 2, {"max_keep": 3, "order": "natural"}),
        ("darb", 4, {"max_keep": 3, "order": "searched", "left_out": "searched"}),
        (NOfM(m=8), 4, {"lanes": 4, "rows": 2, "order": "searched"}),
    ],
    ids=repr,
)
@pytest.mark.parametrize("ratio", [2, 3.5])
def test_golden_is_exact(method, lanes, settings, ratio):
    model = mlp((40, 32, 16), seed=2)
    if method == BankBalanced(banks=16) and ratio > 2:
        ratio = 2.1
    pruned = prune(model, ratio=ratio, method=method, calibration=X, **settings).finalize()
    assert all(isinstance(layer, Mask) for layer in pruned.layers.values())
    network = quantize(pruned, X)
    image = pack(network, fit_config(network, lanes=lanes, rows=2))
    vectors = random_vectors(network, count=12, seed=3)
    outputs = EngineModel(image).run(vectors)
    assert (outputs == reference(network, vectors)).all()
    for layer, kept in zip(network.layers, pruned.layers.values(), strict=True):
        assert not layer.weights[~kept.mask].any()
        assert np.count_nonzero(layer.weights) > kept.stored / 2


def test_darb_mixes_counts_a_block():
    pruned = prune(mlp((40, 32, 16), seed=2), ratio=4, max_keep=3, calibration=X).finalize()
    patterns = {pattern for layer in pruned.layers.values() for pattern in layer.sections()}
    assert {pattern.keep for pattern in patterns} == {1, 2, 3}


def test_image_directory(tmp_path):
    pruned = prune(mlp((40, 32, 16)), ratio=4, method="n_m", calibration=X).finalize()
    directory = export(quantize(pruned, X), tmp_path / "image", lanes=4, rows=2)
    assert (directory / "image.json").is_file()


@pytest.mark.slow
@pytest.mark.icarus
def test_mixed_counts_a_block_in_the_generated_verilog(tmp_path):
    model = mlp((24, 12, 6), seed=5)
    pruned = prune(model, ratio=3, max_keep=3, lanes=2, rows=2, calibration=X[:, :24]).finalize()
    patterns = {pattern for layer in pruned.layers.values() for pattern in layer.sections()}
    assert max(pattern.keep for pattern in patterns) == 3
    network = quantize(pruned, X[:, :24])
    vectors = random_vectors(network, count=6, seed=6)
    image = export(network, tmp_path / "image", lanes=2, rows=2, vectors=vectors)
    result = simulate(image, simulator="icarus")
    assert result.exact
    assert (result.outputs == reference(network, vectors)).all()
