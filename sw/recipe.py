"""The demo's recipe: train dense, prune, retrain; every choice made on the validation part."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from darb.sw.datasets import Dataset
from darb.sw.networks import mlp
from darb.sw.pruning.config import PruneConfig
from darb.sw.pruning.pruner import PrunedModel, prune
from darb.sw.training import Epoch, calibration_of, train


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What was found to train one dataset's network well.

    Parameters
    ----------
    sizes : tuple of int
        Inputs, hidden layers' rows, outputs.
    batch : int
    dropout : float
        In dense training alone.
    dense_epochs, pruned_epochs : int
    dense_lr, pruned_lr : float
    ramp : float
        Share of the retraining over which the ratio rises, the best epoch then being looked for
        in the rest.
    shift : int
        Pixels that training images are moved by at most.
    teacher : bool
        Whether the dense network teaches the pruned one.
    """

    sizes: tuple[int, ...]
    batch: int
    dropout: float
    dense_epochs: int
    dense_lr: float
    pruned_epochs: int
    pruned_lr: float
    ramp: float = 0.5
    shift: int = 0
    teacher: bool = True

    def steps(self, dataset: Dataset) -> int:
        """Return the optimizer steps of the retraining."""
        return self.pruned_epochs * -(-len(dataset.train_x) // self.batch)


RECIPES = {
    "digits": Recipe(
        sizes=(64, 256, 128, 10),
        batch=32,
        dropout=0.3,
        dense_epochs=40,
        dense_lr=3e-3,
        pruned_epochs=80,
        pruned_lr=6e-3,
    ),
    "mnist": Recipe(
        sizes=(784, 300, 100, 10),
        batch=128,
        dropout=0.2,
        dense_epochs=12,
        dense_lr=2e-3,
        pruned_epochs=30,
        pruned_lr=2e-3,
    ),
}


def recipe_of(dataset: Dataset) -> Recipe:
    """Return the recipe of a dataset, by its name.

    Raises
    ------
    ValueError
        If there is none.
    """
    if dataset.name not in RECIPES:
        raise ValueError(f"recipe must be for one of {', '.join(RECIPES)}, not {dataset.name!r}")
    return RECIPES[dataset.name]


def train_dense(
    dataset: Dataset,
    *,
    seed: int = 0,
    recipe: Recipe | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> nn.Sequential:
    """Train the dataset's network from scratch.

    Parameters
    ----------
    dataset : Dataset
    seed : int
    recipe : Recipe, optional
        Instead of the dataset's own.
    on_epoch : callable, optional
        Called with an `Epoch` after each.
    """
    recipe = recipe or recipe_of(dataset)
    model = mlp(recipe.sizes, dropout=recipe.dropout, seed=seed)
    train(
        model,
        dataset,
        recipe.dense_epochs,
        lr=recipe.dense_lr,
        seed=seed,
        batch=recipe.batch,
        shift=recipe.shift,
        on_epoch=on_epoch,
    )
    return model


def prune_and_retrain(
    model: nn.Module,
    dataset: Dataset,
    config: PruneConfig,
    *,
    seed: int = 0,
    recipe: Recipe | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> PrunedModel:
    """Prune a copy of a trained network and retrain it under its masks.

    Parameters
    ----------
    model : torch.nn.Module
        Stays as it is; it is the teacher where the recipe has one.
    dataset : Dataset
    config : PruneConfig
        Without a ramp of its own it gets the recipe's.
    seed : int
    recipe : Recipe, optional
        Instead of the dataset's own.
    on_epoch : callable, optional
        Called with an `Epoch` after each.
    """
    recipe = recipe or recipe_of(dataset)
    if not config.ramp_steps:
        steps = recipe.steps(dataset)
        config = dataclasses.replace(
            config, ramp_steps=round(recipe.ramp * steps), ramp_every=max(1, steps // 60)
        )
    sparse = copy.deepcopy(model)
    for module in sparse.modules():
        # The masks regularise enough.
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    pruner = prune(sparse, config, calibration=calibration_of(dataset))
    train(
        sparse,
        dataset,
        recipe.pruned_epochs,
        lr=recipe.pruned_lr,
        seed=seed + 1,
        batch=recipe.batch,
        shift=recipe.shift,
        pruner=pruner,
        teacher=model if recipe.teacher else None,
        on_epoch=on_epoch,
    )
    return pruner.finalize()
