"""LSTM and GRU under every method: each weight matrix a layer of its own."""

import re

import numpy as np
import pytest
import torch
from recurrent_tagger import KINDS, MATRICES, Tagger, X, tagger, weights_of
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
