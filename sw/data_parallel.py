"""Data-parallel training: every process takes its share of a batch, and gradients are summed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import distributed, nn


@contextmanager
def process_group() -> Iterator[bool]:
    """Join the processes that torchrun started, while the body runs; alone without torchrun.

    Yields
    ------
    bool
        Whether this is the process that writes files and tells of progress.
    """
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        yield True
        return
    on_gpu = torch.cuda.is_available()
    if on_gpu:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group("nccl" if on_gpu else "gloo")
    try:
        yield distributed.get_rank() == 0
    finally:
        distributed.destroy_process_group()


def share_of(batch: torch.Tensor) -> tuple[torch.Tensor, float]:
    """Return this process's part of a batch, and the weight of its mean in the batch's.

    Parameters
    ----------
    batch : torch.Tensor, shape (B, ...)

    Returns
    -------
    torch.Tensor, float
        All of it and 1 where there is one process. A process for which nothing is left gets one
        entry, at weight 0, so that all take the same steps.
    """
    if not distributed.is_initialized():
        return batch, 1.0
    mine = batch.tensor_split(distributed.get_world_size())[distributed.get_rank()]
    return (mine, len(mine) / len(batch)) if len(mine) else (batch[:1], 0.0)


def sum_gradients(model: nn.Module) -> None:
    """Replace the gradients of `model` by their sums over all processes.

    With losses weighted as `share_of` says these are the gradients of the whole batch, equal on
    every process up to the order of sums.
    """
    if not distributed.is_initialized():
        return
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    distributed.all_reduce(flat)
    sizes = [gradient.numel() for gradient in gradients]
    for gradient, total in zip(gradients, flat.split(sizes), strict=True):
        gradient.copy_(total.view_as(gradient))
