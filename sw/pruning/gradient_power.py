"""How much the loss feels each weight: the diagonal of the Fisher information."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from darb.sw.pruning.calibration import calibration_batch, evaluating, observed_run
from darb.sw.pruning.layer_modules import PrunableWeight, layer_arguments

# Up to this many classes the expectation over labels is taken exactly.
_CLASSES = 32
_DRAWS = 32


def gradient_rms(
    model: nn.Module,
    layers: Mapping[str, PrunableWeight],
    calibration: torch.Tensor | NDArray,
    *,
    seed: int = 0,
    examples: int = 16,
) -> dict[str, NDArray[np.float32]]:
    """Return the root mean square of the loss's gradient to each weight: the root of the Fisher.

    The mean is over calibration inputs and, for each, over labels as the model itself gives them
    out, so that no labels are needed and a network that fits its training data still has
    gradients. Half the Fisher diagonal times a squared weight is what the loss is expected to
    rise by when the weight goes (LeCun et al., "Optimal brain damage", 1990, with the Fisher in
    place of the Hessian as in Theis et al., "Faster gaze prediction with dense networks and Fisher
    pruning", 2018).

    Outputs are logits: their last axis is classes, and the label's distribution is their softmax.
    A single output is the mean of a normal distribution of variance 1.

    Up to 32 classes each is taken with its probability, above that 32 random combinations of them.
    Where a Linear runs once, on vectors, its gradients are told apart by example and nothing is
    random. All other weights get the square of the gradient of `examples` examples together, each
    with a random sign: its mean is the same, for the signs cancel what examples have in common.

    Parameters
    ----------
    model : torch.nn.Module
        Run in evaluation mode; weights and gradients stay as they are.
    layers : mapping of str to PrunableWeight
    calibration : torch.Tensor or ndarray, shape (B, ...)
    seed : int
        Of the signs.
    examples : int
        Examples a backward pass; with 1 no example is mixed with another.

    Returns
    -------
    dict of str to ndarray of float32, shape (M, N)
        Each weight as a matrix.

    Raises
    ------
    TypeError
        If `calibration` is no real array.
    ValueError
        If calibration is empty, not finite or nothing that the model takes, the model does not
        return one tensor, a gradient is not finite, or a layer has no part in the outputs.
    """
    batch = calibration_batch(calibration, like=next(iter(layers.values())).weight)
    generator = torch.Generator().manual_seed(seed)
    sums = {name: torch.zeros_like(layer.weight) for name, layer in layers.items()}
    # In evaluation cuDNN refuses the gradients of recurrent layers.
    with (
        evaluating(model),
        torch.enable_grad(),
        torch.backends.cudnn.flags(enabled=False),
        _differentiable(layers),
    ):
        for part in batch.split(examples):
            _add_squares(model, layers, part, sums, generator)
    found = {}
    for name, total in sums.items():
        rms = (total / len(batch)).sqrt()
        if not torch.isfinite(rms).all():
            raise ValueError(f"layer {name}: gradients must be finite, not NaN or infinity")
        found[name] = rms.flatten(1).float().cpu().numpy()
    return found


def row_sensitivity(rms: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return how much the loss feels each row: the mean of its squared gradients, shape (M,).

    For a Linear that is the mean square of the gradient to the row's sum, weighted with the power
    of the inputs.
    """
    return np.einsum("mn,mn->m", rms, rms, dtype=np.float64) / rms.shape[1]


@contextmanager
def _differentiable(layers: Mapping[str, PrunableWeight]) -> Iterator[None]:
    """Let gradients reach weights that are frozen."""
    frozen = [layer.weight for layer in layers.values() if not layer.weight.requires_grad]
    for weight in frozen:
        weight.requires_grad_(True)
    try:
        yield
    finally:
        for weight in frozen:
            weight.requires_grad_(False)


def _add_squares(
    model: nn.Module,
    layers: Mapping[str, PrunableWeight],
    part: torch.Tensor,
    sums: dict[str, torch.Tensor],
    generator: torch.Generator,
) -> None:
    """Add the squared gradients of a few examples to the sums."""
    outputs, calls = _run(model, layers, part)
    alone = {
        name: seen[0]
        for name, seen in calls.items()
        if len(seen) == 1 and seen[0][0].ndim == 2 and len(seen[0][0]) == len(part)
    }
    # A list, for the sums are of outputs where examples can be told apart, else of weights.
    wanted = [alone[name][1] if name in alone else layers[name].weight for name in layers]
    for given in _score_roots(outputs.detach(), generator):
        gradients = torch.autograd.grad(
            outputs, wanted, given, retain_graph=True, allow_unused=True
        )
        for name, gradient in zip(layers, gradients, strict=True):
            if gradient is None:
                raise ValueError(f"layer {name} must have a part in the outputs, not none")
            if name in alone:
                sums[name] += gradient.square().T @ alone[name][0].square()
            else:
                sums[name] += gradient.square()


def _run(
    model: nn.Module, layers: Mapping[str, PrunableWeight], part: torch.Tensor
) -> tuple[torch.Tensor, dict[str, list[tuple[torch.Tensor, torch.Tensor]]]]:
    """Return the model's outputs, and what each Linear was given and gave."""
    calls: dict[str, list[tuple[torch.Tensor, torch.Tensor]]] = {}

    def note(
        module: nn.Linear, inputs: tuple, named: dict, output: torch.Tensor, *, name: str
    ) -> torch.Tensor:
        given, _ = layer_arguments(*inputs, **named)
        # What follows may overwrite the output in place.
        calls.setdefault(name, []).append((given.detach().clone(), output))
        return output.clone()

    hooks = [
        layer.module.register_forward_hook(partial(note, name=name), with_kwargs=True)
        for name, layer in layers.items()
        if isinstance(layer.module, nn.Linear)
    ]
    outputs = observed_run(model, part, hooks)
    if not isinstance(outputs, torch.Tensor):
        raise ValueError(f"model must return one tensor, not {type(outputs).__name__!r}")
    return outputs, calls


def _score_roots(outputs: torch.Tensor, generator: torch.Generator) -> Iterator[torch.Tensor]:
    """Return gradients to the outputs whose squares' sum has the Fisher as its mean.

    The Fisher of logits is diag(p) - p p^T, of which diag(r) - p r^T with r the root of p is a
    root: its columns, or random combinations of them.
    """
    classes = outputs.shape[-1]
    if classes == 1:
        yield _signs(outputs.shape, generator, outputs)
        return
    share = outputs.softmax(dim=-1)
    root = share.sqrt()
    exact = classes <= _CLASSES
    for draw in range(classes if exact else _DRAWS):
        if exact:
            chosen = torch.zeros_like(outputs)
            chosen[..., draw : draw + 1] = _signs((*outputs.shape[:-1], 1), generator, outputs)
        else:
            chosen = _signs(outputs.shape, generator, outputs) / _DRAWS**0.5
        yield root * chosen - share * (root * chosen).sum(dim=-1, keepdim=True)


def _signs(shape: tuple[int, ...], generator: torch.Generator, like: torch.Tensor) -> torch.Tensor:
    return (2 * torch.randint(0, 2, shape, generator=generator) - 1).to(like)
