"""Integer accuracy, by the kind of network: which numbers decide, and what is refused."""

import re

import numpy as np
import pytest
import torch
from torch import nn

from darb.golden import EngineModel, fit_config, pack
from darb.sw.integer_accuracy import quantized_accuracy
from darb.sw.integer_chain import IntegerChain
from darb.sw.integer_recurrence import IntegerRecurrentNetwork
from darb.sw.networks import lenet5, mlp, speech_classifier
from darb.sw.pruning import Irregular, prune
from darb.sw.quantization import quantize, quantize_input

# More than one chunk, the last one not full.
COUNT = 600
GENERATOR = torch.Generator().manual_seed(0)
X = torch.rand(COUNT, 20, generator=GENERATOR)
LABELS = torch.randint(0, 10, (COUNT,), generator=GENERATOR)
IMAGES = torch.rand(COUNT, 784, generator=GENERATOR)
FRAMES = torch.randn(COUNT, 4, 10, generator=GENERATOR)
WIDTHS = {"weight_bits": 4, "activation_bits": 5}


def engine_classes(model):
    network = quantize(model, X, **WIDTHS)
    image = pack(network, fit_config(network, lanes=4, rows=2))
    return EngineModel(image).run(quantize_input(network, X)).argmax(axis=1)


def share_right(classes):
    return (torch.as_tensor(classes) == LABELS).double().mean().item()


def test_linear_layers_are_what_the_engine_computes():
    model = mlp((20, 40, 10), seed=1)
    classes = engine_classes(model)
    assert quantized_accuracy(model, X, classes, X, **WIDTHS) == 1.0
    assert quantized_accuracy(model, X, LABELS, X, **WIDTHS) == share_right(classes)
    with torch.no_grad():
        assert (model(X).argmax(dim=1).numpy() != classes).any()


def test_a_pruned_model_keeps_its_column_order():
    model = mlp((20, 40, 10), seed=1)
    pruned = prune(model, ratio=3, calibration=X, order="spread", lanes=4, rows=2).finalize()
    with torch.no_grad():
        # Of rows that no column names: they would widen the scale.
        model[0].bias[~torch.as_tensor(pruned.layers["0"].live)] = 50.0
    assert not pruned.layers["0"].live.all()
    classes = engine_classes(pruned)
    assert quantized_accuracy(pruned, X, classes, X, **WIDTHS) == 1.0
    assert quantized_accuracy(model, X, classes, X, **WIDTHS) < 0.9


def test_a_model_without_row_patterns_is_measured_all_the_same():
    model = mlp((20, 40, 10), seed=1)
    pruned = prune(model, ratio=3, method=Irregular(), saliency="magnitude").finalize()
    wanted = quantized_accuracy(model, X, LABELS, X, **WIDTHS)
    assert quantized_accuracy(pruned, X, LABELS, X, **WIDTHS) == wanted
    assert wanted == share_right(engine_classes(model))


def test_convolutional_networks():
    model = lenet5(seed=1)
    pruned = prune(model, ratio=4, calibration=IMAGES[:50]).finalize()
    sums = IntegerChain(model, IMAGES[:100], **WIDTHS).accumulators(IMAGES)
    wanted = share_right(sums.argmax(axis=1))
    for measured in (model, pruned):
        got = quantized_accuracy(measured, IMAGES, LABELS, IMAGES[:100], **WIDTHS)
        assert got == wanted


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_recurrent_networks(kind):
    model = speech_classifier(kind=kind, bands=10, hidden=8, seed=1)
    outputs = IntegerRecurrentNetwork(model, FRAMES, **WIDTHS).outputs(FRAMES)
    got = quantized_accuracy(model, FRAMES, LABELS, FRAMES, **WIDTHS)
    assert got == share_right(outputs.argmax(axis=1))


def test_arrays_are_taken_as_tensors_are():
    model = mlp((20, 40, 10), seed=1)
    wanted = quantized_accuracy(model, X, LABELS, X)
    arrays = X.numpy().astype(np.float64), LABELS.numpy().astype(np.int32), X.numpy()
    arrays[0].flags.writeable = False
    assert quantized_accuracy(model, *arrays) == wanted


@pytest.mark.parametrize(
    ("changed", "kind", "text"),
    [
        ({"weight_bits": 1}, ValueError, "weight_bits must be in 2..8, not 1"),
        ({"activation_bits": 8.0}, TypeError, "activation_bits must be an int, not 8.0"),
        ({"x": [1.0]}, TypeError, "x must be a tensor or an array, not [1.0]"),
        ({"x": X > 0}, TypeError, "x must be real numbers, not torch.bool"),
        ({"x": X / 0}, ValueError, "x must be finite, not with NaN or infinity"),
        ({"y": 3}, TypeError, "y must be a tensor or an array, not 3"),
        ({"y": LABELS / 2}, TypeError, "y must be integers, not torch.float32"),
        (
            {"y": LABELS[:3]},
            ValueError,
            "y must have one label for each of at least one input, shape (600,), not (3,)",
        ),
        (
            {"x": X[:0], "y": LABELS[:0]},
            ValueError,
            "y must have one label for each of at least one input, shape (0,), not (0,)",
        ),
        ({"model": 3}, TypeError, "model must be a torch.nn.Module, not 3"),
        (
            {"model": nn.ReLU()},
            ValueError,
            "model must have at least one Linear, Conv2d, LSTM or GRU layer, not 'ReLU'",
        ),
    ],
)
def test_refused(changed, kind, text):
    arguments = {"model": mlp((20, 10)), "x": X, "y": LABELS, "calibration": X, **changed}
    with pytest.raises(kind, match=f"^{re.escape(text)}$"):
        quantized_accuracy(**arguments)
