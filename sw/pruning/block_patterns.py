"""A layer whose rows all keep the same number of weights a block, as a pattern of the engine."""

from __future__ import annotations

from darb.golden.pattern import MOST_K, Pattern, most_keep
from darb.sw.pruning.free_mask import FreeMask
from darb.sw.pruning.masking import Mask
from darb.sw.pruning.method import LayerScores
from darb.sw.pruning.row_blocks import blocks_in_row, keep_in_blocks
from darb.sw.validation import MOST_LANES


def block_layer_mask(
    layer: LayerScores, *, size: int, keep: int, lanes: int | None, one_block: bool = False
) -> Mask | FreeMask:
    """Return a layer's mask, with the row pattern of the engine where there is one.

    Parameters
    ----------
    layer : LayerScores
    size, keep, lanes
        As in `keep_in_blocks`.
    one_block : bool
        A segment is one block, so that its pattern may name a larger one.

    Returns
    -------
    Mask or FreeMask
        A `Mask` if `size` is a power of two or fills a segment, `keep` is a count that a pattern
        can name, and `lanes` are lanes that an engine can have.
    """
    stored = layer.stored()
    kept = layer.whole(keep_in_blocks(stored, size=size, keep=keep, lanes=lanes))
    k = (size - 1).bit_length()
    aligned = size == 1 << k
    if one_block and aligned:
        # Blocks that divide any segment need not restart at theirs: more engines can store them.
        lanes = None
    if keep >= size:
        pattern, align, lanes = Pattern(0), 1, None if one_block else lanes
    elif k > MOST_K or keep > most_keep(k) or not (aligned or (one_block and _is_lanes(lanes))):
        count = blocks_in_row(stored.shape[1], size, lanes=lanes)
        return FreeMask(kept, len(stored) * count * keep)
    else:
        pattern, align = Pattern(k, keep), size if lanes is None else 1
    return Mask(kept, (pattern,) * len(kept), layer.columns, align, lanes, layer.live)


def _is_lanes(lanes: int | None) -> bool:
    return lanes is not None and lanes <= MOST_LANES and not lanes & (lanes - 1)
