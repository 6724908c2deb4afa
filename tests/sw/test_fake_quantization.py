"""Rounding that lets gradients pass: values and gradients by hand."""

import torch

from darb.sw.fake_quantization import fake_activations, fake_weights


def test_weights_round_to_symmetric_codes_and_pass_every_gradient():
    weights = torch.tensor([[0.0, 0.24, -0.26, 5.0, -5.0], [1.0, 1.0, 1.0, 1.0, 0.0]])
    weights.requires_grad_()
    rounded = fake_weights(weights, torch.tensor([[1.5], [0.0]]), bits=3)
    assert rounded[0].tolist() == [0.0, 0.0, -0.5, 1.5, -1.5]
    assert not rounded[1].any()
    gradient = torch.rand(2, 5, generator=torch.Generator().manual_seed(0))
    rounded.backward(gradient)
    assert torch.equal(weights.grad, gradient)


def test_activations_round_and_saturate_and_stop_the_gradient_there():
    values = torch.tensor([0.24, 0.26, 0.75, 1.25, 9.0, -1.9, -2.6], requires_grad=True)
    rounded = fake_activations(values, 0.5, bits=3)
    assert rounded.tolist() == [0.0, 0.5, 1.0, 1.0, 1.5, -2.0, -2.0]
    rounded.sum().backward()
    assert values.grad.tolist() == [1, 1, 1, 1, 0, 1, 0]
