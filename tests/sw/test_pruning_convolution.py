"""Conv2d layers under every method: kernels, channels, and the power of their inputs."""

import re

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from darb.sw.pruning import METHODS, LayerOverride, Mask, NOfM, Structured, prune
from darb.sw.pruning.input_power import input_rms
from darb.sw.pruning.layer_modules import PrunableWeight, mask_like, prunable_weights, weight_matrix
from darb.sw.pruning.saliency import activation
from darb.sw.quantization import quantize

torch.set_num_threads(1)

IMAGES = torch.rand(20, 2, 9, 8, generator=torch.Generator().manual_seed(0))


class Small(nn.Module):
    """Two convolutions and two fully connected layers, with what no engine computes between."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(2, 8, 3, padding=1)
        self.second = nn.Conv2d(8, 16, (3, 2), bias=False)
        self.third = nn.Linear(16 * 2 * 2, 24)
        self.last = nn.Linear(24, 16)

    def forward(self, x):
        x = functional.max_pool2d(self.first(x).tanh(), 2)
        return self.last(self.third(self.second(x).relu().flatten(1)[:, :64]).tanh())


def small():
    torch.manual_seed(0)
    return Small()


@pytest.mark.parametrize("method", [*METHODS, *(Structured(unit=u) for u in ("channel", "kernel"))])
@pytest.mark.parametrize("saliency", ["magnitude", "activation"])
def test_every_method(method, saliency):
    model = small()
    layers = {"first": LayerOverride(ratio=1.5)} if method != "bmwm" else {}
    pruner = prune(
        model,
        ratio=4,
        method=method,
        saliency=saliency,
        calibration=IMAGES,
        layers=layers,
        ramp_steps=6,
        ramp_every=2,
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for _ in range(8):
        optimizer.zero_grad()
        model(IMAGES).square().mean().backward()
        optimizer.step()
        pruner.step()
    pruned = pruner.finalize()
    assert list(pruned.layers) == ["first", "second", "third", "last"]
    for name, kept in pruned.layers.items():
        weight = weight_matrix(model.get_submodule(name).weight)
        assert kept.mask.shape == weight.shape
        assert kept.live.all()
        assert not weight[~kept.mask].any()
        assert weight[kept.mask].any()
    first, *others = pruned.report.layers
    if layers:
        assert first.slots <= first.weights / 1.5
        assert sum(layer.slots for layer in others) <= sum(layer.weights for layer in others) / 4
    else:
        assert pruned.report.slots <= pruned.report.weights / 4


@pytest.mark.parametrize(("unit", "count"), [("channel", 2), ("kernel", 32), ("row", 4)])
def test_units_of_a_convolution(unit, count):
    model = small()
    pruner = prune(
        model,
        ratio=4,
        method=Structured(unit=unit),
        saliency="magnitude",
        layers={"first": LayerOverride(ratio=1)},
    )
    kept = pruner.masks["second"].mask.reshape(16, 8, 6)
    whole = {"channel": kept.all(axis=(0, 2)), "kernel": kept.all(axis=2), "row": kept.all((1, 2))}
    assert whole[unit].sum() == count
    assert kept.sum() == 16 * 8 * 6 // 4
    assert torch.equal(model.second.weight != 0, torch.as_tensor(kept.reshape(16, 8, 3, 2)))


def test_columns_of_a_convolution_are_input_channel_kernel_row_kernel_column():
    weight = torch.arange(2 * 3 * 2 * 4.0).reshape(2, 3, 2, 4)
    matrix = weight_matrix(weight)
    assert matrix[1, (2 * 2 + 1) * 4 + 3] == weight[1, 2, 1, 3]
    assert (mask_like(matrix > 30, weight) == (weight > 30)).all()
    assert PrunableWeight("a", nn.Conv2d(3, 2, (2, 4))).area == 8
    assert PrunableWeight("a", nn.Linear(3, 2)).area == 1
    model = small()
    own = {"second": LayerOverride(ratio=4)}
    got = prune(model, ratio=2, method=NOfM(m=4), saliency="magnitude", layers=own).masks["second"]
    assert isinstance(got, Mask)
    assert (got.mask.reshape(-1, 4).sum(axis=1) == 1).all()


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"padding": (1, 2), "stride": 2},
        {"padding": "same", "dilation": (2, 1)},
        {"padding": "valid"},
        {"padding": 1, "padding_mode": "reflect"},
        {"groups": 2, "padding": 1},
    ],
)
def test_input_power_of_a_convolution(settings):
    """What a weight adds to its output, at every position, is measured one weight at a time."""
    layer = nn.Conv2d(2, 4, (2, 3), bias=False, **settings)
    rms = input_rms(layer, prunable_weights(layer), IMAGES)[""]
    wanted = np.empty((4, layer.weight[0].numel()))
    for row in range(4):
        for column in range(wanted.shape[1]):
            with torch.no_grad():
                layer.weight.zero_()
                layer.weight[row].view(-1)[column] = 1
                wanted[row, column] = layer(IMAGES)[:, row].double().square().mean().sqrt()
    np.testing.assert_allclose(np.broadcast_to(rms, wanted.shape), wanted, rtol=1e-5)
    scores = activation(np.full(wanted.shape, 2.0), rms)
    np.testing.assert_allclose(scores, 2 * wanted, rtol=1e-5)


def test_input_power_over_calls_and_leading_axes():
    layer = nn.Linear(8, 3)
    model = nn.Sequential(layer)
    rms = input_rms(model, prunable_weights(model), IMAGES)["0"]
    np.testing.assert_allclose(rms, IMAGES.square().mean(dim=(0, 1, 2)).sqrt().numpy(), rtol=1e-5)

    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = layer

        def forward(self, x):
            return self.layer(x) + self.layer(input=3 * x[:5])[:1]

    model = Twice()
    twice = input_rms(model, prunable_weights(model), IMAGES)["layer"]
    both = torch.cat([IMAGES, 3 * IMAGES[:5]])
    np.testing.assert_allclose(twice, both.square().mean(dim=(0, 1, 2)).sqrt().numpy(), rtol=1e-5)


class Idle(nn.Module):
    """Its second layer never runs."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(2, 4, 3), nn.Linear(4, 4)

    def forward(self, x):
        return self.a(x)


@pytest.mark.parametrize(
    ("model", "calibration", "text"),
    [
        (Idle(), IMAGES, "layer b must run for saliency 'activation', not 0 times"),
        (small(), IMAGES[:0], "calibration must be a batch of inputs, not shape (0, 2, 9, 8)"),
        (
            small(),
            IMAGES * float("nan"),
            "calibration must be finite, not with NaN or infinity",
        ),
    ],
)
def test_refused(model, calibration, text):
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        prune(model, ratio=2, method="irregular", calibration=calibration)


def test_inputs_that_the_model_does_not_take():
    with pytest.raises(ValueError, match=r"^calibration must be inputs that the model takes, not "):
        prune(small(), ratio=2, method="irregular", calibration=IMAGES[:, :1])


def test_nan_weights_are_refused():
    model = small()
    with torch.no_grad():
        model.second.weight[3, 1, 2, 0] = float("nan")
    with pytest.raises(ValueError, match=r"^weights must be finite: row 3, column 10 is not"):
        prune(model, ratio=2, method="block", saliency="magnitude")


def test_convolutions_do_not_export_yet():
    pruned = prune(small(), ratio=4, method="n_m", calibration=IMAGES).finalize()
    with pytest.raises(ValueError, match=r"^layer third must take the input as it is"):
        quantize(pruned, IMAGES)
