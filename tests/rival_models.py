"""Golden models of the rival engines, each from a layer in one call, and their check."""

from __future__ import annotations

import numpy as np
from sparse_layers import layer_reference

from darb.golden import IntegerLayer
from darb.golden.baselines import (
    BaselineModel,
    BsrModel,
    CsrModel,
    RelativeCscModel,
    balanced_order,
    fit_bsr,
    fit_csr,
    fit_relative_csc,
    pack_bsr,
    pack_csr,
    pack_relative_csc,
)

RIVALS = {
    "csr": (fit_csr, pack_csr, CsrModel),
    "bsr": (fit_bsr, pack_bsr, BsrModel),
    "relative_csc": (fit_relative_csc, pack_relative_csc, RelativeCscModel),
}
"""How each is fitted, packed and modelled."""


def rival_model(
    rival: str, layer: IntegerLayer, *, multipliers: int, balance: bool = False, **fields: object
) -> BaselineModel:
    """Return the model of a layer in the smallest engine that holds it.

    With `balance` the rows are packed in a balanced order; `fields` are those of the fit.
    """
    fit, pack, model = RIVALS[rival]
    order = None
    if balance:
        folding = {name: fields[name] for name in ("block_size", "blocks_a_step") if name in fields}
        order = balanced_order(layer.weights, multipliers, **folding)
    config = fit(layer, multipliers=multipliers, order=order, **fields)
    return model(pack(layer, config, order=order))


def check_words(model: BaselineModel, layer: IntegerLayer, seed: int) -> None:
    """Hold a model's weights, and its words for random vectors, against plain arithmetic."""
    config = model.image.config
    half = 1 << (config.activation_bits - 1)
    vectors = np.random.default_rng(seed).integers(-half, half, (3, config.columns))
    assert np.array_equal(model.dense(), layer.weights[model.rows["address"]]), f"seed {seed}"
    assert np.array_equal(model.run(vectors), layer_reference(layer, vectors, config)), (
        f"seed {seed}"
    )
