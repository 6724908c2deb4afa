"""Networks: their layers, their shapes, and seeds that give the same weights."""

import re

import pytest
import torch
from torch import nn

from darb.sw.networks import lenet5, mlp, speech_classifier

torch.set_num_threads(1)


def weights(model):
    return [parameter.detach().clone() for parameter in model.parameters()]


def same(first, second):
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def kinds(model):
    return [type(module).__name__ for module in model]


def test_mlp_is_what_it_says():
    model = mlp((64, 32, 16, 10), dropout=0.1)
    assert kinds(model) == ["Linear", "ReLU", "Dropout", "Linear", "ReLU", "Dropout", "Linear"]
    assert [m.out_features for m in model if isinstance(m, nn.Linear)] == [32, 16, 10]


def test_lenet5_is_what_it_says():
    model = lenet5()
    shapes = [tuple(weight.shape) for weight in model.parameters() if weight.ndim > 1]
    assert shapes == [(20, 1, 5, 5), (50, 20, 5, 5), (500, 800), (10, 500)]
    assert sum(weight.numel() for weight in model.parameters() if weight.ndim > 1) == 430_500
    assert model(torch.zeros(3, 784)).shape == (3, 10)


def test_lenet5_is_the_textbooks_chain():
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(5, 784, generator=generator)
    model = lenet5(seed=2)
    first, second, third, last = (model[index] for index in (1, 4, 8, 10))
    maps = nn.functional.max_pool2d(first(x.view(5, 1, 28, 28)).relu(), 2)
    maps = nn.functional.max_pool2d(second(maps).relu(), 2)
    assert torch.equal(model(x), last(third(maps.flatten(1)).relu()))


@pytest.mark.parametrize(("kind", "gates"), [("lstm", 4), ("gru", 3)])
def test_speech_classifier_is_what_it_says(kind, gates):
    model = speech_classifier(kind=kind, bands=12, hidden=8, layers=2, classes=5).eval()
    shapes = {name: tuple(weight.shape) for name, weight in model.named_parameters()}
    assert shapes == {
        "recurrent.weight_ih_l0": (gates * 8, 12),
        "recurrent.weight_hh_l0": (gates * 8, 8),
        "recurrent.bias_ih_l0": (gates * 8,),
        "recurrent.bias_hh_l0": (gates * 8,),
        "recurrent.weight_ih_l1": (gates * 8, 8),
        "recurrent.weight_hh_l1": (gates * 8, 8),
        "recurrent.bias_ih_l1": (gates * 8,),
        "recurrent.bias_hh_l1": (gates * 8,),
        "output.weight": (5, 8),
        "output.bias": (5,),
    }
    frames = torch.rand(3, 7, 12, generator=torch.Generator().manual_seed(0))
    states, _ = model.recurrent(frames)
    assert torch.equal(model(frames), model.output(states[:, -1]))


def test_dropout_is_between_layers_and_before_the_output():
    model = speech_classifier(layers=2, dropout=0.3)
    assert (model.recurrent.dropout, model.dropout.p) == (0.3, 0.3)
    assert speech_classifier(layers=1, dropout=0.3).recurrent.dropout == 0


@pytest.mark.parametrize(
    "build",
    [
        lambda seed: mlp((8, 4), seed=seed),
        lambda seed: lenet5(seed=seed),
        lambda seed: speech_classifier(bands=4, hidden=3, seed=seed),
        lambda seed: speech_classifier(kind="gru", bands=4, hidden=3, seed=seed),
    ],
)
def test_weights_follow_the_seed_and_callers_randomness_is_left_alone(build):
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first = weights(build(3))
    assert torch.equal(torch.rand(1), expected)
    assert same(first, weights(build(3)))
    assert not same(first, weights(build(4)))


@pytest.mark.parametrize(
    ("call", "kind", "text"),
    [
        (lambda: mlp((64,)), ValueError, "sizes must name inputs and outputs, not (64,)"),
        (lambda: mlp((64, 0)), ValueError, "sizes must be at least 1, not 0"),
        (
            lambda: mlp((64, 10), dropout=1.0),
            ValueError,
            "dropout must be at least 0 and below 1, not 1.0",
        ),
        (lambda: mlp((64, 10), dropout="0"), TypeError, "dropout must be a number, not '0'"),
        (lambda: mlp((64, 10), seed=-1), ValueError, f"seed must be in 0..{2**63 - 1}, not -1"),
        (lambda: lenet5(seed=0.5), TypeError, "seed must be an int, not 0.5"),
        (lambda: speech_classifier(kind=None), TypeError, "kind must be a str, not None"),
        (
            lambda: speech_classifier(kind="rnn"),
            ValueError,
            "kind must be one of lstm, gru, not 'rnn'",
        ),
        (lambda: speech_classifier(bands=0), ValueError, "bands must be at least 1, not 0"),
        (lambda: speech_classifier(hidden=1.0), TypeError, "hidden must be an int, not 1.0"),
        (lambda: speech_classifier(layers=0), ValueError, "layers must be at least 1, not 0"),
        (lambda: speech_classifier(classes=0), ValueError, "classes must be at least 1, not 0"),
        (
            lambda: speech_classifier(dropout=-0.1),
            ValueError,
            "dropout must be at least 0 and below 1, not -0.1",
        ),
    ],
)
def test_refused(call, kind, text):
    with pytest.raises(kind, match=f"^{re.escape(text)}$"):
        call()
