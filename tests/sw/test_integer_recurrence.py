"""LSTM and GRU with integer products: against loops over single numbers, and against torch."""

import re

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from darb.sw.integer_recurrence import IntegerRecurrentNetwork
from darb.sw.networks import speech_classifier
from darb.sw.quantization_scales import quantize_rows
from darb.sw.quantized_recurrence import QuantizedRecurrence

KINDS = [nn.LSTM, nn.GRU]
FRAMES = torch.randn(12, 9, 10, generator=torch.Generator().manual_seed(0))


def recurrent(kind, seed=0, **settings):
    torch.manual_seed(seed)
    return kind(10, 6, **{"num_layers": 2, "bidirectional": True, "batch_first": True, **settings})


def quantized(module, bits=8, scale=0.02):
    names = [name for name, _ in module.named_parameters() if name.startswith("weight")]
    return QuantizedRecurrence(
        "", module, scales=dict.fromkeys(names, scale), weight_bits=bits, activation_bits=bits
    )


def naive_products(module, parameter, vector, scale):
    """Return one matrix' products with one vector, a Python integer at a time."""
    bias = getattr(module, parameter.replace("weight", "bias")) if module.bias else None
    weights = getattr(module, parameter).detach().double().numpy()
    bias = np.zeros(len(weights)) if bias is None else bias.detach().double().numpy()
    rows = quantize_rows(weights, bias, input_scale=scale, weight_bits=8)
    codes = [min(max(round(value / scale), -128), 127) for value in vector.tolist()]
    sums = [
        sum(w * c for w, c in zip(row, codes, strict=True)) + b
        for row, b in zip(rows.weights.tolist(), rows.bias.tolist(), strict=True)
    ]
    return np.array(sums) * rows.steps


def naive_layer(module, sequence, suffix, hidden, cell, scale):
    """Run one layer over one sequence of vectors, forwards or backwards."""

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    outputs = np.zeros((len(sequence), module.hidden_size))
    order = range(len(sequence))
    for step in reversed(order) if "reverse" in suffix else order:
        a = naive_products(module, f"weight_ih{suffix}", sequence[step], scale)
        b = naive_products(module, f"weight_hh{suffix}", hidden, scale)
        if isinstance(module, nn.LSTM):
            i, f, g, o = np.split(a + b, 4)
            cell = sigmoid(f) * cell + sigmoid(i) * np.tanh(g)
            hidden = sigmoid(o) * np.tanh(cell)
        else:
            (ar, az, an), (br, bz, bn) = np.split(a, 3), np.split(b, 3)
            z = sigmoid(az + bz)
            hidden = (1 - z) * np.tanh(an + sigmoid(ar + br) * bn) + z * hidden
        outputs[step] = hidden
    return outputs, hidden, cell


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_products_are_those_of_a_loop_over_single_numbers(kind, bias):
    module, scale, width = recurrent(kind, bias=bias).double(), 0.02, 6
    generator = torch.Generator().manual_seed(3)
    lengths = torch.tensor([9, 4, 1, 6])
    start = torch.rand(4, 4, width, generator=generator, dtype=torch.float64) - 0.5
    states = (start, -start) if kind is nn.LSTM else start
    frames = FRAMES[:4].double()
    packed = pack_padded_sequence(frames, lengths, batch_first=True, enforce_sorted=False)
    with torch.no_grad():
        got, ends = quantized(module, scale=scale)(packed, states)
    got, _ = pad_packed_sequence(got, batch_first=True)
    for number, length in enumerate(lengths.tolist()):
        sequence = frames[number, :length].numpy()
        for layer in (0, 1):
            halves = []
            for direction, suffix in enumerate((f"_l{layer}", f"_l{layer}_reverse")):
                own = start[2 * layer + direction, number].numpy()
                half, hidden, cell = naive_layer(module, sequence, suffix, own, -own, scale)
                halves.append(half)
                final = ends if kind is nn.GRU else ends[0]
                got_hidden = final[2 * layer + direction, number].numpy()
                # Exact sums go through the sigmoid of another library.
                np.testing.assert_allclose(got_hidden, hidden, rtol=0, atol=1e-12)
                if kind is nn.LSTM:
                    got_cell = ends[1][2 * layer + direction, number].numpy()
                    np.testing.assert_allclose(got_cell, cell, rtol=0, atol=1e-12)
            sequence = np.concatenate(halves, axis=1)
        np.testing.assert_allclose(got[number, :length].numpy(), sequence, rtol=0, atol=1e-12)
        assert not got[number, length:].any()


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_outputs_and_states_are_near_torch_and_of_its_shape(kind, bidirectional, batch_first):
    module = recurrent(kind, bidirectional=bidirectional, batch_first=batch_first)
    forms = [FRAMES if batch_first else FRAMES.transpose(0, 1), FRAMES[0]]
    forms.append(pack_padded_sequence(FRAMES[:3], [9, 7, 7], batch_first=True))
    for form in forms:
        with torch.no_grad():
            wanted, wanted_ends = module(form)
        got, ends = quantized(module, scale=0.03)(form)
        if form is forms[2]:
            assert torch.equal(got.batch_sizes, wanted.batch_sizes)
            got, wanted = got.data, wanted.data
        pairs = [(got, wanted)]
        pairs += zip(ends, wanted_ends, strict=True) if kind is nn.LSTM else [(ends, wanted_ends)]
        for ours, theirs in pairs:
            assert ours.shape == theirs.shape
            assert ours.dtype == theirs.dtype
            assert 0 < (ours - theirs).abs().max() < 0.05


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_network_is_near_the_float_one_at_8_bits(kind):
    model = speech_classifier(kind=kind, bands=10, hidden=24, seed=1)
    network = IntegerRecurrentNetwork(model, FRAMES)
    with torch.no_grad():
        wanted = model(FRAMES).numpy()
    errors = {}
    for bits in (8, 3):
        network = IntegerRecurrentNetwork(model, FRAMES, weight_bits=bits, activation_bits=bits)
        difference = network.outputs(FRAMES) - wanted
        errors[bits] = np.sqrt(np.square(difference).mean() / np.square(wanted).mean())
    assert 0 < errors[8] < 0.02
    assert errors[3] > 4 * errors[8]


def test_scales_fit_what_each_matrix_multiplies():
    model = speech_classifier(bands=10, hidden=24, seed=1)
    network = IntegerRecurrentNetwork(model, 50 * FRAMES)
    matrices = network.recurrences["recurrent"].matrices
    reach = {name: matrix.input_scale * 127 for name, matrix in matrices.items()}
    assert 50 < reach["weight_ih_l0"] <= 50 * float(FRAMES.abs().max()) + 1e-3
    assert all(0.1 < reach[name] <= 1 for name in reach if name != "weight_ih_l0")
    assert len(set(network.layers["output"].rows.steps)) == 1


def test_the_model_is_left_as_it_was():
    model = speech_classifier(bands=10, hidden=24, dropout=0.4, seed=1)
    keys = list(model.state_dict())
    IntegerRecurrentNetwork(model, FRAMES).outputs(FRAMES)
    assert model.training
    assert list(model.state_dict()) == keys
    assert not any("forward" in vars(module) for module in model.modules())


class Frames(nn.Module):
    """A convolution over frames, an LSTM, and a Linear for each frame before their mean."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(1, 2, 3, padding=1)
        self.rnn = nn.LSTM(20, 8)
        self.middle = nn.Linear(8, 8)
        self.last = nn.Linear(8, 4)
        self.spare = nn.Linear(4, 4)

    def forward(self, x):
        x = self.conv(x[:, None]).permute(2, 0, 1, 3).flatten(2)
        states, (hidden, _) = self.rnn(x, hx=None)
        return self.last(torch.sigmoid(self.middle(states).mean(dim=0)) + hidden[0])


def test_convolutions_and_linear_layers_are_in_integers_too():
    model = Frames()
    text = "layer spare must run at least once a batch, not 0 times"
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        IntegerRecurrentNetwork(model, FRAMES)
    del model.spare
    network = IntegerRecurrentNetwork(model, FRAMES)
    with torch.no_grad():
        wanted = model(FRAMES).numpy()
    assert 0 < np.abs(network.outputs(FRAMES) - wanted).max() < 0.03 * np.abs(wanted).max()
    assert set(network.layers) == {"conv", "middle", "last"}
    assert len(set(network.layers["last"].rows.steps)) == 1
    assert len(set(network.layers["middle"].rows.steps)) == 8


def test_refused():
    model = speech_classifier(bands=10, hidden=4)
    with torch.no_grad():
        model.recurrent.bias_hh_l1[0] = float("inf")
    text = "layer recurrent.weight_hh_l1: weights and bias must be finite, not NaN or infinity"
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        IntegerRecurrentNetwork(model, FRAMES)
    model = nn.Sequential(nn.LayerNorm(10), nn.LSTM(10, 4))
    text = "layer 0: only Linear, Conv2d, LSTM and GRU may have parameters, not 'LayerNorm'"
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        IntegerRecurrentNetwork(model, FRAMES)
    text = "calibration must be inputs that the model takes, not shape (12, 9, 11) (input.size(-1)"
    with pytest.raises(ValueError, match=f"^{re.escape(text)}"):
        IntegerRecurrentNetwork(speech_classifier(bands=10), torch.zeros(12, 9, 11))
