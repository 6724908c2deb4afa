"""Training of small networks, deterministic by seed."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from darb.sw.data_parallel import share_of, sum_gradients
from darb.sw.datasets import Dataset
from darb.sw.distillation import distillation_loss
from darb.sw.pruning.admm import Admm
from darb.sw.pruning.calibration import evaluating
from darb.sw.pruning.pruner import Pruner
from darb.sw.quantization_aware import QuantizationAware
from darb.sw.validation import MOST_SEED, check_int

# The largest learning rate over the first, and the first over the last.
_FIRST_SHARE, _LAST_SHARE = 25.0, 1e4
_WARM_UP = 0.05
_CHUNK = 250


@torch.no_grad()
def logits(model: nn.Module, x: NDArray | torch.Tensor) -> torch.Tensor:
    """Return the model's outputs in evaluation mode, on its device.

    They are computed a few examples at a time: what lies between layers of a convolutional network
    takes many times the room of its inputs, and should fit a cache.
    """
    device = _device_of(model)
    with evaluating(model), _channels_last(model):
        return torch.cat([model(part.to(device)) for part in torch.as_tensor(x).split(_CHUNK)])


def accuracy(model: nn.Module, x: NDArray | torch.Tensor, y: NDArray | torch.Tensor) -> float:
    """Return the share of examples whose largest output is that of their label."""
    found = logits(model, x).argmax(dim=1)
    return float((found == torch.as_tensor(y).to(found.device)).double().mean())


def _device_of(model: nn.Module) -> torch.device:
    return next((parameter.device for parameter in model.parameters()), torch.device("cpu"))


@contextmanager
def _channels_last(model: nn.Module) -> Iterator[None]:
    """Lay out weights of convolutions channels last, then as before.

    LeNet-5 trains more than twice as fast with them: the layout of a convolution's weights is that
    of its outputs, and neither oneDNN nor the pooling need rearrange these.
    """
    moved = [
        parameter
        for parameter in model.parameters()
        if parameter.ndim == 4 and parameter.is_contiguous() and parameter.stride(1) != 1
    ]
    for parameter in moved:
        parameter.data = _laid_out(parameter.data, torch.channels_last)
    try:
        yield
    finally:
        for parameter in moved:
            parameter.data = _laid_out(parameter.data, torch.contiguous_format)


def _laid_out(weights: torch.Tensor, layout: torch.memory_format) -> torch.Tensor:
    # `contiguous` leaves the strides of a single channel as they are, for they name no other
    # place; but oneDNN tells the layout by them.
    return torch.empty_like(weights, memory_format=layout).copy_(weights)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Compute with one thread, then with as many as before.

    Networks this small gain nothing from a second one, and lose much where cores are shared. And
    sums then run in one order, so that a seed gives the same network on any number of cores.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@dataclass(frozen=True)
class Epoch:
    """What `train` tells of each epoch.

    Parameters
    ----------
    index, epochs : int
        The epoch from 1, and how many there will be.
    loss : float
        Mean over the epoch.
    validation : float
        Accuracy on the validation part.
    """

    index: int
    epochs: int
    loss: float
    validation: float


def train(
    model: nn.Module,
    dataset: Dataset,
    epochs: int,
    *,
    lr: float,
    seed: int,
    batch: int = 128,
    weight_decay: float = 0.0,
    shift: int = 0,
    pruner: Pruner | None = None,
    admm: Admm | None = None,
    quantization: QuantizationAware | None = None,
    schedule_epochs: int | None = None,
    teacher: nn.Module | None = None,
    temperature: float = 4.0,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> float:
    """Train `model` in place and leave it as it was after its best epoch on the validation part.

    Adam with a learning rate that warms up over the first twentieth and then falls along a
    cosine to zero. It runs on the model's device; where torchrun started several processes (see
    `darb.sw.data_parallel.process_group`) each takes its share of every batch.

    Parameters
    ----------
    model : torch.nn.Module
        Takes examples of the dataset's shape and gives logits, shape (B, classes).
    dataset : Dataset
    epochs : int
    lr : float
        Largest learning rate.
    seed : int
        Of the order of examples, of dropout and of shifts.
    batch : int
        Examples an optimizer step.
    weight_decay : float
        Decoupled (AdamW).
    shift : int
        Each training image is moved by at most this many pixels along each axis; examples
        must then be vectors of square images.
    pruner : Pruner, optional
        Prepared on this model; its step follows each optimizer step. While it ramps up no epoch
        counts as best.
    admm : Admm, optional
        Prepared on this model; its penalty is added to the loss, its step follows each optimizer
        step. The model is then left as it was after the last epoch.
    quantization : QuantizationAware, optional
        Prepared on this model; its step follows each optimizer step. Accuracy on the validation
        part is then that of the rounded network.
    schedule_epochs : int, optional
        Learning-rate rewinding (Renda et al., "Comparing rewinding and fine-tuning in neural
        network pruning", ICLR 2020): of a schedule this long only the last `epochs` are run, so
        that a pruned network goes once more through what the dense one ended with. By default
        the schedule is `epochs` long: rewound to its start.
    teacher : torch.nn.Module, optional
        Its outputs are learned besides the labels, half and half; see `distillation_loss`.
    temperature : float
        Softens them.
    on_epoch : callable, optional
        Called with an `Epoch` after each.

    Returns
    -------
    float
        Accuracy on the validation part.
    """
    check_int("epochs", epochs, 1)
    check_int("seed", seed, 0, MOST_SEED)
    check_int("batch", batch, 1)
    check_int("shift", shift, 0)
    if schedule_epochs is not None:
        check_int("schedule_epochs", schedule_epochs, epochs)
    generator = torch.Generator().manual_seed(seed)
    device = _device_of(model)
    inputs = torch.as_tensor(dataset.train_x).to(device)
    labels = torch.as_tensor(dataset.train_y).to(device)
    steps = -(-len(inputs) // batch)
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=weight_decay, fused=True)
    schedule = _schedule(optimizer, lr, steps * (schedule_epochs or epochs), steps * epochs)
    best, best_state = -1.0, copy.deepcopy(model.state_dict())
    devices = [device] if device.type == "cuda" else []
    with _one_thread(), _channels_last(model), torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        # Without shifts the teacher says the same in every epoch.
        taught = logits(teacher, inputs) if teacher is not None and not shift else None
        for epoch in range(epochs):
            model.train()
            order = torch.randperm(len(inputs), generator=generator).to(device)
            losses = []
            for together in order.split(batch):
                chosen, weight = share_of(together)
                x, y = inputs[chosen], labels[chosen]
                if shift:
                    # Drawn for all, so that every process draws the next order alike.
                    moves = torch.randint(0, 2 * shift + 1, (len(together), 2), generator=generator)
                    x = _shifted(x, share_of(moves)[0].to(device), shift)
                outputs = model(x)
                loss = functional.cross_entropy(outputs, y)
                if teacher is not None:
                    wanted = logits(teacher, x) if taught is None else taught[chosen]
                    apart = distillation_loss(outputs, wanted, temperature=temperature)
                    loss = (loss + apart) / 2
                if admm is not None:
                    loss = loss + admm.penalty()
                optimizer.zero_grad(set_to_none=True)
                (weight * loss).backward()
                sum_gradients(model)
                optimizer.step()
                schedule.step()
                if pruner is not None:
                    pruner.step()
                if admm is not None:
                    admm.step()
                if quantization is not None:
                    quantization.step()
                # A GPU is waited for once an epoch, not at every step.
                losses.append(loss.detach() * len(together))
            validation = accuracy(model, dataset.validation_x, dataset.validation_y)
            # Later epochs win ties: their learning rate is smaller. ADMM's other variables are
            # those of its last epoch, and weights of another would not go with them.
            better = validation >= best or admm is not None
            if better and (pruner is None or pruner.ramped):
                best, best_state = validation, copy.deepcopy(model.state_dict())
            if on_epoch is not None:
                loss = float(torch.stack(losses).double().sum()) / len(inputs)
                on_epoch(Epoch(epoch + 1, epochs, loss, validation))
        if best >= 0:
            model.load_state_dict(best_state)
    model.eval()
    return best


def _schedule(
    optimizer: torch.optim.Optimizer, lr: float, total: int, last: int
) -> torch.optim.lr_scheduler.OneCycleLR:
    """Return the `last` steps of a schedule of `total`."""
    skipped = total - last
    if skipped:
        # What the scheduler would have left behind after the steps that are skipped.
        first = lr / _FIRST_SHARE
        rates = {"initial_lr": first, "max_lr": lr, "min_lr": first / _LAST_SHARE}
        for group in optimizer.param_groups:
            group.update(rates)
    return torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        lr,
        total_steps=total,
        # torch divides by the warm-up's steps less one, which must not be 0.
        pct_start=_WARM_UP if total * _WARM_UP > 1 else 0.0,
        cycle_momentum=False,
        div_factor=_FIRST_SHARE,
        final_div_factor=_LAST_SHARE,
        last_epoch=skipped - 1,
    )


def _shifted(x: torch.Tensor, moves: torch.Tensor, shift: int) -> torch.Tensor:
    """Move each image by its own `moves`, less `shift`, along both axes, zeros moving in."""
    side = math.isqrt(x[0].numel())
    if x.ndim != 2 or side * side != x.shape[1]:
        raise ValueError(f"shift must be 0 for examples that are no square images, not {shift!r}")
    padded = functional.pad(x.view(-1, side, side), (shift,) * 4)
    down, right = moves.T[:, :, None]
    span = torch.arange(side, device=x.device)
    rows, columns = (down + span)[:, :, None], (right + span)[:, None, :]
    image = torch.arange(len(x), device=x.device)[:, None, None]
    return padded[image, rows, columns].reshape(len(x), -1)


def calibration_of(dataset: Dataset, *, count: int = 2000) -> NDArray[np.float32]:
    """Return the first training examples, for saliency and quantisation."""
    return dataset.train_x[:count]
