"""The relaxation against the plain loop of softmaxes, its gradient against differences."""

import re

import pytest
import torch

from darb.sw.dpp import relaxed_top_k, straight_through

SHAPES = [(5, 2, 0.5), (5, 5, 1.0), (7, 1, 5.0), (30, 17, 0.5), (3, 3, 0.2), (1, 1, 1.0)]


def successive_softmaxes(scores, keep, temperature, removal):
    """The definition, one softmax after another."""
    scores, total = scores / temperature, torch.zeros_like(scores)
    for _ in range(keep):
        share = scores.softmax(dim=1)
        total = total + share
        if removal == "hard":
            won = torch.zeros_like(scores, dtype=torch.bool)
            won.scatter_(1, scores.argmax(dim=1, keepdim=True), True)
            scores = scores.masked_fill(won, -1e6)
        else:
            scores = scores + torch.log(1 - share)
    return total


def random_scores(rows, columns, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(rows, columns, dtype=torch.float64, generator=generator)


@pytest.mark.parametrize("removal", ["hard", "soft"])
@pytest.mark.parametrize(("columns", "keep", "temperature"), SHAPES[:4])
def test_equals_successive_softmaxes_with_their_gradient(columns, keep, temperature, removal):
    scores, wanted = random_scores(4, columns).requires_grad_(), random_scores(4, columns, 1)
    expected = successive_softmaxes(scores, keep, temperature, removal)
    relaxed = relaxed_top_k(scores, keep, temperature=temperature, removal=removal)
    torch.testing.assert_close(relaxed, expected)
    assert relaxed.sum(dim=1).tolist() == pytest.approx([keep] * 4)
    (gradient,) = torch.autograd.grad((relaxed * wanted).sum(), scores)
    (reference,) = torch.autograd.grad((expected * wanted).sum(), scores)
    torch.testing.assert_close(gradient, reference)


# When soft removal takes all, the last shares reach 1, whose logarithm differences cannot follow.
@pytest.mark.parametrize(
    ("columns", "keep", "temperature", "removal"),
    [(*shape, "hard") for shape in SHAPES]
    + [(*shape, "soft") for shape in SHAPES if shape[0] != shape[1]],
)
def test_gradient_is_that_of_finite_differences(columns, keep, temperature, removal):
    scores = random_scores(2, columns, seed=3).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda values: relaxed_top_k(values, keep, temperature=temperature, removal=removal),
        scores,
    )


@pytest.mark.parametrize("removal", ["hard", "soft"])
def test_rows_of_different_counts_and_widths(removal):
    scores = random_scores(4, 6)
    scores[1, 4:] = -torch.inf
    keep = torch.tensor([3, 2, 0, 1])
    relaxed = relaxed_top_k(scores, keep, temperature=0.7, removal=removal)
    for row, count in enumerate(keep.tolist()):
        width = 4 if row == 1 else 6
        alone = relaxed_top_k(
            scores[row : row + 1, :width], count, temperature=0.7, removal=removal
        )
        torch.testing.assert_close(relaxed[row, :width], alone[0])
    assert not relaxed[1, 4:].any()
    assert not relaxed[2].any()


def test_low_temperature_gives_the_mask():
    relaxed = relaxed_top_k(torch.tensor([[0.0, 3.0, 1.0, 2.0]]), 2, temperature=0.01)
    assert relaxed[0].tolist() == pytest.approx([0, 1, 0, 1])


@pytest.mark.parametrize("removal", ["hard", "soft"])
def test_scores_far_apart_give_finite_gradients(removal):
    scores = (100 * random_scores(3, 20)).float().requires_grad_()
    keep = torch.tensor([20, 19, 2])
    relaxed = relaxed_top_k(scores, keep, temperature=0.5, removal=removal)
    (relaxed * random_scores(3, 20, 1)).sum().backward()
    assert relaxed.sum(dim=1).tolist() == pytest.approx(keep.tolist(), rel=1e-4)
    assert torch.isfinite(scores.grad).all()


def test_a_common_offset_changes_nothing():
    scores = random_scores(2, 9)
    first, second = (
        relaxed_top_k(values, 4, temperature=0.5) for values in (scores, scores + 1000)
    )
    torch.testing.assert_close(first, second)


def test_straight_through_is_the_identity_both_ways():
    hard = torch.tensor([[True, False, True]])
    relaxed = torch.tensor([[0.3, 0.6, 1.1]], requires_grad=True)
    passed = straight_through(hard, relaxed)
    assert torch.equal(passed, torch.tensor([[1.0, 0.0, 1.0]]))
    gradient = torch.tensor([[0.1, -2.0, 3.0]])
    passed.backward(gradient)
    assert torch.equal(relaxed.grad, gradient)


@pytest.mark.parametrize(
    ("fields", "kind", "text"),
    [
        ({"temperature": 0}, ValueError, "temperature must be finite and above 0, not 0"),
        (
            {"temperature": float("nan")},
            ValueError,
            "temperature must be finite and above 0, not nan",
        ),
        ({"temperature": "1"}, TypeError, "temperature must be a number, not '1'"),
        ({"removal": "none"}, ValueError, "removal must be one of hard, soft, not 'none'"),
        ({"keep": 4}, ValueError, "keep must be in 0..3, not 4"),
    ],
)
def test_refused(fields, kind, text):
    with pytest.raises(kind, match=f"^{re.escape(text)}$"):
        relaxed_top_k(torch.zeros(2, 3), **{"keep": 1, "temperature": 1.0, **fields})
