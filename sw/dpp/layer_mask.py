"""A finished selection as a mask of the pruning package, with row patterns if it has them."""

from __future__ import annotations

import numpy as np
import torch

from darb.golden.pattern import MOST_K, Pattern, most_keep
from darb.sw.dpp.config import DppLayerRule
from darb.sw.dpp.selection import Selection
from darb.sw.pruning.column_order import natural_order
from darb.sw.pruning.free_mask import FreeMask
from darb.sw.pruning.masking import Mask


def layer_mask_of(
    kept: torch.Tensor, selection: Selection | None, rule: DppLayerRule
) -> Mask | FreeMask:
    """Return what a layer keeps, as the quantiser and the packer take it.

    Parameters
    ----------
    kept : torch.Tensor of bool, of the weight's shape
    selection : Selection or None
        None of a layer that keeps all.
    rule : DppLayerRule

    Returns
    -------
    Mask or FreeMask
        A `Mask` for tiles, with ``Pattern(log2(tile), k)``; for weights, whose row is one tile of
        up to 4096 columns and 255 kept; and for dense layers. Kernels and maps keep to no pattern.
    """
    matrix = kept.flatten(1).cpu().numpy()
    count, columns = matrix.shape
    pattern, align, lanes = Pattern(0), 1, None
    if selection is not None:
        keep, units = int(selection.keep.max()), selection.rows.index.shape[1]
        k = (units - 1).bit_length()
        patterned = rule.granularity in ("weights", "tiles")
        if not patterned or k > MOST_K or keep > most_keep(k):
            return FreeMask(matrix, int(matrix.sum()))
        pattern, lanes = Pattern(k, keep), rule.lanes
        align = 1 if lanes is not None else pattern.block_size
    return Mask(
        mask=matrix,
        patterns=(pattern,) * count,
        columns=natural_order(columns),
        align=align,
        lanes=lanes,
        live=np.ones(count, dtype=bool),
    )
