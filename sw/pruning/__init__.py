"""Regular-block pruning: DARB and BMWM, for a matrix or inside a PyTorch training loop."""

from darb.sw.pruning.block_size import assign
from darb.sw.pruning.chain import ChainLayer, trace_chain
from darb.sw.pruning.column_order import kept_columns, spread_order
from darb.sw.pruning.config import LayerOverride, PruneConfig
from darb.sw.pruning.masking import Mask, block_mask, mask
from darb.sw.pruning.network import column_orders, network_masks
from darb.sw.pruning.pruner import (
    PrunedModel,
    Pruner,
    prune,
)
from darb.sw.pruning.report import PrunedLayerReport, PruneReport
from darb.sw.pruning.saliency import activation, magnitude
from darb.sw.pruning.schedule import ratio_at

__all__ = [
    "ChainLayer",
    "LayerOverride",
    "Mask",
    "PruneConfig",
    "PruneReport",
    "PrunedLayerReport",
    "PrunedModel",
    "Pruner",
    "activation",
    "assign",
    "block_mask",
    "column_orders",
    "kept_columns",
    "magnitude",
    "mask",
    "network_masks",
    "prune",
    "ratio_at",
    "spread_order",
    "trace_chain",
]
