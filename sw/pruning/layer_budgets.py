"""How layers share one budget of weight slots: shares found by search."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch.nn import functional

_STEPS = (2, 1, 0.5)
_SWEEPS = 4


def output_divergence(outputs: torch.Tensor, dense: torch.Tensor) -> float:
    """Return how far a pruned network's outputs are from the dense one's.

    Parameters
    ----------
    outputs, dense : torch.Tensor, shape (..., classes)
        Logits.

    Returns
    -------
    float
        Mean Kullback-Leibler divergence of the softmax from the dense one's; for a single output,
        half the mean squared difference.
    """
    if outputs.shape[-1] == 1:
        return float((outputs - dense).double().square().mean() / 2)
    return float(
        functional.kl_div(
            outputs.double().log_softmax(-1).flatten(0, -2),
            dense.double().log_softmax(-1).flatten(0, -2),
            reduction="batchmean",
            log_target=True,
        )
    )


def searched_multipliers(
    measure: Callable[[Mapping[str, float]], float], names: Sequence[str]
) -> dict[str, float]:
    """Find what each layer's scores are multiplied by, so that a measure becomes small.

    A larger multiplier gives a layer more of the slots that all share. From 1 for every layer,
    one layer at a time is multiplied and divided by 4, while anything helps, then by 2, then by
    the root of 2. Every move makes the measure smaller, so what is found is never worse than 1.

    Parameters
    ----------
    measure : callable
        From multipliers to what should be small. It is asked once where multipliers differ by a
        common factor alone; where it gives NaN, the move is not taken.
    names : sequence of str
        Layers that share a budget.

    Returns
    -------
    dict of str to float
        Powers of the root of 2, the first layer's being 1.

    Examples
    --------
    >>> from darb.sw.pruning import searched_multipliers
    >>> searched_multipliers(lambda found: abs(found["b"] / found["a"] - 8), ["a", "b"])
    {'a': 1.0, 'b': 8.0}
    """
    known: dict[tuple[float, ...], float] = {}

    def cost(exponents: Sequence[float]) -> float:
        relative = tuple(value - exponents[0] for value in exponents)
        if relative not in known:
            value = measure(_multipliers(names, relative))
            known[relative] = math.inf if math.isnan(value) else value
        return known[relative]

    exponents = [0.0] * len(names)
    if len(names) < 2:
        return _multipliers(names, exponents)
    best = cost(exponents)
    for step in _STEPS:
        for _ in range(_SWEEPS):
            before = best
            for index in range(len(names)):
                for move in (step, -step):
                    tried = exponents.copy()
                    tried[index] += move
                    if cost(tried) < best:
                        exponents, best = tried, cost(tried)
                        break
            if best == before:
                break
    return _multipliers(names, [value - exponents[0] for value in exponents])


def _multipliers(names: Sequence[str], exponents: Sequence[float]) -> dict[str, float]:
    return {name: 2.0**value for name, value in zip(names, exponents, strict=True)}
