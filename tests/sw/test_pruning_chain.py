"""Modules seen as chains: what is found, and what is refused."""

import re

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from darb.sw.networks import mlp
from darb.sw.pruning import trace_chain

# A second thread for layers this small only fights with other tests for cores.
torch.set_num_threads(1)

X = torch.rand(200, 20, generator=torch.Generator().manual_seed(0))


def test_input_rms_by_hand():
    model = nn.Sequential(nn.Linear(20, 4), nn.ReLU(), nn.Dropout(0.5), nn.Linear(4, 2)).train()
    first, second = trace_chain(model, X)
    hidden = model[0](X).relu().detach()
    assert np.allclose(first.input_rms(), X.square().mean(0).sqrt(), rtol=1e-6)
    assert np.allclose(second.input_rms(), hidden.square().mean(0).sqrt(), rtol=1e-6)
    assert model.training


class Functional(nn.Module):
    """A chain spelled with functions, its layers declared in another order than they run."""

    def __init__(self):
        super().__init__()
        self.last = nn.Linear(12, 4)
        self.first = nn.Linear(20, 12)

    def forward(self, x):
        return self.last(functional.relu(self.first(x.flatten(1))))


def test_chain_is_judged_by_values():
    names = [(layer.name, layer.relu) for layer in trace_chain(mlp((20, 8, 3), dropout=0.5), X)]
    assert names == [("0", True), ("3", False)]
    model = nn.Sequential(nn.Flatten(), nn.Linear(20, 8), nn.Identity(), nn.Linear(8, 3), nn.ReLU())
    chain = trace_chain(model.train(), X.view(-1, 4, 5))
    assert [(layer.name, layer.relu) for layer in chain] == [("1", False), ("3", True)]
    assert model.training


def test_order_is_that_of_execution():
    names = [(layer.name, layer.relu) for layer in trace_chain(Functional(), X)]
    assert names == [("first", True), ("last", False)]


@pytest.mark.parametrize("bias", [0.0, 10.0, 1e4])
def test_relu_is_told_from_nothing_where_all_outputs_are_positive(bias):
    for relu in (False, True):
        layer = nn.Linear(20, 3)
        with torch.no_grad():
            layer.weight.abs_()
            layer.bias.fill_(bias)
        model = nn.Sequential(layer, nn.ReLU() if relu else nn.Identity())
        (found,) = trace_chain(model, X)
        assert (found.outputs >= 0).all()
        assert found.relu == relu
        assert found.inputs.shape == X.shape


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_calibration_takes_the_type_of_the_model(kind):
    model = mlp((20, 8, 3)).to(kind)
    for calibration in (X, X.double().numpy(), X.numpy().astype(">f4"), (255 * X).byte()):
        assert [layer.relu for layer in trace_chain(model, calibration)] == [True, False]


def test_one_vector_is_a_batch():
    assert [layer.relu for layer in trace_chain(mlp((20, 8, 3)), X[:1])] == [True, False]


def test_relu_in_place_and_the_outputs_before_it():
    model = nn.Sequential(nn.Linear(20, 8), nn.ReLU(inplace=True), nn.Linear(8, 3))
    first, _ = trace_chain(model, X)
    assert first.relu
    assert np.allclose(first.outputs, model[0](X).detach().numpy())
    assert (first.outputs < 0).any()


def test_each_module_gets_its_own_mode_back():
    model = mlp((20, 8, 3), dropout=0.5).train()
    model[2].eval()
    trace_chain(model, X)
    assert [module.training for module in model] == [True, True, False, True]


BETWEEN = "between layer 0 and layer 2 only a ReLU or nothing may stand, not another operator"


@pytest.mark.parametrize(
    ("model", "text"),
    [
        (
            nn.Sequential(nn.Linear(20, 8), nn.Sigmoid(), nn.Linear(8, 3)),
            BETWEEN,
        ),
        (
            nn.Sequential(nn.Linear(20, 8), nn.Softmax(dim=1)),
            "between layer 0 and the output only a ReLU or nothing may stand, not another operator",
        ),
        *(
            (
                nn.Sequential(nn.Linear(20, 8), other, nn.Linear(8, 3)),
                BETWEEN,
            )
            for other in (nn.ReLU6(), nn.Hardtanh(-100, 100), nn.Hardtanh(0, 1e6), nn.GELU())
        ),
        (
            nn.Sequential(nn.Linear(20, 8), nn.Unflatten(1, (4, 2)), nn.Linear(2, 3)),
            "layer 2 must take vectors of 2 values, not shape (200, 4, 2)",
        ),
        (
            nn.Sequential(nn.Hardtanh(0, 1), nn.Linear(20, 8)),
            "layer 1 must take the input as it is, not a function of it",
        ),
        (
            nn.Sequential(nn.Tanh(), nn.Linear(20, 8)),
            "layer 1 must take the input as it is, not a function of it",
        ),
    ],
)
def test_other_operators_are_refused(model, text):
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        trace_chain(model, X)


def test_layer_that_runs_twice_is_refused():
    layer = nn.Linear(20, 20)
    with pytest.raises(ValueError, match=r"^layer 0 must run once a batch, not 2 times$"):
        trace_chain(nn.Sequential(layer, nn.ReLU(), layer), X)


def test_inputs_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"^layer 0 must take vectors of 20 values, not shape"):
        trace_chain(mlp((20, 3)), X[:, :19])
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 3))
    text = r"^calibration must be inputs that the model takes, not shape \(200, 20\) \("
    with pytest.raises(ValueError, match=text):
        trace_chain(model, X)


@pytest.mark.parametrize(
    ("calibration", "kind", "text"),
    [
        ([[1.0]], TypeError, "calibration must be a tensor or an array, not [[1.0]]"),
        (np.array([["a"]]), TypeError, "calibration must be real numbers, not <U1"),
        (X > 0, TypeError, "calibration must be real numbers, not torch.bool"),
        (X[0], ValueError, "calibration must be a batch of inputs, not shape (20,)"),
        (X[:0], ValueError, "calibration must be a batch of inputs, not shape (0, 20)"),
        (X.double() * 1e300, ValueError, "calibration must be finite, not with NaN or infinity"),
    ],
)
def test_calibration_refused(calibration, kind, text):
    with pytest.raises(kind, match=f"^{re.escape(text)}$"):
        trace_chain(mlp((20, 3)), calibration)
