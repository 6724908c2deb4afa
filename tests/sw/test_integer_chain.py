"""Convolutional networks in integers: against golden and plain products; what is refused."""

import re

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from darb.golden import EngineModel, fit_config, pack
from darb.golden.fixed_point import requantize
from darb.sw.integer_chain import IntegerChain
from darb.sw.networks import lenet5, mlp
from darb.sw.quantization import quantize, quantize_input

X = torch.rand(300, 20, generator=torch.Generator().manual_seed(0)) - 0.3
IMAGES = torch.rand(40, 784, generator=torch.Generator().manual_seed(1))
TINY = torch.rand(30, 1, 6, 6, generator=torch.Generator().manual_seed(2)) - 0.5


@pytest.mark.parametrize(("weight_bits", "activation_bits"), [(8, 8), (4, 8), (3, 5)])
def test_linear_layers_are_as_golden_has_them(weight_bits, activation_bits):
    model = mlp((20, 40, 30, 10), dropout=0.5, seed=1)
    widths = {"weight_bits": weight_bits, "activation_bits": activation_bits}
    network = quantize(model, X, **widths)
    image = pack(network, fit_config(network, lanes=4, rows=2))
    wanted = EngineModel(image).run(quantize_input(network, X))
    chain = IntegerChain(model, X, **widths)
    assert (chain.accumulators(X) == wanted).all()
    for layer, golden in zip(chain.layers, network.layers, strict=True):
        assert (layer.rows.weights == golden.weights).all()


def test_linear_layers_without_relu_and_without_bias():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(20, 8, bias=False), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3))
    network = quantize(model, X)
    image = pack(network, fit_config(network, lanes=4, rows=2))
    wanted = EngineModel(image).run(quantize_input(network, X))
    assert (IntegerChain(model, X).accumulators(X) == wanted).all()


def test_lenet5_is_unfolded_products_and_golden_requantisation():
    model = lenet5(seed=3)
    with torch.no_grad():
        model[1].weight[4] = 0
        model[1].bias[4] = 0
    chain = IntegerChain(model, IMAGES)
    first, second, third, last = chain.layers

    def requantised(layer, sums, following):
        multiplier, shift = layer.rows.requantisation(following.input_scale, layer=layer.name)
        return requantize(sums, multiplier, shift, bits=8, relu=True)

    def convolved(layer, codes, following):
        patches = functional.unfold(torch.as_tensor(codes).double(), 5).transpose(1, 2).numpy()
        sums = patches.astype(np.int64) @ layer.rows.weights.T + layer.rows.bias
        side = codes.shape[2] - 4
        # ReLU first, then the largest: the engine's order, where the model has the other.
        values = requantised(layer, sums, following).reshape(
            -1, side // 2, 2, side // 2, 2, sums.shape[2]
        )
        return values.max(axis=(2, 4)).transpose(0, 3, 1, 2)

    codes = np.rint(IMAGES.double().numpy() / first.input_scale).clip(-128, 127).astype(np.int64)
    codes = convolved(first, codes.reshape(-1, 1, 28, 28), second)
    assert not codes[:, 4].any()
    codes = convolved(second, codes, third).reshape(len(IMAGES), -1)
    codes = requantised(third, codes @ third.rows.weights.T + third.rows.bias, last)
    assert (chain.accumulators(IMAGES) == codes @ last.rows.weights.T + last.rows.bias).all()


def test_accumulators_are_the_float_outputs():
    model = lenet5(seed=3)
    chain = IntegerChain(model, IMAGES)
    with torch.no_grad():
        wanted = model(IMAGES).double().numpy()
    got = chain.accumulators(IMAGES) * chain.layers[-1].rows.steps
    assert len(set(chain.layers[-1].rows.steps)) == 1
    assert np.sqrt(np.square(got - wanted).mean() / np.square(wanted).mean()) < 0.03


def test_the_model_is_left_as_it_was():
    model = lenet5(seed=3).train()
    with torch.no_grad():
        before = model(IMAGES)
    IntegerChain(model, IMAGES).accumulators(IMAGES)
    assert model.training
    assert not any("forward" in vars(module) for module in model.modules())
    with torch.no_grad():
        assert torch.equal(model(IMAGES), before)


class Between(nn.Module):
    """A convolution, anything, and a Linear."""

    def __init__(self, between, *, width=16 * 3):
        super().__init__()
        self.conv = nn.Conv2d(1, 3, 3)
        self.between = between
        self.last = nn.Linear(width, 4)

    def forward(self, x):
        return self.last(self.between(self.conv(x)).flatten(1))


@pytest.mark.parametrize(
    "between",
    [
        lambda x: x,
        torch.relu,
        lambda x: x.clamp(min=0),
        lambda x: functional.max_pool2d(x, 2, 1, padding=1)[:, :, :4, :4],
        lambda x: x.transpose(2, 3).flip(1),
        lambda x: torch.minimum(x, x.roll(1, dims=1)),
        lambda x: functional.pad(x[:, :, 1:, 1:], (1, 0, 1, 0)),
    ],
)
def test_what_may_stand_between(between):
    torch.manual_seed(0)
    model = Between(between)
    chain = IntegerChain(model, TINY)
    with torch.no_grad():
        wanted = model(TINY).double().numpy()
    got = chain.accumulators(TINY) * chain.layers[-1].rows.steps
    assert np.abs(got - wanted).max() < 0.05 * np.abs(wanted).max()


@pytest.mark.parametrize(
    "between",
    [
        torch.sigmoid,
        lambda x: x + 1,
        lambda x: 2 * x,
        lambda x: -x,
        functional.relu6,
        functional.leaky_relu,
        lambda x: x * (x > 0.5),
        lambda x: functional.avg_pool2d(x, 3, 1, padding=1),
        lambda x: x + x.roll(1, dims=1),
    ],
)
def test_what_may_not_stand_between(between):
    torch.manual_seed(0)
    text = (
        "between layer conv and layer last only ReLU, max pooling and what moves values may stand, "
        "not another operator"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        IntegerChain(Between(between), TINY)


class Around(nn.Module):
    """Three layers, and a way around the second, by `join`."""

    def __init__(self, join):
        super().__init__()
        self.first, self.second, self.last = (nn.Linear(6, 6) for _ in range(3))
        self.join = join

    def forward(self, x):
        x = self.first(x)
        return self.last(self.join(x, self.second(x)))


@pytest.mark.parametrize("join", [torch.add, lambda x, _: x, torch.maximum])
def test_a_way_around_a_layer_is_refused(join):
    text = "between layer second and layer last only ReLU, max pooling and what moves"
    with pytest.raises(ValueError, match=f"^{text}"):
        IntegerChain(Around(join), X[:, :6])


@pytest.mark.parametrize(
    ("model", "place"),
    [
        (nn.Sequential(nn.Softmax(1), nn.Linear(20, 3)), "the input and layer 1"),
        (nn.Sequential(nn.Linear(20, 3), nn.Softmax(1)), "layer 0 and the output"),
    ],
)
def test_ends_are_checked_too(model, place):
    text = f"between {place} only ReLU, max pooling and what moves values may stand, not another"
    with pytest.raises(ValueError, match=f"^{text}"):
        IntegerChain(model, X)


FOLDED = "batch normalisation must be folded into the layer before it"
TAKEN = "calibration must be inputs that the model takes"
UNFIT = "mat1 and mat2 shapes cannot be multiplied"


class Twice(nn.Module):
    def __init__(self, count):
        super().__init__()
        self.first, self.own = nn.Linear(20, 20), nn.Linear(20, 20)
        self.count = count

    def forward(self, x):
        x = self.first(x)
        for _ in range(self.count):
            x = self.own(x)
        return x


@pytest.mark.parametrize(
    ("model", "x", "kind", "text"),
    [
        (
            nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(32, 3)),
            TINY,
            ValueError,
            f"layer 1: {FOLDED}, not left as 'BatchNorm2d'",
        ),
        (
            nn.Sequential(nn.BatchNorm1d(20, affine=False), nn.Linear(20, 3)),
            X,
            ValueError,
            f"layer 0: {FOLDED}, not left as 'BatchNorm1d'",
        ),
        (
            nn.Sequential(nn.Linear(20, 3), nn.PReLU()),
            X,
            ValueError,
            "layer 1: only Linear and Conv2d may have parameters, not 'PReLU'",
        ),
        (Twice(2), X, ValueError, "layer own must run once a batch, not 2 times"),
        (Twice(0), X, ValueError, "layer own must run once a batch, not 0 times"),
        (
            nn.Sequential(nn.Conv2d(1, 2, 3)),
            TINY,
            ValueError,
            "model must return one vector of outputs for each input, not (30, 2, 4, 4)",
        ),
        (
            nn.Sequential(nn.Linear(20, 3)),
            TINY.flatten(2),
            ValueError,
            f"{TAKEN}, not shape (30, 1, 36) ({UNFIT} (30x36 and 20x3))",
        ),
        (
            nn.ReLU(),
            X,
            ValueError,
            "model must have at least one Linear or Conv2d layer, not 'ReLU'",
        ),
        (3, X, TypeError, "model must be a torch.nn.Module, not 3"),
    ],
)
def test_refused(model, x, kind, text):
    with pytest.raises(kind, match=f"^{re.escape(text)}$"):
        IntegerChain(model, x)
