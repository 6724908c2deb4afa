"""DPP, dynamic probabilistic pruning: masks of exactly k of n that are trained with the network.

After Gonzalez-Carabarin et al., "Dynamic Probabilistic Pruning: A general framework for
hardware-constrained pruning at different granularities", 2021. Its abstract is what we have of it;
each module says what is the paper's and what is our reading.
"""

from darb.sw.dpp.annealing import temperature_at
from darb.sw.dpp.config import DppConfig, DppLayerRule
from darb.sw.dpp.dpp import Dpp, DppEpoch, DppModel
from darb.sw.dpp.gumbel_top_k import gumbel_top_k, top_k_mask
from darb.sw.dpp.layer import DppLayer
from darb.sw.dpp.metrics import (
    agreement,
    confidence,
    divergence,
    diversity,
    excess_entropy,
    row_entropy,
)
from darb.sw.dpp.relaxation import relaxed_top_k
from darb.sw.dpp.selection import Selection, SelectionMetrics, starting_logits
from darb.sw.dpp.training import train_dpp
from darb.sw.dpp.unit_rows import UnitRows, unit_rows
from darb.sw.dpp.weight_quantizer import quantize_weight
from darb.sw.straight_through import straight_through

__all__ = [
    "Dpp",
    "DppConfig",
    "DppEpoch",
    "DppLayer",
    "DppLayerRule",
    "DppModel",
    "Selection",
    "SelectionMetrics",
    "UnitRows",
    "agreement",
    "confidence",
    "divergence",
    "diversity",
    "excess_entropy",
    "gumbel_top_k",
    "quantize_weight",
    "relaxed_top_k",
    "row_entropy",
    "starting_logits",
    "straight_through",
    "temperature_at",
    "top_k_mask",
    "train_dpp",
    "unit_rows",
]
