"""Running a model on calibration inputs, to see what its layers meet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.utils.hooks import RemovableHandle


def calibration_batch(calibration: torch.Tensor | NDArray, *, like: torch.Tensor) -> torch.Tensor:
    """Return calibration inputs as a tensor of the type and on the device of `like`.

    Raises
    ------
    TypeError
        If they are no tensor or array, or not of real numbers.
    ValueError
        If they are no batch, or a value is not finite as that type.
    """
    if isinstance(calibration, np.ndarray):
        if calibration.dtype.kind not in "fiu":
            raise TypeError(f"calibration must be real numbers, not {calibration.dtype}")
        # Of its own, for torch takes neither foreign byte orders nor arrays that are read-only.
        native = calibration.dtype.newbyteorder("=")
        calibration = torch.as_tensor(np.array(calibration, dtype=native, order="C"))
    elif not isinstance(calibration, torch.Tensor):
        raise TypeError(f"calibration must be a tensor or an array, not {calibration!r}")
    if calibration.is_complex() or calibration.dtype == torch.bool:
        raise TypeError(f"calibration must be real numbers, not {calibration.dtype}")
    if calibration.ndim < 2 or not calibration.numel():
        raise ValueError(
            f"calibration must be a batch of inputs, not shape {tuple(calibration.shape)!r}"
        )
    batch = calibration.detach().to(like)
    if not torch.isfinite(batch).all():
        raise ValueError("calibration must be finite, not with NaN or infinity")
    return batch


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Hold every module of `model` in evaluation mode, then put each back as it was."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def observed_run(
    model: nn.Module,
    batch: torch.Tensor,
    hooks: Sequence[RemovableHandle],
    *,
    refusals: tuple[type[Exception], ...] = (RuntimeError,),
) -> object:
    """Run `model` in evaluation mode under hooks, remove them and return its result.

    Parameters
    ----------
    model : torch.nn.Module
    batch : torch.Tensor, shape (B, ...)
    hooks : sequence of RemovableHandle
        Already registered.
    refusals : tuple of exception types
        By which the model's modules refuse their inputs; recurrent ones raise ValueError too.

    Raises
    ------
    ValueError
        If the model does not take the batch.
    """
    try:
        with evaluating(model):
            return model(batch)
    except refusals as error:
        raise ValueError(
            f"calibration must be inputs that the model takes, not shape {tuple(batch.shape)!r} "
            f"({str(error).splitlines()[0]})"
        ) from error
    finally:
        for hook in hooks:
            hook.remove()
