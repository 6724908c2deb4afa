import re

import pytest
import torch

from darb.sw.dpp import quantize_weight

ALL = torch.ones((), dtype=torch.bool)


def weights(rows=5, columns=40, seed=0):
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))


def test_no_bits_change_nothing():
    weight = weights()
    assert quantize_weight(weight, ALL, None) is weight


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("shared", [False, True])
def test_codes_are_whole_and_reach_the_limit(bits, shared):
    weight, limit = weights(), 2 ** (bits - 1) - 1
    largest = weight.abs().amax() if shared else weight.abs().amax(dim=1, keepdim=True)
    codes = quantize_weight(weight, ALL, bits, shared=shared) / (largest / limit)
    assert torch.allclose(codes, codes.round(), atol=1e-4)
    assert float(codes.abs().max()) == pytest.approx(limit)
    assert (codes * largest / limit - weight).abs().max() <= largest.max() / limit * 0.501


def test_only_what_stays_says_how_large_a_step_is():
    weight = torch.tensor([[0.5, -127.0, 100.0]])
    kept = torch.tensor([[True, False, True]])
    assert quantize_weight(weight, kept, 8).tolist()[0][0] == pytest.approx(100 / 127)
    binary = quantize_weight(weight, kept, 1).tolist()[0]
    assert binary == pytest.approx([50.25, -50.25, 50.25])


def test_binary_has_one_size_a_row_and_zero_is_plus():
    weight = weights()
    weight[0, 0] = 0
    binary = quantize_weight(weight, ALL, 1)
    assert torch.equal(binary.sign(), torch.where(weight < 0, -1.0, 1.0))
    assert torch.allclose(binary.abs(), weight.abs().mean(dim=1, keepdim=True).expand(5, 40))
    shared = quantize_weight(weight, ALL, 1, shared=True)
    assert shared.abs().unique().numel() == 1


@pytest.mark.parametrize("bits", [1, 3, 8])
def test_rows_of_zeros_stay(bits):
    assert not quantize_weight(torch.zeros(2, 3), ALL, bits).any()
    kept = torch.tensor([[False], [True]])
    assert torch.isfinite(quantize_weight(weights(2, 3), kept, bits)).all()


@pytest.mark.parametrize("bits", [1, 8])
def test_gradient_passes_unchanged(bits):
    weight, gradient = weights().requires_grad_(), weights(seed=1)
    quantize_weight(weight, ALL, bits).backward(gradient)
    assert torch.equal(weight.grad, gradient)


@pytest.mark.parametrize("shape", [(3, 2, 5, 5), (4, 6)])
def test_of_a_conv_as_of_its_matrix(shape):
    weight = torch.randn(shape, generator=torch.Generator().manual_seed(2))
    assert torch.equal(
        quantize_weight(weight, ALL, 8).flatten(1), quantize_weight(weight.flatten(1), ALL, 8)
    )


@pytest.mark.parametrize(
    ("bits", "kind", "text"),
    [
        (0, ValueError, "bits must be in 1..8, not 0"),
        (9, ValueError, "bits must be in 1..8, not 9"),
        (8.0, TypeError, "bits must be an int, not 8.0"),
    ],
)
def test_refused(bits, kind, text):
    with pytest.raises(kind, match=f"^{re.escape(text)}$"):
        quantize_weight(weights(), ALL, bits)
