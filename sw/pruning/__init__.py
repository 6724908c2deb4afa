"""Pruning by DARB and its rivals, for a matrix or inside a PyTorch training loop."""

from darb.sw.pruning.admm import Admm
from darb.sw.pruning.bank_balanced import BankBalanced, bank_balanced_mask
from darb.sw.pruning.chain import ChainLayer, trace_chain
from darb.sw.pruning.column_order import kept_columns, spread_order
from darb.sw.pruning.config import LayerOverride, PruneConfig
from darb.sw.pruning.free_mask import FreeMask
from darb.sw.pruning.gradient_power import gradient_rms, row_sensitivity
from darb.sw.pruning.irregular import Irregular, irregular_mask, irregular_masks
from darb.sw.pruning.layer_budgets import searched_multipliers
from darb.sw.pruning.mask_choice import MaskChoice
from darb.sw.pruning.masking import Mask, block_mask
from darb.sw.pruning.matrix_mask import mask
from darb.sw.pruning.method import LayerScores, Method
from darb.sw.pruning.methods import METHODS, method_of
from darb.sw.pruning.n_of_m import NOfM, n_of_m_mask
from darb.sw.pruning.network import network_masks
from darb.sw.pruning.network_order import column_orders
from darb.sw.pruning.order_search import search_order
from darb.sw.pruning.pattern_choice import assign
from darb.sw.pruning.pruner import (
    PrunedModel,
    Pruner,
    prune,
)
from darb.sw.pruning.regrowth import regrowth_scores
from darb.sw.pruning.report import PrunedLayerReport, PruneReport, report_of
from darb.sw.pruning.saliency import activation, fisher, magnitude
from darb.sw.pruning.schedule import ratio_at
from darb.sw.pruning.square_blocks import SquareBlocks, square_block_mask
from darb.sw.pruning.structured import Structured, structured_mask

__all__ = [
    "METHODS",
    "Admm",
    "BankBalanced",
    "ChainLayer",
    "FreeMask",
    "Irregular",
    "LayerOverride",
    "LayerScores",
    "Mask",
    "MaskChoice",
    "Method",
    "NOfM",
    "PruneConfig",
    "PruneReport",
    "PrunedLayerReport",
    "PrunedModel",
    "Pruner",
    "SquareBlocks",
    "Structured",
    "activation",
    "assign",
    "bank_balanced_mask",
    "block_mask",
    "column_orders",
    "fisher",
    "gradient_rms",
    "irregular_mask",
    "irregular_masks",
    "kept_columns",
    "magnitude",
    "mask",
    "method_of",
    "n_of_m_mask",
    "network_masks",
    "prune",
    "ratio_at",
    "regrowth_scores",
    "report_of",
    "row_sensitivity",
    "search_order",
    "searched_multipliers",
    "spread_order",
    "square_block_mask",
    "structured_mask",
    "trace_chain",
]
