"""The modules that can be pruned, and their weights as matrices."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.utils.rnn import PackedSequence

PrunableModule = nn.Linear | nn.Conv2d
RecurrentModule = nn.LSTM | nn.GRU
Inputs = torch.Tensor | PackedSequence
States = torch.Tensor | tuple[torch.Tensor, torch.Tensor]


@dataclass(frozen=True, eq=False)
class PrunableWeight:
    """One weight of a network, a layer of its own to every pruning method.

    Parameters
    ----------
    name : str
        The module's as in ``model.named_modules()``; for a recurrent module that and the
        parameter's, as in ``model.named_parameters()``.
    module : torch.nn.Linear, torch.nn.Conv2d, torch.nn.LSTM or torch.nn.GRU
    parameter : str
        What the module calls the weight.
    """

    name: str
    module: PrunableModule | RecurrentModule
    parameter: str = "weight"

    @property
    def weight(self) -> nn.Parameter:
        """The weight, of the module's own shape."""
        return getattr(self.module, self.parameter)

    @property
    def bias(self) -> nn.Parameter | None:
        """What is added to each row's sum alone, so that it goes with the row; None if nothing is.

        A recurrent module has none: the gate behind a row has another matrix's sum too.
        """
        return None if isinstance(self.module, RecurrentModule) else self.module.bias

    @property
    def area(self) -> int:
        """Columns of one input channel: ``kh * kw`` of a Conv2d, 1 of a matrix."""
        return math.prod(self.weight.shape[2:])


def prunable_weights(model: nn.Module) -> dict[str, PrunableWeight]:
    """Return the weights of `model` that can be pruned, by name, in the order of declaration.

    They are those of its Linear and Conv2d modules, and every input and recurrent matrix of its
    LSTM and GRU modules, whose rows are the gates as torch stacks them.

    Raises
    ------
    TypeError
        If `model` is no module.
    ValueError
        If it has none, or an LSTM has projections.
    """
    _check_module(model)
    weights = {}
    for name, module in model.named_modules():
        if isinstance(module, PrunableModule):
            weights[name] = PrunableWeight(name, module)
        elif isinstance(module, RecurrentModule):
            if module.proj_size:
                raise ValueError(
                    f"layer {name}: proj_size must be 0 for pruning, not {module.proj_size!r}"
                )
            for parameter in _matrices(module):
                whole = f"{name}.{parameter}" if name else parameter
                weights[whole] = PrunableWeight(whole, module, parameter)
    if not weights:
        raise ValueError(
            "model must have at least one Linear, Conv2d, LSTM or GRU layer, "
            f"not {type(model).__name__!r}"
        )
    return weights


def prunable_modules(model: nn.Module) -> dict[str, PrunableModule]:
    """Return the Linear and Conv2d modules of `model`, by name, in the order of declaration.

    Raises
    ------
    TypeError
        If `model` is no module.
    ValueError
        If it has neither.
    """
    _check_module(model)
    layers = {
        name: module for name, module in model.named_modules() if isinstance(module, PrunableModule)
    }
    if not layers:
        raise ValueError(
            f"model must have at least one Linear or Conv2d layer, not {type(model).__name__!r}"
        )
    return layers


def layer_arguments(input: Inputs, hx: States | None = None) -> tuple[Inputs, States | None]:
    """Return what a layer is called with: its inputs, and the initial states if it has any.

    Arguments are bound by position and by name as the modules themselves bind them.
    """
    return input, hx


def weight_matrix(weight: torch.Tensor) -> NDArray[np.floating]:
    """Return a weight as a matrix (M, N).

    A Conv2d's rows are its output channels, its columns input channel, kernel row and kernel
    column, the last running fastest.
    """
    # NumPy has no bfloat16.
    return weight.detach().flatten(1).float().cpu().numpy()


def mask_like(mask: NDArray[np.bool_], weight: torch.Tensor) -> torch.Tensor:
    """Return a mask of `weight_matrix` as ones and zeros of the weight's own shape and type."""
    return torch.as_tensor(mask).reshape(weight.shape).to(weight)


def _check_module(model: object) -> None:
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Module, not {model!r}")


def _matrices(module: RecurrentModule) -> Iterator[str]:
    for layer in range(module.num_layers):
        for direction in ("", "_reverse") if module.bidirectional else ("",):
            yield f"weight_ih_l{layer}{direction}"
            yield f"weight_hh_l{layer}{direction}"
