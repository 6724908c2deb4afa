"""Quantisation-aware training: what is rounded and how, that it teaches, and what it leaves."""

import copy
import re

import numpy as np
import pytest
import torch
from torch import nn

from darb.sw.datasets import digits
from darb.sw.integer_accuracy import quantized_accuracy
from darb.sw.integer_chain import IntegerChain
from darb.sw.integer_recurrence import IntegerRecurrentNetwork
from darb.sw.networks import lenet5, mlp, speech_classifier
from darb.sw.pruning import prune
from darb.sw.quantization import quantize
from darb.sw.quantization_aware import QuantizationAware
from darb.sw.training import calibration_of, train

torch.set_num_threads(1)

GENERATOR = torch.Generator().manual_seed(0)
X = torch.rand(300, 20, generator=GENERATOR) - 0.3
IMAGES = torch.rand(60, 784, generator=GENERATOR)
FRAMES = torch.randn(40, 7, 10, generator=GENERATOR)
WIDTHS = [(8, 8), (4, 4), (2, 6)]
TAKEN = "calibration must be inputs that the model takes"
WIDE = "input.size(-1) must be equal to input_size"
UNFIT = "mat1 and mat2 shapes cannot be multiplied"

NETWORKS = {
    "mlp": (lambda: mlp((20, 40, 30, 10), seed=1), X),
    "lenet5": (lambda: lenet5(seed=1), IMAGES),
    "lstm": (lambda: speech_classifier(bands=10, hidden=12, seed=1), FRAMES),
    "gru": (lambda: speech_classifier(kind="gru", bands=10, hidden=12, seed=1), FRAMES),
}


def aware(model, x, weight_bits=8, activation_bits=8, **settings):
    widths = {"weight_bits": weight_bits, "activation_bits": activation_bits}
    return QuantizationAware(model, x, **widths, **settings).prepare()


def few_steps(model, x, aids, count=5, lr=3e-3):
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    for _ in range(count):
        optimizer.zero_grad()
        (model(x) - 1).square().mean().backward()
        optimizer.step()
        for aid in aids:
            aid.step()


@torch.no_grad()
def outputs(model, x):
    return model.eval()(x).double().numpy()


def relative(difference, wanted):
    return np.sqrt(np.square(difference).mean() / np.square(wanted).mean())


@pytest.mark.parametrize(("weight_bits", "activation_bits"), WIDTHS)
def test_a_chain_computes_what_its_integers_do(weight_bits, activation_bits):
    model = mlp((20, 40, 30, 10), seed=1)
    training = aware(model, X, weight_bits, activation_bits, refresh_every=5)
    few_steps(model, X, [training])
    faked, scales = outputs(model, X), training.activation_scales
    assert training.finalize() is model
    widths = {"weight_bits": weight_bits, "activation_bits": activation_bits}
    network = quantize(model, X, **widths)
    assert scales["0"] == network.input_scale
    chain = IntegerChain(model, X, **widths)
    assert [layer.input_scale for layer in chain.layers] == list(scales.values())
    sums = chain.accumulators(X)
    step = network.output_scales[0]
    # Requantisation may round a hidden value to the neighbouring code, where its multiplier of
    # 16 bits moves it across the middle: in few vectors.
    assert (np.abs(sums - faked / step) < 0.01).all(axis=1).mean() > 0.98
    assert relative(sums * step - faked, faked) < 0.005
    limit = 2 ** (weight_bits - 1) - 1
    for layer, golden in zip(chain.layers, network.layers, strict=True):
        weights = layer.module.weight.detach().numpy()
        steps = (layer.rows.steps / layer.input_scale)[:, None]
        np.testing.assert_allclose(golden.weights * steps, weights, rtol=1e-5, atol=0)
        assert np.abs(golden.weights).max() == limit


@pytest.mark.parametrize(("weight_bits", "activation_bits"), WIDTHS)
@pytest.mark.parametrize("kind", ["lenet5", "lstm", "gru"])
def test_other_networks_compute_what_their_integers_do(kind, weight_bits, activation_bits):
    build, x = NETWORKS[kind]
    model = build()
    training = aware(model, x, weight_bits, activation_bits, refresh_every=2)
    few_steps(model, x, [training], count=2)
    faked = outputs(model, x)
    training.finalize()
    rounded = {name: value.clone() for name, value in model.state_dict().items()}
    widths = {"weight_bits": weight_bits, "activation_bits": activation_bits}
    if kind == "lenet5":
        chain = IntegerChain(model, x, **widths)
        got = chain.accumulators(x) * chain.layers[-1].rows.steps
        near = 0.02
        matrices = {f"{layer.name}.weight": layer for layer in chain.layers}
    else:
        network = IntegerRecurrentNetwork(model, x, **widths)
        got = network.outputs(x)
        # Of hidden states only those that enter the last layer are rounded in training.
        near = {8: 0.02, 6: 0.1, 4: 0.5}[activation_bits]
        cells = network.recurrences["recurrent"].matrices
        matrices = {f"recurrent.{name}": matrix for name, matrix in cells.items()}
        matrices["output.weight"] = network.layers["output"]
    assert relative(got - faked, faked) < near
    for name, matrix in matrices.items():
        steps = (matrix.rows.steps / matrix.input_scale)[:, None]
        wanted = rounded[name].flatten(1).numpy()
        np.testing.assert_allclose(matrix.rows.weights * steps, wanted, rtol=1e-5, atol=0)


@pytest.mark.parametrize("kind", NETWORKS)
def test_the_model_keeps_its_names_and_is_left_clean(kind):
    build, x = NETWORKS[kind]
    model = build()
    plain = copy.deepcopy(model)
    training = aware(model, x, 3, 3)
    assert list(model.state_dict()) == list(plain.state_dict())
    few_steps(model, x, [training], count=1)
    copied = copy.deepcopy(model)
    assert (outputs(copied, x) == outputs(model, x)).all()
    training.finalize()
    assert list(model.state_dict()) == list(plain.state_dict())
    for module in model.modules():
        assert not module._forward_hooks
        assert not module._forward_pre_hooks
        assert not set(vars(module)) & set(module._parameters)
    plain.load_state_dict(model.state_dict())
    assert (outputs(plain, x) == outputs(model, x)).all()


def test_weights_are_real_numbers_again_after_a_forward_pass_that_fails():
    model = mlp((20, 8, 3), seed=1)
    aware(model, X, 3, 3)
    before = model[0].weight
    with pytest.raises(RuntimeError):
        model(X[:, :7])
    assert model[0].weight is before


@pytest.mark.parametrize("kind", NETWORKS)
def test_every_weight_learns(kind):
    build, x = NETWORKS[kind]
    model = build()
    before = {name: value.clone() for name, value in model.named_parameters()}
    few_steps(model, x, [aware(model, x, 4, 8)], count=1)
    for name, value in model.named_parameters():
        assert not torch.equal(value, before[name]), name


def test_gradients_are_those_at_the_rounded_weights():
    model = nn.Sequential(nn.Linear(20, 3))
    training = aware(model, X, 3, 8)
    outputs = model(X)
    outputs.square().sum().backward()
    scale = training.activation_scales["0"]
    codes = torch.round(X / scale).clamp(-128, 127)
    assert torch.allclose(model[0].weight.grad, 2 * outputs.detach().T @ codes * scale, rtol=1e-4)
    assert torch.allclose(model[0].bias.grad, 2 * outputs.detach().sum(dim=0), rtol=1e-4)


def test_pruned_weights_stay_zero():
    model = mlp((20, 40, 30, 10), seed=1)
    pruner = prune(model, ratio=4, calibration=X, lanes=2, rows=2, ramp_steps=4)
    training = aware(model, X, 3, 6, refresh_every=3)
    few_steps(model, X, [pruner, training], count=8)
    faked = outputs(model, X)
    pruned = pruner.finalize()
    training.finalize()
    for name, mask in pruned.layers.items():
        assert not model.get_submodule(name).weight.detach().numpy()[~mask.mask].any()
    network = quantize(pruned, X, weight_bits=3, activation_bits=6)
    assert all(
        (layer.patterns == mask.patterns)
        for layer, mask in zip(network.layers, pruned.layers.values(), strict=True)
    )
    wanted = faked.argmax(axis=1)
    assert quantized_accuracy(pruned, X, wanted, X, weight_bits=3, activation_bits=6) > 0.9


def test_clips_are_chosen_anew_now_and_then():
    model = mlp((20, 8, 3), seed=1)
    training = aware(model, X, 4, 4, refresh_every=3)
    before = training.activation_scales
    with torch.no_grad():
        model[0].weight.mul_(2.0)
        model[0].bias.mul_(2.0)
    doubled = outputs(model, X)
    training.step()
    training.step()
    assert training.activation_scales == before
    # A row's clip follows its largest weight without being chosen anew.
    assert (outputs(model, X) == doubled).all()
    weights = model[0].weight.detach()
    model[0].register_forward_pre_hook(lambda module, _: seen.append(module.weight.detach()))
    seen = []
    outputs(model, X)
    assert (seen[0] - weights).abs().max() < 0.2 * weights.abs().max()
    training.step()
    after = training.activation_scales
    assert after["0"] == before["0"]
    assert after["2"] == pytest.approx(2 * before["2"], rel=0.05)


def test_preparing_twice_rounds_once():
    model = mlp((20, 8, 3), seed=1)
    training = aware(model, X, 3, 3)
    before = outputs(model, X)
    assert (outputs(training.prepare().model, X) == before).all()
    assert all(len(module._forward_pre_hooks) == 1 for module in (model[0], model[2]))


@pytest.mark.parametrize(("weight_bits", "activation_bits", "gain"), [(3, 3, 0.015), (2, 4, 0.08)])
def test_it_teaches_networks_of_few_bits(weight_bits, activation_bits, gain):
    data = digits()
    calibration = calibration_of(data)
    widths = {"weight_bits": weight_bits, "activation_bits": activation_bits}
    right = {"without": [], "with": []}
    for seed in range(4):
        model = mlp((64, 32, 32, 32, 10), seed=seed)
        train(model, data, 12, lr=3e-3, seed=seed, batch=64)
        for way, shares in right.items():
            trained = copy.deepcopy(model)
            training = None
            if way == "with":
                training = aware(trained, calibration, **widths, refresh_every=17)
            train(trained, data, 12, lr=1e-2, seed=seed, batch=64, quantization=training)
            if training is not None:
                training.finalize()
            shares.append(
                quantized_accuracy(trained, data.test_x, data.test_y, calibration, **widths)
            )
    assert np.mean(right["with"]) > np.mean(right["without"]) + gain, right


@pytest.mark.parametrize(
    ("settings", "kind", "text"),
    [
        ({"weight_bits": 1}, ValueError, "weight_bits must be in 2..8, not 1"),
        ({"activation_bits": 9}, ValueError, "activation_bits must be in 2..8, not 9"),
        ({"refresh_every": 0}, ValueError, "refresh_every must be at least 1, not 0"),
        ({"weight_bits": 4.0}, TypeError, "weight_bits must be an int, not 4.0"),
        ({"model": None}, TypeError, "model must be a torch.nn.Module, not None"),
        ({"calibration": 1}, TypeError, "calibration must be a tensor or an array, not 1"),
        (
            {"calibration": X[:, :3]},
            ValueError,
            f"{TAKEN}, not shape (300, 3) ({UNFIT} (300x3 and 20x3))",
        ),
        (
            {"model": speech_classifier(bands=9, hidden=4), "calibration": FRAMES},
            ValueError,
            f"{TAKEN}, not shape (40, 7, 10) ({WIDE}. Expected 9, got 10)",
        ),
    ],
)
def test_refused(settings, kind, text):
    arguments = {"model": mlp((20, 3)), "calibration": X, **settings}
    with pytest.raises(kind, match=f"^{re.escape(text)}$"):
        QuantizationAware(**arguments).prepare()


def test_layers_that_never_run_and_numbers_that_are_none_are_refused():
    model = mlp((20, 8, 3))
    model[0].spare = nn.Linear(3, 3)
    with pytest.raises(
        ValueError, match=r"^layer 0\.spare must run at least once a batch, not 0 times$"
    ):
        QuantizationAware(model, X).prepare()
    model = mlp((20, 8, 3))
    with torch.no_grad():
        model[2].weight[0, 0] = float("nan")
    with pytest.raises(ValueError, match=r"^layer 2: weights must be finite, not NaN or infinity$"):
        QuantizationAware(model, X).prepare()


def test_it_must_be_prepared():
    text = r"^prepare must be called before quantisation-aware training is used$"
    training = QuantizationAware(mlp((20, 3)), X)
    with pytest.raises(RuntimeError, match=text):
        training.step()
    with pytest.raises(RuntimeError, match=text):
        training.finalize()
    training.prepare().finalize()
    with pytest.raises(RuntimeError, match=text):
        training.step()
