"""Knowledge distillation: what a student loses by not saying what its teacher says."""

from __future__ import annotations

import math

import torch
from torch.nn import functional


def distillation_loss(
    outputs: torch.Tensor, taught: torch.Tensor, *, temperature: float = 4.0
) -> torch.Tensor:
    """Return the divergence of a student's softened outputs from its teacher's.

    Hinton et al., "Distilling the knowledge in a neural network", 2015. It is scaled by the
    squared temperature, so that its gradients are as large as those of the labels' loss.

    Parameters
    ----------
    outputs, taught : torch.Tensor, shape (B, classes)
        Logits of the student and of the teacher.
    temperature : float
        Both are divided by it.

    Returns
    -------
    torch.Tensor, shape ()
        Mean over the batch, at least 0, and 0 where both agree up to a constant a vector.

    Raises
    ------
    TypeError
        If the temperature is no number.
    ValueError
        If it is not finite and above 0, or the shapes differ.
    """
    if isinstance(temperature, bool) or not isinstance(temperature, int | float):
        raise TypeError(f"temperature must be a number, not {temperature!r}")
    if not (math.isfinite(temperature) and temperature > 0):
        raise ValueError(f"temperature must be finite and above 0, not {temperature!r}")
    if outputs.shape != taught.shape:
        raise ValueError(
            f"taught must have shape {tuple(outputs.shape)!r}, not {tuple(taught.shape)!r}"
        )
    return functional.kl_div(
        functional.log_softmax(outputs / temperature, dim=1),
        functional.log_softmax(taught / temperature, dim=1),
        reduction="batchmean",
        log_target=True,
    ) * (temperature * temperature)
