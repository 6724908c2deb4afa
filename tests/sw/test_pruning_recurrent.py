"""LSTM and GRU under every method: each weight matrix a layer of its own."""

import re

import numpy as np
import pytest
import torch
from torch import nn

from darb.sw.dpp import Dpp, DppConfig
from darb.sw.pruning import (
    METHODS,
    Admm,
    BankBalanced,
    LayerOverride,
    Mask,
    NOfM,
    PruneConfig,
    Structured,
    activation,
    mask,
    prune,
)
from darb.sw.pruning.input_power import input_rms
from darb.sw.pruning.layer_modules import prunable_weights
from darb.sw.quantization import quantize

torch.set_num_threads(1)

X = torch.rand(20, 6, 16, generator=torch.Generator().manual_seed(0))
KINDS = [nn.LSTM, nn.GRU]
MATRICES = [
    f"rnn.weight_{part}_l{layer}{direction}"
    for layer in (0, 1)
    for direction in ("", "_reverse")
    for part in ("ih", "hh")
]


class Tagger(nn.Module):
    """Two layers in both directions, and a Linear on the mean over time."""

    def __init__(self, kind):
        super().__init__()
        self.rnn = kind(16, 16, num_layers=2, bidirectional=True, batch_first=True)
        self.last = nn.Linear(32, 16)

    def forward(self, x):
        return self.last(self.rnn(x)[0].mean(dim=1))


def tagger(kind, seed=0):
    torch.manual_seed(seed)
    return Tagger(kind)


def weights_of(model):
    """Return copies of the weights, by the names that the parameters have in torch."""
    named = dict(model.named_parameters())
    return {name: named[name].detach().numpy().copy() for name in (*MATRICES, "last.weight")}


def steps(model, count, *, lr=0.05, after=None, penalty=None):
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    for _ in range(count):
        optimizer.zero_grad()
        loss = (model(X) - 1).square().mean()
        (loss if penalty is None else loss + penalty()).backward()
        optimizer.step()
        after()


def in_blocks(kept, columns, size):
    """Return how many weights each block of stored columns keeps, the last block left out."""
    whole = columns.size // size * size
    return kept[:, columns[:whole]].reshape(len(kept), -1, size).sum(axis=2)


def check_counts(method, masks):
    """Check what each method promises at ratio 4, for sizes that 4 x 4 blocks and banks divide."""
    weights = sum(kept.mask.size for kept in masks.values())
    stored = sum(np.count_nonzero(kept.mask) for kept in masks.values())
    if method in ("darb", "bmwm"):
        slots = 0
        for kept in masks.values():
            assert isinstance(kept, Mask)
            for row, pattern in zip(kept.mask, kept.patterns, strict=True):
                size = 1 << pattern.k
                assert (in_blocks(row[None], kept.columns, size) == 1).all()
                rest = kept.columns[kept.columns.size // size * size :]
                assert row[rest].sum() == min(1, rest.size)
                slots += -(-kept.columns.size // size)
            assert method == "darb" or len(set(kept.patterns)) == 1
        assert slots == stored <= weights // 4
        return
    assert stored == weights // 4
    for kept in masks.values():
        if isinstance(method, NOfM):
            assert (in_blocks(kept.mask, kept.columns, 8) == 2).all()
        elif isinstance(method, BankBalanced):
            size = kept.mask.shape[1] // 4
            assert (in_blocks(kept.mask, kept.columns, size) == size // 4).all()
        elif isinstance(method, Structured):
            axis = {"row": 1, "column": 0}[method.unit]
            whole = kept.mask.all(axis=axis)
            assert (whole == kept.mask.any(axis=axis)).all()
            assert whole.sum() == whole.size // 4
        elif method == "block":
            rows, columns = kept.mask.shape
            blocks = kept.mask.reshape(rows // 4, 4, columns // 4, 4).sum(axis=(1, 3))
            assert set(np.unique(blocks)) <= {0, 16}
        else:
            assert method == "irregular"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("saliency", ["magnitude", "activation", "fisher"])
@pytest.mark.parametrize(
    "method",
    [
        "darb",
        "bmwm",
        "irregular",
        "block",
        Structured(unit="row"),
        Structured(unit="column"),
        NOfM(m=8),
        BankBalanced(banks=4),
    ],
    ids=str,
)
def test_counts_over_training_steps(kind, method, saliency):
    model = tagger(kind)
    pruner = prune(
        model,
        ratio=4,
        method=method,
        saliency=saliency,
        calibration=X,
        left_out=None if method in ("darb", "bmwm") else 0.0,
        ramp_steps=6,
        ramp_every=2,
    )

    def after():
        pruner.step()
        zero = {name: ~kept.mask for name, kept in pruner.masks.items()}
        weights = weights_of(model)
        assert not any(weights[name][zero[name]].any() for name in MATRICES)
        assert not weights["last.weight"][zero["last"]].any()

    steps(model, 9, after=after)
    biases = [value.clone() for name, value in model.named_parameters() if "bias" in name]
    outputs = model(X).detach()
    pruned = pruner.finalize()
    assert list(pruned.layers) == [*MATRICES, "last"]
    assert [layer.name for layer in pruned.report.layers] == [*MATRICES, "last"]
    weights = weights_of(model)
    for name, kept in pruned.layers.items():
        weight = weights["last.weight" if name == "last" else name]
        assert kept.mask.shape == weight.shape
        assert not weight[~kept.mask].any(), name
        assert weight[kept.mask].any() == kept.mask.any(), name
        assert kept.live.all()
    check_counts(method, pruned.layers)
    after = [value for name, value in model.named_parameters() if "bias" in name]
    assert all(torch.equal(one, other) for one, other in zip(biases, after, strict=True))
    assert torch.equal(model(X), outputs)


@pytest.mark.parametrize("method", METHODS)
def test_each_matrix_as_the_pure_function_prunes_it(method):
    model = tagger(nn.LSTM)
    before = weights_of(model)
    names = [*MATRICES, "last"]
    rms = input_rms(model, prunable_weights(model), X)
    ratios = {name: 2 if number % 2 else 1.5 for number, name in enumerate(names)}
    own = {name: LayerOverride(ratio=ratio) for name, ratio in ratios.items()}
    masks = prune(model, ratio=4, method=method, calibration=X, layers=own).masks
    for name, kept in masks.items():
        weight = before["last.weight" if name == "last" else name]
        columns = {"columns": kept.columns} if method in ("darb", "bmwm") else {}
        scores = activation(weight, rms[name])
        wanted = mask(weight, ratio=ratios[name], scores=scores, method=method, **columns)
        assert (kept.mask == wanted.mask).all(), name


def test_torch_computes_with_the_masked_weights():
    """What a network whose weights are masked outside of torch's own module computes."""
    for kind in KINDS:
        model, other = tagger(kind), tagger(kind)
        model(X)
        pruned = prune(model, ratio=8, saliency="magnitude").finalize()
        state = other.state_dict()
        for name, kept in pruned.layers.items():
            name = "last.weight" if name == "last" else name
            state[name] = state[name] * torch.as_tensor(kept.mask)
        fresh = Tagger(kind)
        fresh.load_state_dict(state)
        assert torch.equal(model(X), fresh(X))
        assert not torch.allclose(model(X), other(X))


@pytest.mark.parametrize("method", ["darb", "irregular"])
def test_budget_shared_by_linear_and_recurrent_layers(method):
    own, poor = "rnn.weight_ih_l0", "rnn.weight_hh_l1"
    layers = []
    for model in (tagger(nn.GRU), tagger(nn.GRU)):
        if layers:
            # One column now holds nearly all of what this matrix is worth.
            with torch.no_grad():
                model.rnn.weight_hh_l1[:, 1:] *= 0.01
        report = prune(
            model,
            ratio=8,
            method=method,
            saliency="magnitude",
            order="natural",
            layers={own: LayerOverride(ratio=2)},
        ).report()
        layers.append({layer.name: layer for layer in report.layers})
        alone = layers[-1].pop(own)
        assert alone.weights / 2.1 < alone.slots <= alone.weights / 2
        shared = sum(layer.weights for layer in layers[-1].values())
        assert shared / 8.2 < sum(layer.slots for layer in layers[-1].values()) <= shared / 8
    before, after = layers
    assert after.pop(poor).slots < before.pop(poor).slots
    assert sum(layer.slots for layer in after.values()) > sum(
        layer.slots for layer in before.values()
    )
    assert all(layer.slots >= before[name].slots for name, layer in after.items())


@pytest.mark.parametrize("kind", KINDS)
def test_column_order_is_each_matrixs_own(kind):
    model = tagger(kind)
    own = {MATRICES[1]: LayerOverride(order="natural", left_out=0.0)}
    pruner = prune(
        model, ratio=4, calibration=X, left_out=0.25, lanes=4, rows=2, seed=3, layers=own
    )
    orders = {name: kept.columns.tolist() for name, kept in pruner.masks.items()}
    assert orders.pop(MATRICES[1]) == list(range(16))
    for name, order in orders.items():
        columns = 32 if name == "last" or ("_l1" in name and "_ih" in name) else 16
        assert len(set(order)) == len(order) == columns * 3 // 4
        weight = dict(prunable_weights(model))[name].weight.detach()
        outside = sorted(set(range(columns)) - set(order))
        assert not weight[:, outside].any()
        assert weight[:, order].any(dim=1).all()
        assert order != sorted(order)
    assert len({tuple(order) for order in orders.values()}) == len(orders)
    # Directions read the same inputs, but each in an order of its own.
    assert orders[MATRICES[4]] != orders[MATRICES[6]]
    assert all(kept.live.all() for kept in pruner.masks.values())
    assert pruner.report().slots <= pruner.report().weights / 4


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("saliency", ["magnitude", "activation"])
@pytest.mark.parametrize("method", METHODS)
def test_admm(kind, saliency, method):
    model = tagger(kind)
    config = PruneConfig(ratio=2, method=method, saliency=saliency)
    admm = Admm(model, config, calibration=X, rho=1.0, every=60).prepare()
    before = weights_of(model)
    assert list(admm.targets) == [*MATRICES, "last"]
    for name in MATRICES:
        target = admm.targets[name].numpy()
        assert ((target == before[name]) | (target == 0)).all()
        assert target.any()
    assert any((target == 0).any() for target in admm.targets.values())
    residual = admm.residual()
    steps(model, 59, lr=0.01, after=admm.step, penalty=admm.penalty)
    assert admm.residual() < 0.5 * residual
    assert all(weight.all() for weight in weights_of(model).values())
    targets = admm.targets
    steps(model, 1, lr=0.01, after=admm.step, penalty=admm.penalty)
    assert all(not torch.equal(targets[name], admm.targets[name]) for name in MATRICES)
    pruner = admm.finalize()
    steps(model, 2, after=pruner.step)
    after = weights_of(model)
    assert all(not after[name][~pruner.masks[name].mask].any() for name in MATRICES)
    assert pruner.report().slots <= pruner.report().weights / 2


def test_budget_found_by_search_leaves_the_weights():
    model = tagger(nn.LSTM)
    before = weights_of(model)
    pruner = prune(model, ratio=8, budget="searched", saliency="magnitude", calibration=X)
    assert pruner.report().slots <= pruner.report().weights / 8
    after = weights_of(model)
    for name in MATRICES:
        assert (after[name] == before[name] * pruner.masks[name].mask).all()


@pytest.mark.parametrize("settings", [{"bias": False}, {"batch_first": True}, {"num_layers": 3}])
@pytest.mark.parametrize("kind", KINDS)
def test_a_module_on_its_own(kind, settings):
    torch.manual_seed(0)
    model = kind(16, 8, **settings).eval()
    layers = [
        f"weight_{part}_l{layer}"
        for layer in range(settings.get("num_layers", 1))
        for part in ("ih", "hh")
    ]
    pruned = prune(model, ratio=4, calibration=X).finalize()
    assert list(pruned.layers) == layers
    for name, kept in pruned.layers.items():
        assert ((getattr(model, name) != 0).numpy() == kept.mask).all()
    assert pruned.report.weights == sum(getattr(model, name).numel() for name in layers)
    assert pruned.report.slots <= pruned.report.weights / 4


def test_dynamic_probabilistic_pruning_leaves_recurrent_layers():
    model = tagger(nn.LSTM)
    before = weights_of(model)
    dpp = Dpp(DppConfig(keep=4, epochs=1))
    dpp.prepare(model)
    assert list(dpp.finalize().layers) == ["last"]
    after = weights_of(model)
    assert all((after[name] == before[name]).all() for name in MATRICES)


class Nested(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.encoder = nn.Sequential(layer)


def with_nan():
    model = tagger(nn.GRU)
    with torch.no_grad():
        model.rnn.weight_hh_l0[3, 2] = float("nan")
    return model


@pytest.mark.parametrize(
    ("model", "settings", "text"),
    [
        (
            Nested(nn.LSTM(8, 6, proj_size=3)),
            {},
            "layer encoder.0: proj_size must be 0 for pruning, not 3",
        ),
        (
            Nested(nn.RNN(8, 6)),
            {},
            "model must have at least one Linear, Conv2d, LSTM or GRU layer, not 'Nested'",
        ),
        (
            Nested(nn.GRU(8, 6)),
            {"layers": {"encoder.0": LayerOverride(ratio=2)}},
            (
                "layers must name some of encoder.0.weight_ih_l0, encoder.0.weight_hh_l0, "
                "not 'encoder.0'"
            ),
        ),
        (
            Nested(nn.GRU(8, 6)),
            {"saliency": "activation"},
            "calibration must be given for saliency 'activation', not None",
        ),
        (with_nan(), {}, "weights must be finite: row 3, column 2 is not, not nan"),
        (
            Nested(nn.GRU(8, 6)),
            {"ratio": 64},
            "ratio must be at most 7.0, for blocks of at most 64 columns take 36 slots, not 64",
        ),
    ],
)
def test_refused(model, settings, text):
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        prune(model, **{"ratio": 4, "saliency": "magnitude", **settings})


def test_recurrent_layers_do_not_export_yet():
    pruned = prune(tagger(nn.LSTM), ratio=4, method="n_m", calibration=X).finalize()
    with pytest.raises(ValueError, match=r"^layer last must take the input as it is"):
        quantize(pruned, X)
