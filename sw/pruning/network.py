"""Masks of a whole network, under one ratio."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from darb.sw.pruning.config import PruneConfig
from darb.sw.pruning.free_mask import FreeMask
from darb.sw.pruning.masking import Mask
from darb.sw.pruning.method import LayerScores
from darb.sw.pruning.saliency import activation, fisher, magnitude


def scores_of(
    weights: Mapping[str, NDArray],
    rms: Mapping[str, NDArray] | None,
    config: PruneConfig,
    *,
    gradients: Mapping[str, NDArray] | None = None,
) -> dict[str, NDArray[np.floating]]:
    """Return the saliency of every weight, by layer.

    `rms` is of inputs, `gradients` of gradients; each is needed for its own saliency.
    """
    if config.saliency == "magnitude":
        return {name: magnitude(matrix) for name, matrix in weights.items()}
    measured = gradients if config.saliency == "fisher" else rms
    if measured is None:
        raise ValueError(f"calibration must be given for {config.calibrated}, not None")
    if config.saliency == "fisher":
        return {name: fisher(matrix, measured[name]) for name, matrix in weights.items()}
    return {name: activation(matrix, measured[name]) for name, matrix in weights.items()}


def network_masks(
    scores: Mapping[str, NDArray[np.floating]],
    orders: Mapping[str, NDArray[np.int32]],
    config: PruneConfig,
    *,
    ratio: float | None = None,
    chained: bool = True,
    areas: Mapping[str, int] | None = None,
    sensitivities: Mapping[str, NDArray] | None = None,
    multipliers: Mapping[str, float] | None = None,
) -> dict[str, Mask | FreeMask]:
    """Choose the masks of all layers together.

    Parameters
    ----------
    scores : mapping of str to ndarray, shape (M, N)
        Layers in order of execution.
    orders : mapping of str to ndarray of int32
        What `column_orders` returned.
    config : PruneConfig
    ratio : float, optional
        Instead of the config's, on the way there. Layers with a ratio of their own follow in
        proportion of their logarithms.
    chained : bool
        Whether the outputs of one layer are the inputs of the next. Rows that no column of the
        next layer names are then dead.
    areas : mapping of str to int, optional
        Columns of an input channel, by layer; 1 where it names none.
    sensitivities : mapping of str to ndarray, shape (M,), optional
        How much the loss feels each row, by layer; for assignment 'sensitivity'.
    multipliers : mapping of str to float, optional
        Of a layer's scores where layers share a budget; 1 where it names none.

    Returns
    -------
    dict of str to Mask or FreeMask

    Raises
    ------
    ValueError
        If the method cannot reach the ratio.
    """
    names = list(scores)
    live = {}
    for name, after in zip(names, [*names[1:], None], strict=True):
        live[name] = np.ones(len(scores[name]), dtype=bool)
        if chained and after is not None:
            live[name][:] = False
            live[name][orders[after]] = True
    ratio = config.ratio if ratio is None else ratio
    progress = 1.0 if ratio == config.ratio else math.log(ratio) / math.log(config.ratio)
    own = {name: config.own_ratio_of(name) for name in names}
    groups = [([name], value**progress) for name, value in own.items() if value is not None]
    shared = [name for name in names if own[name] is None]
    if shared:
        groups.append((shared, ratio))
    masks = {}
    for members, goal in groups:
        layers = [
            LayerScores(
                name,
                scores[name],
                orders[name],
                live[name],
                area=(areas or {}).get(name, 1),
                sensitivity=(sensitivities or {}).get(name),
                multiplier=(multipliers or {}).get(name, 1.0),
            )
            for name in members
        ]
        chosen = config.rule.masks(layers, ratio=goal, lanes=config.lanes, rows=config.rows)
        masks.update(zip(members, chosen, strict=True))
    return {name: masks[name] for name in names}
