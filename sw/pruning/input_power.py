"""How large the inputs of each weight are, over calibration data."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from darb.sw.pruning.chain import calibration_batch, evaluating
from darb.sw.pruning.layer_modules import PrunableModule

_IMAGES = 64


@torch.no_grad()
def input_rms(
    model: nn.Module,
    layers: dict[str, PrunableModule],
    calibration: torch.Tensor | NDArray,
) -> dict[str, NDArray[np.float32]]:
    """Run `model` on a batch and return the root mean square of what each weight multiplies.

    Unlike `darb.sw.pruning.trace_chain` it asks for no chain: what stands between the layers is
    free, and a layer may run several times.

    Parameters
    ----------
    model : torch.nn.Module
    layers : dict of str to torch.nn.Linear or torch.nn.Conv2d
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

    def note(module: PrunableModule, inputs: tuple, *, name: str) -> None:
        squares, count = _squares(module, inputs[0].detach())
        sums[name] = sums[name] + squares if counts[name] else squares
        counts[name] += count

    hooks = [
        layer.register_forward_pre_hook(partial(note, name=name)) for name, layer in layers.items()
    ]
    try:
        with evaluating(model):
            model(batch)
    except RuntimeError as error:
        raise ValueError(
            f"calibration must be inputs that the model takes, not shape {tuple(batch.shape)!r} "
            f"({str(error).splitlines()[0]})"
        ) from error
    finally:
        for hook in hooks:
            hook.remove()
    found = {}
    for name, layer in layers.items():
        if not counts[name]:
            raise ValueError(f"layer {name} must run for saliency 'activation', not 0 times")
        rms = (sums[name] / counts[name]).sqrt().float().cpu().numpy()
        groups = getattr(layer, "groups", 1)
        if groups > 1:
            rms = np.repeat(rms.reshape(groups, -1), layer.out_channels // groups, axis=0)
        found[name] = rms
    return found


def _squares(module: PrunableModule, inputs: torch.Tensor) -> tuple[torch.Tensor, int]:
    """Return the sum of squares of each column's inputs, and over how many vectors."""
    if isinstance(module, nn.Linear):
        vectors = inputs.reshape(-1, inputs.shape[-1]).double()
        return vectors.square().sum(dim=0), len(vectors)
    images = inputs if inputs.ndim == 4 else inputs[None]
    total, count = torch.zeros((), dtype=torch.float64, device=inputs.device), 0
    for part in images.split(_IMAGES):
        mode = "constant" if module.padding_mode == "zeros" else module.padding_mode
        padded = functional.pad(part.double(), _padding(module), mode=mode)
        patches = functional.unfold(
            padded, module.kernel_size, dilation=module.dilation, stride=module.stride
        )
        total = total + patches.square().sum(dim=(0, 2))
        count += patches.shape[0] * patches.shape[2]
    return total, count


def _padding(module: nn.Conv2d) -> tuple[int, ...]:
    """Return left, right, top and bottom padding."""
    sides: list[int] = []
    for axis in (1, 0):
        if module.padding == "valid":
            sides += [0, 0]
        elif module.padding == "same":
            both = module.dilation[axis] * (module.kernel_size[axis] - 1)
            sides += [both // 2, both - both // 2]
        else:
            sides += [module.padding[axis]] * 2
    return tuple(sides)
