"""What every method promises: budgets, ratio 1, ties, zero rows, the same answer for torch."""

import copy
import itertools
import pickle
import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from darb.sw.networks import mlp
from darb.sw.pruning import (
    METHODS,
    BankBalanced,
    Irregular,
    LayerOverride,
    NOfM,
    PruneConfig,
    SquareBlocks,
    Structured,
    bank_balanced_mask,
    irregular_mask,
    mask,
    method_of,
    n_of_m_mask,
    prune,
    report_of,
    square_block_mask,
    structured_mask,
)
from darb.sw.quantization import quantize

torch.set_num_threads(1)

ALL = [
    *METHODS,
    Irregular(scope="layer"),
    Irregular(normalized=True),
    Structured(unit="column"),
    Structured(unit="kernel"),
    Structured(unit="channel", scope="global"),
    SquareBlocks(size=3),
    NOfM(m=5),
    NOfM(m=64),
    BankBalanced(banks=3),
]
FREE = [method for method in ALL if not method_of(method).ordered]
PURE = {
    "irregular": lambda scores: irregular_mask(scores, keep=20),
    "structured": lambda scores: structured_mask(scores, unit="kernel", keep=9, area=3),
    "block": lambda scores: square_block_mask(scores, size=2, keep=7),
    "n_m": lambda scores: n_of_m_mask(scores, n=2, m=5),
    "bank_balanced": lambda scores: bank_balanced_mask(scores, keep=2, banks=4),
}
X = torch.rand(100, 32, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("method", ALL, ids=repr)
@given(
    st.integers(1, 12),
    st.integers(1, 70),
    st.floats(1.0001, 30),
    st.sampled_from(["normal", "ties", "zero rows", "zero"]),
    st.integers(0, 2**32 - 1),
)
def test_budget(method, rows, columns, ratio, kind, seed):
    generator = np.random.default_rng(seed)
    weights = generator.normal(size=(rows, columns))
    if kind == "ties":
        weights = generator.integers(-1, 2, size=(rows, columns))
    elif kind != "normal":
        weights[generator.random(rows) < (0.5 if kind == "zero rows" else 2)] = 0
    try:
        pruned = mask(weights, ratio=ratio, method=method)
    except ValueError as error:
        most = float(re.match(r"ratio must be at most ([0-9.]+)", str(error))[1])
        assert most < ratio
        return
    assert 0 < pruned.stored <= pruned.slots() <= weights.size / ratio
    assert pruned.mask.dtype == bool
    assert pruned.mask.shape == weights.shape
    report = report_of({"a": pruned})
    assert report.pruning_ratio == weights.size / pruned.mask.sum()
    assert report.pruning_ratio >= report.effective_ratio >= ratio


@pytest.mark.parametrize("method", ALL, ids=repr)
@pytest.mark.parametrize("shape", [(1, 1), (5, 1), (1, 9), (3, 20)])
def test_ratio_one_keeps_everything(method, shape):
    assert mask(np.zeros(shape), ratio=1, method=method).mask.all()


@pytest.mark.parametrize("method", ALL, ids=repr)
def test_larger_ratio_stores_no_more(method):
    weights = np.random.default_rng(1).normal(size=(48, 64))
    stored = [
        mask(weights, ratio=ratio, method=method).stored
        for ratio in np.linspace(1, 4.5, 40).tolist()
    ]
    assert stored == sorted(stored, reverse=True)
    assert stored[-1] <= stored[0] / 4.5


@pytest.mark.parametrize("method", FREE, ids=repr)
def test_masks_of_free_methods_are_nested(method):
    weights = np.random.default_rng(1).normal(size=(48, 64))
    kept = [mask(weights, ratio=ratio, method=method).mask for ratio in (1.5, 2, 4, 9, 16)]
    assert all((more | fewer == more).all() for more, fewer in itertools.pairwise(kept))


@pytest.mark.parametrize("method", ALL, ids=repr)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_not_finite_is_refused(method, bad):
    weights = np.ones((4, 8))
    weights[1, 5] = bad
    text = f"weights must be finite: row 1, column 5 is not, not {bad}"
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        mask(weights, ratio=2, method=method)


@pytest.mark.parametrize("pure", PURE.values(), ids=PURE)
def test_scores_of_torch_and_numpy(pure):
    scores = torch.randint(0, 6, (6, 15), generator=torch.Generator().manual_seed(0)).float()
    expected = pure(scores.numpy())
    assert isinstance(expected, np.ndarray)
    for given_scores in (
        scores,
        scores.double().requires_grad_(),
        scores.to(torch.int64),
        scores.bfloat16(),
    ):
        kept = pure(given_scores)
        assert isinstance(kept, torch.Tensor)
        assert (kept.dtype, kept.numpy().tolist()) == (torch.bool, expected.tolist())
    before = scores.clone()
    pure(scores)
    assert torch.equal(scores, before)


@pytest.mark.parametrize("pure", PURE.values(), ids=PURE)
@pytest.mark.parametrize(
    ("scores", "kind", "text"),
    [
        (
            np.full((6, 15), np.nan),
            ValueError,
            "scores must be finite: row 0, column 0 is not, not nan",
        ),
        (-np.ones((6, 15)), ValueError, "scores must be at least 0, not -1.0"),
        (np.ones(6), ValueError, "scores must have shape (M, N), not (6,)"),
        (torch.ones(2, 3, 5), ValueError, "scores must have shape (M, N), not (2, 3, 5)"),
        (np.ones((2, 3), dtype=bool), TypeError, "scores must be real numbers, not bool"),
    ],
)
def test_scores_refused(pure, scores, kind, text):
    with pytest.raises(kind, match=f"^{re.escape(text)}$"):
        pure(scores)


@pytest.mark.parametrize("method", ALL, ids=repr)
@pytest.mark.parametrize("saliency", ["magnitude", "activation"])
def test_one_pruner_for_every_method(method, saliency):
    model = mlp((32, 48, 24), seed=4)
    config = PruneConfig(
        ratio=4, method=method, saliency=saliency, ramp_steps=12, ramp_every=3, left_out=None
    )
    pruner = prune(model, config, calibration=X)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    ratios = []
    for _ in range(14):
        ratios.append(pruner.report().pruning_ratio)
        optimizer.zero_grad()
        model(X).square().mean().backward()
        optimizer.step()
        pruner.step()
    assert ratios == sorted(ratios)
    assert len(set(ratios)) >= 3
    pruned = pruner.finalize()
    assert pruned.report.slots <= pruned.report.weights / 4
    for name, kept in pruned.layers.items():
        weight = model.get_submodule(name).weight.detach().numpy()
        assert not weight[~kept.mask].any()
        assert weight[kept.mask].any()


@pytest.mark.parametrize("method", FREE, ids=repr)
def test_export_without_row_patterns_is_refused(method):
    pruned = prune(mlp((32, 24, 16)), ratio=4, method=method, calibration=X).finalize()
    text = (
        "layer 0: rows must keep to patterns that the engine can store (quantize the pruned "
        f"model's .model to measure it), not to {method_of(method)!r}"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        quantize(pruned, X)
    integer = quantize(pruned.model, X)
    for layer, kept in zip(integer.layers, pruned.layers.values(), strict=True):
        assert not layer.weights[~kept.mask].any()


def test_scores_decide_not_weights():
    weights = np.arange(1.0, 9.0)[None, :]
    scores = weights[:, ::-1]
    for method in ("irregular", Structured(unit="column"), SquareBlocks(size=1), NOfM(m=8)):
        kept = mask(weights, ratio=4, method=method, scores=scores).mask
        assert np.flatnonzero(kept).tolist() == [0, 1]


class OutOfOrder(nn.Module):
    """No chain: what stands between its layers no engine computes."""

    def __init__(self):
        super().__init__()
        self.b, self.a = nn.Linear(24, 8), nn.Linear(32, 24)

    def forward(self, x):
        return self.b(torch.sigmoid(self.a(x)))


def test_methods_without_patterns_ask_for_no_chain():
    for saliency in ("magnitude", "activation"):
        pruned = prune(
            OutOfOrder(), ratio=4, method="irregular", saliency=saliency, calibration=X
        ).finalize()
        assert pruned.report.stored == (32 * 24 + 24 * 8) // 4


def test_a_ratio_of_its_own():
    model = mlp((32, 48, 24))
    settings = {"ratio": 8, "saliency": "magnitude", "layers": {"2": LayerOverride(ratio=2)}}
    for method in FREE:
        report = prune(copy.deepcopy(model), method=method, **settings).report()
        first, last = report.layers
        assert first.slots <= first.weights / 8
        assert last.weights / 3 < last.slots <= last.weights / 2


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"method": "irregular", "lanes": 8}, "lanes must be left out for method irregular, not 8"),
        ({"method": "block", "rows": 8}, "rows must be left out for method block, not 8"),
        (
            {"method": "bank_balanced", "lanes": 8},
            "lanes must be left out for method bank_balanced, not 8",
        ),
        (
            {"method": "irregular", "order": "spread"},
            "order must be natural for method irregular, not 'spread'",
        ),
        (
            {"method": "block", "layers": {"a": LayerOverride(order="spread")}},
            "order must be natural for method block, not 'spread'",
        ),
        (
            {"method": "structured", "left_out": 0.1},
            "left_out must be left out for method structured, not 0.1",
        ),
    ],
)
def test_settings_that_a_method_has_no_use_for(fields, text):
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        PruneConfig(ratio=4, **fields)


def test_columns_that_a_method_has_no_use_for():
    with pytest.raises(ValueError, match=r"^columns must be left out for method irregular, not \["):
        mask(np.ones((2, 3)), ratio=2, method="irregular", columns=[0, 1])


def test_default_orders():
    assert PruneConfig(ratio=4).order_of("a") == "spread"
    assert PruneConfig(ratio=4, method="n_m").order_of("a") == "natural"
    assert PruneConfig(ratio=4, method="n_m", order="spread").order_of("a") == "spread"


@pytest.mark.parametrize("method", ALL, ids=repr)
def test_configs_are_values(method):
    config = PruneConfig(ratio=16, method=method)
    again = pickle.loads(pickle.dumps(config))
    assert again == config
    assert hash(again) == hash(config)
    assert config.rule == method_of(method)
