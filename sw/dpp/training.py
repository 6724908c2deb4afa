"""Training of a network under DPP, deterministic by seed."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional

from darb.sw.datasets import Dataset
from darb.sw.dpp.dpp import Dpp
from darb.sw.training import Epoch, accuracy
from darb.sw.validation import MOST_SEED, check_int


def train_dpp(
    model: nn.Module,
    dpp: Dpp,
    dataset: Dataset,
    *,
    lr: float,
    logits_lr: float,
    seed: int,
    batch: int = 128,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> float:
    """Train a prepared model in place, for the epochs of its config.

    Adam; the learning rate of the weights warms up over the first twentieth and then falls along
    a cosine to zero, that of the logits stays.

    Parameters
    ----------
    model : torch.nn.Module
        On which `dpp` is prepared.
    dpp : Dpp
    dataset : Dataset
    lr, logits_lr : float
        Largest learning rate of the weights, and that of the logits.
    seed : int
        Of the order of vectors and of dropout; that of the draws is the config's.
    batch : int
        Vectors an optimizer step.
    on_epoch : callable, optional
        Called with an `Epoch` after each; its accuracy is that without noise.

    Returns
    -------
    float
        Accuracy on the validation part, without noise. If the config has frozen epochs the model
        is left as after the best of them, else as after the last.
    """
    check_int("seed", seed, 0, MOST_SEED)
    check_int("batch", batch, 1)
    config = dpp.config
    generator = torch.Generator().manual_seed(seed)
    images, labels = torch.as_tensor(dataset.train_x), torch.as_tensor(dataset.train_y)
    logits = dpp.logits()
    apart = {id(parameter) for parameter in logits}
    weights = [parameter for parameter in model.parameters() if id(parameter) not in apart]
    optimizer = torch.optim.Adam(
        [{"params": weights, "lr": lr}, {"params": logits, "lr": logits_lr}], fused=True
    )
    steps = -(-len(images) // batch) * config.epochs
    best, best_state, done = -1.0, None, 0
    threads = torch.get_num_threads()
    # Networks this small lose more than they gain by a second thread.
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            for epoch in range(config.epochs):
                dpp.step(epoch)
                model.train()
                total = 0.0
                for chosen in torch.randperm(len(images), generator=generator).split(batch):
                    optimizer.param_groups[0]["lr"] = lr * _rate(done / steps)
                    outputs = model(images[chosen])
                    loss = functional.cross_entropy(outputs, labels[chosen])
                    optimizer.zero_grad(set_to_none=True)
                    (loss + dpp.penalty()).backward()
                    optimizer.step()
                    done += 1
                    total += float(loss.detach()) * len(chosen)
                validation = accuracy(model, dataset.validation_x, dataset.validation_y)
                last = epoch + 1 == config.epochs
                settled = epoch >= config.drawing_epochs if config.frozen_epochs else last
                if settled and validation >= best:
                    best, best_state = validation, copy.deepcopy(model.state_dict())
                if on_epoch is not None:
                    on_epoch(Epoch(epoch + 1, config.epochs, total / len(images), validation))
    finally:
        torch.set_num_threads(threads)
    model.load_state_dict(best_state)
    model.eval()
    return best


def _rate(share: float, warm: float = 0.05) -> float:
    """Return the learning rate over its largest, at a share of the training."""
    if share < warm:
        return max(share, 1e-3) / warm
    return 0.5 * (1 + float(torch.cos(torch.tensor(torch.pi * (share - warm) / (1 - warm)))))
