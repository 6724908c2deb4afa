"""Column orders of a whole network."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from darb.sw.pruning.column_count import candidate_counts, search_counts
from darb.sw.pruning.column_order import kept_columns, natural_order, spread_order
from darb.sw.pruning.config import PruneConfig
from darb.sw.pruning.free_mask import FreeMask
from darb.sw.pruning.masking import Mask
from darb.sw.pruning.network import network_masks
from darb.sw.pruning.order_search import search_order
from darb.sw.pruning.saliency import column_energy

_ROUNDS = 4

Scores = Mapping[str, NDArray[np.floating]]
Orders = dict[str, NDArray[np.int32]]


def column_orders(
    scores: Scores,
    config: PruneConfig,
    *,
    chained: bool = True,
    sensitivities: Mapping[str, NDArray] | None = None,
) -> Orders:
    """Choose each layer's column order, the last layer's first.

    A column that a layer leaves out makes the row of the layer before dead: that row is not
    stored, so it has no say in that layer's own order.

    Where `left_out` is searched, the counts of columns are looked for first by which layers retain
    most of their squared scores together (see `search_counts`), at the square root of the ratio:
    at the ratio itself too many would go. What weights retain before any retraining says too
    little for those that are to take over from others.

    For order 'searched' the spread order is where the search starts. In turn the masks are chosen
    for the orders, and the orders improved for the masks' patterns (see `search_order`), as long
    as all layers together retain more.

    Parameters
    ----------
    scores : mapping of str to ndarray, shape (M, N)
        Layers in order of execution.
    config : PruneConfig
    chained : bool
        Whether the outputs of one layer are the inputs of the next, so that rows can be dead.
    sensitivities : mapping of str to ndarray, shape (M,), optional
        How much the loss feels each row, by layer; for assignment 'sensitivity'.

    Returns
    -------
    dict of str to ndarray of int32
        In order of execution.

    Raises
    ------
    ValueError
        If an order is searched and the method cannot reach the ratio.
    """
    searched = [name for name in scores if config.order_of(name) == "searched"]
    counted = [name for name in scores if config.left_out_of(name) == "searched"]
    if not searched and not counted:
        return _unsearched(scores, config, {}, chained=chained)
    search = _Search(scores, config, chained=chained, sensitivities=sensitivities)
    return search.orders(searched, search.counts(counted) if counted else {})


def _multiple(config: PruneConfig) -> int:
    # Segments of one length need a multiple of S, whole groups of rows in the layer before one
    # of R.
    return math.lcm(config.lanes or 1, config.rows or 1)


def _unsearched(
    scores: Scores, config: PruneConfig, counts: Mapping[str, int], *, chained: bool
) -> Orders:
    """Return natural and spread orders; `counts` are those found by search, where there are any."""
    orders: Orders = {}
    live = slice(None)
    names = list(scores)
    for index in reversed(range(len(names))):
        name = names[index]
        energy = column_energy(scores[name][live])
        left_out, multiple = config.left_out_of(name), _multiple(config)
        natural = config.order_of(name) == "natural"
        if natural and not left_out:
            orders[name] = natural_order(energy.size)
        else:
            share = None if left_out == "searched" else left_out
            count = counts.get(name) or kept_columns(energy, left_out=share, multiple=multiple)
            count = min(count, max(int(np.count_nonzero(energy)), 1))
            generator = np.random.default_rng([config.seed, index])
            orders[name] = spread_order(energy, count, generator=generator)
            if natural:
                orders[name] = np.sort(orders[name])
        live = np.sort(orders[name]) if chained else slice(None)
    return {name: orders[name] for name in names}


class _Search:
    """What the search of a network's orders measures them by."""

    def __init__(
        self,
        scores: Scores,
        config: PruneConfig,
        *,
        chained: bool,
        sensitivities: Mapping[str, NDArray] | None,
    ) -> None:
        self._scores = scores
        self._config = config
        self._chained = chained
        self._sensitivities = sensitivities
        self._names = list(scores)
        self._worth = dict(scores)
        if sensitivities is not None:
            self._worth = {
                name: values * np.sqrt(sensitivities[name])[:, None]
                for name, values in scores.items()
            }

    def counts(self, names: list[str]) -> dict[str, int]:
        """Return how many columns each of these layers keeps."""
        start = self._start({})
        # A ratio out of reach is told, not searched.
        self._masks(start)
        starts = {name: start[name].size for name in names}
        ratio = math.sqrt(self._config.ratio)

        def measure(counts: Mapping[str, int]) -> float:
            orders = self._start(counts)
            if any(counts[name] > starts[name] for name in names):
                try:
                    self._masks(orders)
                except ValueError:
                    # With so many columns the ratio is out of reach.
                    return -math.inf
            return self._retained(self._masks(orders, ratio=ratio))

        def candidates(name: str, counts: Mapping[str, int]) -> list[int]:
            live = slice(None)
            index = self._names.index(name)
            if self._chained and index + 1 < len(self._names):
                live = self._start(counts)[self._names[index + 1]]
            energy = column_energy(self._scores[name][live])
            return candidate_counts(energy, multiple=_multiple(self._config))

        return search_counts(measure, starts, candidates)

    def orders(self, names: list[str], counts: Mapping[str, int]) -> Orders:
        """Return the orders of all layers, those of `names` searched."""
        orders = self._start(counts)
        if not names:
            return orders
        masks = self._masks(orders)
        best = self._retained(masks)
        for turn in range(_ROUNDS):
            better = {
                name: self._improved(name, mask, turn)
                for name, mask in masks.items()
                if name in names and isinstance(mask, Mask)
            }
            tried = {**orders, **better}
            masks = self._masks(tried)
            retained = self._retained(masks)
            if retained <= best:
                break
            orders, best = tried, retained
        return orders

    def _improved(self, name: str, mask: Mask, turn: int) -> NDArray[np.int32]:
        index = self._names.index(name)
        rows = np.flatnonzero(mask.live)
        return search_order(
            self._worth[name][rows],
            mask.columns,
            [mask.patterns[row] for row in rows],
            lanes=mask.lanes,
            # Another column of a later layer would be another dead row before it.
            spare=index == 0 or not self._chained,
            generator=np.random.default_rng([self._config.seed, index, turn]),
        )

    def _start(self, counts: Mapping[str, int]) -> Orders:
        return _unsearched(self._scores, self._config, counts, chained=self._chained)

    def _masks(self, orders: Orders, *, ratio: float | None = None) -> dict[str, Mask | FreeMask]:
        return network_masks(
            self._scores,
            orders,
            self._config,
            ratio=ratio,
            chained=self._chained,
            sensitivities=self._sensitivities,
        )

    def _retained(self, masks: Mapping[str, Mask | FreeMask]) -> float:
        """Return the share of squared scores that the live rows retain, summed over layers."""
        kept, whole = [], []
        for name, mask in masks.items():
            worth = self._worth[name][mask.live]
            whole.append(float(np.einsum("mn,mn->", worth, worth, dtype=np.float64)))
            chosen = np.where(mask.mask[mask.live], worth, 0)
            kept.append(float(np.einsum("mn,mn->", chosen, chosen, dtype=np.float64)))
        if self._config.budget == "joint":
            return sum(kept) - sum(whole)
        return sum(part / (total or 1.0) for part, total in zip(kept, whole, strict=True))
