"""What recurrent matrices multiply: against the equations of the cells, step by step."""

import re

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_sequence, pad_packed_sequence

from darb.sw.pruning import prune
from darb.sw.pruning.input_power import input_rms
from darb.sw.pruning.layer_modules import prunable_weights
from darb.sw.pruning.recurrent_inputs import recurrent_inputs

torch.set_num_threads(1)

KINDS = [nn.LSTM, nn.GRU]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm_cell(x, h, c, w, u, b, d):
    i, f, g, o = np.split(w @ x + b + u @ h + d, 4)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def gru_cell(x, h, c, w, u, b, d):
    (ir, iz, new), (hr, hz, hn) = np.split(w @ x + b, 3), np.split(u @ h + d, 3)
    update = sigmoid(iz + hz)
    return (1 - update) * np.tanh(new + sigmoid(ir + hr) * hn) + update * h, c


def step_by_step(module, sequence, hidden, cell):
    """Return what each matrix multiplied in one sequence (T, N), and the outputs."""
    compute = lstm_cell if isinstance(module, nn.LSTM) else gru_cell
    values = {name: value.detach().numpy() for name, value in module.named_parameters()}
    directions = ["", "_reverse"][: 1 + module.bidirectional]
    seen = {}
    for layer in range(module.num_layers):
        outputs = np.zeros((len(sequence), len(directions), module.hidden_size))
        for direction, suffix in enumerate(directions):
            w, u = (values[f"weight_{kind}_l{layer}{suffix}"] for kind in ("ih", "hh"))
            b, d = (values.get(f"bias_{kind}_l{layer}{suffix}", 0) for kind in ("ih", "hh"))
            b, d = np.zeros(len(w)) + b, np.zeros(len(w)) + d
            h = hidden[layer * len(directions) + direction]
            c = cell[layer * len(directions) + direction]
            inputs, states = [], []
            for step in reversed(range(len(sequence))) if suffix else range(len(sequence)):
                inputs.append(sequence[step])
                states.append(h)
                h, c = compute(sequence[step], h, c, w, u, b, d)
                outputs[step, direction] = h
            seen[f"weight_ih_l{layer}{suffix}"] = inputs
            seen[f"weight_hh_l{layer}{suffix}"] = states
        sequence = outputs.reshape(len(sequence), -1)
    return seen, sequence


def expected(module, sequences, states=None):
    """Return what each matrix multiplies in sequences of shape (T, N), as rows, and outputs."""
    count = module.num_layers * (1 + module.bidirectional)
    zero = np.zeros((count, len(sequences), module.hidden_size))
    hidden, cell = (zero, zero) if states is None else states
    seen, outputs = {}, []
    for index, sequence in enumerate(sequences):
        one, output = step_by_step(module, sequence, hidden[:, index], cell[:, index])
        for name, vectors in one.items():
            seen.setdefault(name, []).extend(vectors)
        outputs.append(output)
    return {name: np.array(vectors) for name, vectors in seen.items()}, outputs


def assert_same_rows(got, wanted):
    """Compare sets of vectors; they come in no promised order."""
    assert list(got) == list(wanted)
    for name, vectors in wanted.items():
        rows = got[name].numpy()
        assert rows.shape == vectors.shape, name
        np.testing.assert_allclose(
            rows[np.lexsort(rows.round(6).T)],
            vectors[np.lexsort(vectors.round(6).T)],
            atol=1e-9,
            err_msg=name,
        )


def module_of(kind, seed=0, **settings):
    torch.manual_seed(seed)
    return kind(5, 4, **settings).double().eval()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize(("layers", "bias"), [(1, True), (2, False), (3, True)])
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("given", [False, True])
def test_against_the_cells_equations(kind, bidirectional, layers, bias, batch_first, given):
    module = module_of(
        kind, num_layers=layers, bidirectional=bidirectional, bias=bias, batch_first=batch_first
    )
    x = torch.randn(6, 3, 5, dtype=torch.float64)
    states = torch.randn(2, layers * (1 + bidirectional), 3, 4, dtype=torch.float64)
    if not given:
        torch_states, states = None, None
    else:
        torch_states, states = (tuple(states) if kind is nn.LSTM else states[0]), states.numpy()
    wanted, outputs = expected(module, x.transpose(0, 1).numpy(), states)
    x = x.transpose(0, 1) if batch_first else x
    y = module(x, torch_states)[0].detach().numpy()
    y = y if batch_first else y.transpose(1, 0, 2)
    np.testing.assert_allclose(y, outputs, atol=1e-9)
    assert_same_rows(dict(recurrent_inputs(module, x, torch_states)), wanted)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("given", [False, True])
def test_sequences_of_different_lengths(kind, given):
    module = module_of(kind, num_layers=2, bidirectional=True)
    sequences = [torch.randn(length, 5, dtype=torch.float64) for length in (2, 7, 1, 4)]
    states = torch.randn(2, 4, 4, 4, dtype=torch.float64)
    given_states = (tuple(states) if kind is nn.LSTM else states[0]) if given else None
    wanted, outputs = expected(
        module, [one.numpy() for one in sequences], states.numpy() if given else None
    )
    packed = pack_sequence(sequences, enforce_sorted=False)
    padded = pad_packed_sequence(module(packed, given_states)[0])[0].detach().numpy()
    for index, output in enumerate(outputs):
        np.testing.assert_allclose(padded[: len(output), index], output, atol=1e-9)
    got = dict(recurrent_inputs(module, packed, given_states))
    assert [len(vectors) for vectors in got.values()] == [14] * 8
    assert_same_rows(got, wanted)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("batch_first", [False, True])
def test_one_sequence_alone(kind, batch_first):
    module = module_of(kind, num_layers=2, batch_first=batch_first)
    x = torch.randn(6, 5, dtype=torch.float64)
    states = torch.randn(2, 2, 4, dtype=torch.float64)
    given = tuple(states) if kind is nn.LSTM else states[0]
    wanted, _ = expected(module, [x.numpy()], states[:, :, None].numpy())
    assert_same_rows(dict(recurrent_inputs(module, x, given)), wanted)


class Twice(nn.Module):
    """Runs its recurrent layer twice, the second time from where the first ended."""

    def __init__(self, kind):
        super().__init__()
        self.rnn = kind(5, 4, num_layers=2, batch_first=True, dropout=0.5)
        self.last = nn.Linear(4, 3)

    def forward(self, x):
        first, states = self.rnn(x)
        second, _ = self.rnn(input=2 * x[:, :2], hx=states)
        return self.last(torch.cat([first, second], dim=1))


@pytest.mark.parametrize("kind", KINDS)
def test_rms_over_calls_in_evaluation(kind):
    torch.manual_seed(0)
    model = Twice(kind).double().train()
    x = torch.randn(8, 6, 5, dtype=torch.float64)
    weights = prunable_weights(model)
    random = torch.get_rng_state()
    rms = input_rms(model, weights, x)
    assert torch.equal(torch.get_rng_state(), random)
    assert model.rnn.training
    assert list(rms) == [
        *(f"rnn.weight_{part}_l{layer}" for layer in (0, 1) for part in ("ih", "hh")),
        "last",
    ]
    model.eval()
    states = model.rnn(x)[1]
    states = states if kind is nn.LSTM else (states, states)
    first, before = expected(model.rnn, x.numpy())
    states = [state.detach().numpy() for state in states]
    second, after = expected(model.rnn, 2 * x[:, :2].numpy(), states)
    wanted = {f"rnn.{name}": np.concatenate([first[name], second[name]]) for name in first}
    wanted["last"] = np.concatenate([*before, *after])
    for name, vectors in wanted.items():
        want = np.sqrt(np.square(vectors).mean(axis=0))
        np.testing.assert_allclose(rms[name], want, rtol=1e-5, err_msg=name)


@pytest.mark.parametrize("kind", KINDS)
def test_some_of_the_matrices(kind):
    model = Twice(kind)
    weights = prunable_weights(model)
    x = torch.randn(8, 6, 5, generator=torch.Generator().manual_seed(0))
    name = "rnn.weight_hh_l1"
    some = input_rms(model, {name: weights[name]}, x)
    assert list(some) == [name]
    assert (some[name] == input_rms(model, weights, x)[name]).all()


class Idle(nn.Module):
    """Its recurrent layer never runs."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(5, 4), nn.GRU(4, 4)

    def forward(self, x):
        return self.a(x)


X = torch.rand(4, 6, 5, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("model", "calibration", "text"),
    [
        (
            Idle(),
            X,
            "layer b.weight_ih_l0 must run for saliency 'activation', not 0 times",
        ),
        *(
            (
                model,
                calibration,
                (
                    "calibration must be inputs that the model takes, not shape "
                    f"{tuple(calibration.shape)!r} ("
                ),
            )
            for model in (nn.LSTM(5, 4), nn.GRU(5, 4))
            for calibration in (X[..., :3], X[None])
        ),
    ],
)
def test_refused(model, calibration, text):
    with pytest.raises(ValueError, match=f"^{re.escape(text)}"):
        prune(model, ratio=2, method="irregular", calibration=calibration)
