"""The distillation loss: what makes it zero, its gradient, its limits."""

import re

import pytest
import torch
from torch.nn import functional

from darb.sw.distillation import distillation_loss

GENERATOR = torch.Generator().manual_seed(0)
STUDENT, TEACHER = torch.randn(2, 6, 10, generator=GENERATOR, dtype=torch.float64)


@pytest.mark.parametrize("temperature", [1, 4.0])
def test_zero_only_where_both_agree(temperature):
    shifted = TEACHER + torch.arange(6.0)[:, None]
    assert distillation_loss(shifted, TEACHER, temperature=temperature).abs() < 1e-12
    assert distillation_loss(STUDENT, TEACHER, temperature=temperature) > 0.01


@pytest.mark.parametrize("temperature", [1, 2.5, 4])
def test_gradient_is_the_difference_of_softened_outputs(temperature):
    student = STUDENT.clone().requires_grad_()
    distillation_loss(student, TEACHER, temperature=temperature).backward()
    apart = (STUDENT / temperature).softmax(1) - (TEACHER / temperature).softmax(1)
    torch.testing.assert_close(student.grad, temperature * apart / len(STUDENT))


def test_hot_gradients_match_logits():
    """Hinton et al. 2015, section 2.1: at high temperature logits' distance is minimised."""
    student = STUDENT.clone().requires_grad_()
    distillation_loss(student, TEACHER, temperature=1e4).backward()
    apart = STUDENT - STUDENT.mean(1, keepdim=True) - TEACHER + TEACHER.mean(1, keepdim=True)
    torch.testing.assert_close(student.grad, apart / 10 / len(STUDENT), rtol=1e-2, atol=1e-5)


def test_sure_teacher_is_a_label():
    labels = TEACHER.argmax(dim=1)
    sure = 1000.0 * functional.one_hot(labels, 10).double()
    got = distillation_loss(STUDENT, sure, temperature=1)
    torch.testing.assert_close(got, functional.cross_entropy(STUDENT, labels))


@pytest.mark.parametrize(
    ("taught", "temperature", "kind", "text"),
    [
        (TEACHER, 0, ValueError, "temperature must be finite and above 0, not 0"),
        (TEACHER, float("inf"), ValueError, "temperature must be finite and above 0, not inf"),
        (TEACHER, "4", TypeError, "temperature must be a number, not '4'"),
        (TEACHER[:1], 4, ValueError, "taught must have shape (6, 10), not (1, 10)"),
    ],
)
def test_refused(taught, temperature, kind, text):
    with pytest.raises(kind, match=f"^{re.escape(text)}$"):
        distillation_loss(STUDENT, taught, temperature=temperature)
