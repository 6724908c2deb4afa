"""Layers that a network calls by keyword: everything is computed as where it calls by position."""

import numpy as np
import pytest
import torch
from torch import nn

from darb.sw.integer_chain import IntegerChain
from darb.sw.integer_recurrence import IntegerRecurrentNetwork
from darb.sw.pruning import gradient_rms, trace_chain
from darb.sw.pruning.input_power import input_rms
from darb.sw.pruning.layer_modules import prunable_weights
from darb.sw.quantization_aware import QuantizationAware

torch.set_num_threads(1)

FRAMES = torch.randn(12, 5, 6, generator=torch.Generator().manual_seed(0))
VECTORS = torch.rand(40, 10, generator=torch.Generator().manual_seed(1)) - 0.3
KINDS = [nn.LSTM, nn.GRU]


class Frames(nn.Module):
    """A convolution over frames, an LSTM or GRU from states of its own, and a Linear."""

    def __init__(self, kind, *, named):
        super().__init__()
        torch.manual_seed(3)
        self.conv = nn.Conv2d(1, 2, 3, padding=1)
        self.cell = kind(12, 7, batch_first=True)
        self.o = nn.Linear(7, 4)
        self.named = named

    def forward(self, x):
        states = torch.full((1, len(x), 7), 0.25)
        if isinstance(self.cell, nn.LSTM):
            states = (states, -states)
        if not self.named:
            x = self.conv(x[:, None]).transpose(1, 2).flatten(2)
            return self.o(self.cell(x, states)[0].mean(dim=1))
        x = self.conv(input=x[:, None]).transpose(1, 2).flatten(2)
        # The states first, as a keyword may be.
        outputs, _ = self.cell(hx=states, input=x)
        return self.o(input=outputs.mean(dim=1))


class Chain(nn.Module):
    def __init__(self, *, named):
        super().__init__()
        torch.manual_seed(4)
        self.first = nn.Linear(10, 8)
        self.last = nn.Linear(8, 3)
        self.named = named

    def forward(self, x):
        if self.named:
            return self.last(input=self.first(input=x).relu())
        return self.last(self.first(x).relu())


@pytest.mark.parametrize("kind", KINDS)
def test_integer_products_of_recurrent_networks(kind):
    named, plain = (IntegerRecurrentNetwork(Frames(kind, named=way), FRAMES) for way in (1, 0))
    assert np.array_equal(named.outputs(FRAMES), plain.outputs(FRAMES))
    with torch.no_grad():
        wanted = Frames(kind, named=True)(FRAMES).numpy()
    assert 0 < np.abs(named.outputs(FRAMES) - wanted).max() < 0.05 * np.abs(wanted).max()


@pytest.mark.parametrize("kind", KINDS)
def test_quantisation_aware_training(kind):
    found = []
    for way in (True, False):
        model = Frames(kind, named=way)
        training = QuantizationAware(model, FRAMES, weight_bits=3, activation_bits=3).prepare()
        outputs = model(FRAMES)
        outputs.square().sum().backward()
        gradients = [value.grad.clone() for value in model.parameters()]
        training.finalize()
        rounded = list(model.state_dict().values())
        found.append((training.activation_scales, outputs.detach(), gradients, rounded))
    (scales, outputs, *lists), (other_scales, other_outputs, *other_lists) = found
    assert scales == other_scales
    assert set(scales) == {"conv", "cell", "o"}
    assert torch.equal(outputs, other_outputs)
    for one, other in zip(lists, other_lists, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    with torch.no_grad():
        assert not torch.allclose(outputs, Frames(kind, named=True)(FRAMES), atol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_input_power(kind):
    models = [Frames(kind, named=way) for way in (True, False)]
    named, plain = (input_rms(model, prunable_weights(model), FRAMES) for model in models)
    assert list(named) == ["conv", "cell.weight_ih_l0", "cell.weight_hh_l0", "o"]
    assert all(np.array_equal(named[name], plain[name]) for name in plain)


def test_gradient_power():
    models = [Chain(named=way) for way in (True, False)]
    named, plain = (gradient_rms(model, prunable_weights(model), VECTORS) for model in models)
    assert list(named) == ["first", "last"]
    assert all(np.array_equal(named[name], plain[name]) for name in plain)


def test_chains():
    named, plain = (trace_chain(Chain(named=way), VECTORS) for way in (True, False))
    assert [layer.name for layer in named] == [layer.name for layer in plain] == ["first", "last"]
    named, plain = (IntegerChain(Chain(named=way), VECTORS) for way in (True, False))
    sums = named.accumulators(VECTORS)
    assert sums.any()
    assert np.array_equal(sums, plain.accumulators(VECTORS))
