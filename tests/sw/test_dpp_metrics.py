"""Confidence and diversity, at values that can be said beforehand."""

import math
import re

import pytest
import torch

from darb.sw.dpp import (
    agreement,
    confidence,
    divergence,
    diversity,
    excess_entropy,
    row_entropy,
)

INF = float("inf")


def test_entropy_of_even_sure_and_short_rows():
    logits = torch.tensor([[0.0] * 8, [100.0] + [0.0] * 7, [0.0] * 4 + [-INF] * 4])
    logits = logits.double().requires_grad_()
    entropy = row_entropy(logits)
    assert entropy.tolist() == pytest.approx([math.log(8), 0, math.log(4)], abs=1e-12)
    entropy.sum().backward()
    assert torch.isfinite(logits.grad).all()


def test_excess_is_counted_from_the_entropy_of_k_sure_units():
    sure = torch.tensor([[60.0, 60.0, 0, 0, 0, 0, 0, 0]])
    assert float(excess_entropy(sure, 2)) == pytest.approx(0, abs=1e-6)
    assert float(excess_entropy(sure, 1)) == pytest.approx(math.log(2) / math.log(8))
    assert float(excess_entropy(torch.zeros(1, 8), 2)) == pytest.approx(1)
    assert float(excess_entropy(torch.tensor([[60.0, 0, 0, 0]]), 2)) == 0.0


def test_rows_that_keep_all_have_no_excess():
    logits = torch.tensor([[0.0, 1.0, -INF], [0.0, 1.0, 2.0]]).requires_grad_()
    excess = excess_entropy(logits, torch.tensor([2, 3]))
    assert excess.tolist() == [0.0, 0.0]
    excess.sum().backward()
    assert torch.isfinite(logits.grad).all()


def test_the_penalty_makes_a_row_sure():
    generator = torch.Generator().manual_seed(0)
    logits = (0.1 * torch.randn(4, 10, generator=generator)).requires_grad_()
    optimizer = torch.optim.Adam([logits], lr=0.1)
    before = confidence(logits, 2)
    for _ in range(100):
        optimizer.zero_grad()
        excess_entropy(logits, 2).mean().backward()
        optimizer.step()
    assert before < 0.01
    assert confidence(logits, 2) > 0.99


def test_confidence_and_agreement_of_sure_and_even_rows():
    generator = torch.Generator().manual_seed(1)
    sure = torch.zeros(50, 16)
    sure[:, 3:7] = 90.0
    assert confidence(sure, 4) == pytest.approx(1)
    assert agreement(sure, 4, generator=generator) == 1.0
    even = torch.zeros(50, 16)
    assert confidence(even, 4) == pytest.approx(0, abs=1e-12)
    # By chance a quarter of the units, here within five standard deviations.
    assert abs(agreement(even, 4, draws=40, generator=generator) - 0.25) < 0.025


def test_divergence_is_the_information_between_row_and_unit():
    assert divergence(torch.full((4, 8), 1 / 8)) == pytest.approx(0, abs=1e-12)
    assert divergence(torch.eye(8)) == pytest.approx(3)
    two = torch.tensor([[0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 0.5, 0.5]])
    assert divergence(two) == pytest.approx(1)
    # I(row; unit) from the joint distribution, by its definition.
    shares = torch.tensor([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]], dtype=torch.float64)
    joint = shares / 2
    apart = joint.sum(dim=0, keepdim=True) * joint.sum(dim=1, keepdim=True)
    expected = float((joint * (joint / apart).log2()).sum())
    assert divergence(shares) == pytest.approx(expected)


def test_diversity_of_masks():
    same = torch.tensor([[True, True, False, False]] * 3)
    assert diversity(same) == pytest.approx(0, abs=1e-12)
    apart = torch.eye(4, dtype=torch.bool)
    assert diversity(apart) == pytest.approx(1)
    assert diversity(apart.repeat(5, 1)) == pytest.approx(1)
    assert diversity(apart[:2]) == pytest.approx(1)
    half = torch.tensor([[True, True, False, False], [True, False, True, False]])
    assert diversity(half) == pytest.approx(0.5)
    assert diversity(apart[:1]) == 0.0
    assert diversity(torch.ones(3, 4, dtype=torch.bool)) == 0.0


@pytest.mark.parametrize(
    ("masks", "text"),
    [
        ([[True, False], [True, True]], "[1, 2]"),
        ([[False, False], [False, False]], "[0]"),
    ],
)
def test_uneven_masks_are_refused(masks, text):
    message = f"masks must keep equally many units in each row, not {text}"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        diversity(torch.tensor(masks))


def test_nan_is_refused():
    text = "scores must be neither NaN nor plus infinity, not nan"
    with pytest.raises(ValueError, match=f"^{text}$"):
        excess_entropy(torch.tensor([[float("nan"), 0.0]]), 1)
    with pytest.raises(ValueError, match=r"^draws must be at least 1, not 0$"):
        agreement(torch.zeros(2, 3), 1, draws=0)
