"""Trained weights on disk, so that a demo can start from them."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn


def save_checkpoint(path: str | Path, *, dense: nn.Module, pruned: nn.Module) -> None:
    """Write the weights of a trained network before and after pruning."""
    torch.save({"dense": dense.state_dict(), "pruned": pruned.state_dict()}, path)


def load_dense(path: str | Path, model: nn.Module) -> None:
    """Fill `model` with trained weights.

    Parameters
    ----------
    path : path
        From `save_checkpoint`, or a plain ``state_dict`` saved with ``torch.save``.
    model : torch.nn.Module
        Left in evaluation mode.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no checkpoint, or not of this network.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} must be a checkpoint file")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        # The reader raises whatever its parts raise: zip, pickle, key and runtime errors.
        raise ValueError(
            f"{path} must be a whole checkpoint saved with torch.save, but it cannot be read "
            f"({type(error).__name__})"
        ) from error
    if isinstance(state, dict):
        state = state.get("dense", state)
    expected = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    found = (
        {name: tuple(value.shape) for name, value in state.items()}
        if isinstance(state, dict)
        and all(isinstance(value, torch.Tensor) for value in state.values())
        else None
    )
    if found is None:
        raise ValueError(f"{path} must hold the weights of a network")
    for name in sorted(expected.keys() | found.keys()):
        if found.get(name) != expected.get(name):
            raise ValueError(
                f"{path}: {name} must have shape {expected.get(name)}, not {found.get(name)}"
            )
    for name, value in state.items():
        if not torch.isfinite(value).all():
            raise ValueError(f"{path}: {name} must be finite, not with NaN or infinity")
    model.load_state_dict(state)
    model.eval()
