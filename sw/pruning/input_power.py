"""How large the inputs of each weight are, over calibration data."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from darb.sw.pruning.calibration import calibration_batch, observed_run
from darb.sw.pruning.convolution_patches import convolution_patches
from darb.sw.pruning.layer_modules import (
    Inputs,
    PrunableModule,
    PrunableWeight,
    RecurrentModule,
    States,
    layer_arguments,
)
from darb.sw.pruning.recurrent_inputs import recurrent_inputs

_IMAGES = 64


@torch.no_grad()
def input_rms(
    model: nn.Module,
    layers: dict[str, PrunableWeight],
    calibration: torch.Tensor | NDArray,
) -> dict[str, NDArray[np.float32]]:
    """Run `model` on a batch and return the root mean square of what each weight multiplies.

    Unlike `darb.sw.pruning.trace_chain` it asks for no chain: what stands between the layers is
    free, and a layer may run several times. A recurrent matrix multiplies hidden states; see
    `recurrent_inputs`.

    Parameters
    ----------
    model : torch.nn.Module
    layers : dict of str to PrunableWeight
    calibration : torch.Tensor or ndarray, shape (B, ...)

    Returns
    -------
    dict of str to ndarray of float32
        By layer, shape (N,); shape (M, N) for a Conv2d of several groups, whose rows read
        different channels. For a Conv2d the mean is over every position of its kernel, the zeros
        of the padding included.

    Raises
    ------
    TypeError
        If `calibration` is no real array.
    ValueError
        If calibration is empty, not finite or nothing that the model takes, or a layer never runs.
    """
    batch = calibration_batch(calibration, like=next(iter(layers.values())).weight)
    sums: dict[str, torch.Tensor] = {}
    counts = dict.fromkeys(layers, 0)

    modules: dict[nn.Module, dict[str, str]] = {}
    for name, layer in layers.items():
        modules.setdefault(layer.module, {})[layer.parameter] = name

    def note(
        module: nn.Module, inputs: tuple, named: dict, output: object, *, names: dict[str, str]
    ) -> None:
        for parameter, squares, count in _squares(module, *layer_arguments(*inputs, **named)):
            if parameter in names:
                name = names[parameter]
                sums[name] = sums[name] + squares if counts[name] else squares
                counts[name] += count

    hooks = [
        module.register_forward_hook(partial(note, names=names), with_kwargs=True)
        for module, names in modules.items()
    ]
    observed_run(model, batch, hooks, refusals=(RuntimeError, ValueError))
    found = {}
    for name, layer in layers.items():
        if not counts[name]:
            raise ValueError(f"layer {name} must run for saliency 'activation', not 0 times")
        rms = (sums[name] / counts[name]).sqrt().float().cpu().numpy()
        groups = getattr(layer.module, "groups", 1)
        if groups > 1:
            rms = np.repeat(rms.reshape(groups, -1), layer.module.out_channels // groups, axis=0)
        found[name] = rms
    return found


def _squares(
    module: PrunableModule | RecurrentModule, inputs: Inputs, states: States | None
) -> Iterator[tuple[str, torch.Tensor, int]]:
    """Give each weight's name, its columns' sums of squared inputs, and of how many vectors."""
    if isinstance(module, RecurrentModule):
        for parameter, vectors in recurrent_inputs(module, inputs, states):
            yield parameter, vectors.double().square().sum(dim=0), len(vectors)
    elif isinstance(module, nn.Linear):
        vectors = inputs.reshape(-1, inputs.shape[-1]).double()
        yield "weight", vectors.square().sum(dim=0), len(vectors)
    else:
        yield "weight", *_patch_squares(module, inputs)


def _patch_squares(module: nn.Conv2d, inputs: torch.Tensor) -> tuple[torch.Tensor, int]:
    images = inputs if inputs.ndim == 4 else inputs[None]
    total, count = torch.zeros((), dtype=torch.float64, device=inputs.device), 0
    for part in images.split(_IMAGES):
        patches = convolution_patches(module, part.double())
        total = total + patches.square().sum(dim=(0, 1, 2))
        count += patches[..., 0].numel()
    return total, count
