"""The BSR engine's image and model: square blocks, spread over lanes or one block row at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from darb.golden.baselines.block_row import BlockRowConfig, fit_block_rows, pack_block_rows
from darb.golden.baselines.block_row_model import BlockRowModel
from darb.golden.baselines.config import MOST_MULTIPLIERS, check_power_of_two
from darb.golden.baselines.image import BaselineImage
from darb.golden.config import OutputMode
from darb.golden.formats.bsr import check_block_size
from darb.golden.network import IntegerLayer


@dataclass(frozen=True, kw_only=True)
class BsrConfig(BlockRowConfig):
    """What fixes the Verilog of a BSR engine.

    Its blocks are those of `darb.golden.formats.Bsr`; their zeros take multipliers as weights do.
    ``blocks_a_step=1`` spreads block rows over as many lanes as there are; with
    ``multipliers // block_size**2`` all multipliers work on one block row at a time, and what is
    between suits layers whose block rows are neither many nor long. For the other fields see
    `BlockRowConfig`.

    Parameters
    ----------
    block_size : int
        2, 4 or 8.
    blocks_a_step : int
        Blocks of one block row that a lane takes a clock; a power of two.
    """

    block_size: int
    blocks_a_step: int = 1

    def __post_init__(self) -> None:
        check_block_size(self.block_size)
        check_power_of_two("blocks_a_step", self.blocks_a_step, 1, MOST_MULTIPLIERS)
        super().__post_init__()


def fit_bsr(
    layer: IntegerLayer,
    *,
    multipliers: int,
    block_size: int,
    blocks_a_step: int = 1,
    weight_bits: int = 8,
    activation_bits: int = 8,
    beat: int | None = None,
    queue_depth: int = 16,
    output_mode: OutputMode = OutputMode.ACCUMULATORS,
    order: NDArray[np.integer] | None = None,
) -> BsrConfig:
    """Return the smallest config that holds a layer.

    Parameters
    ----------
    layer : IntegerLayer
    multipliers, block_size, blocks_a_step, weight_bits, activation_bits, queue_depth, output_mode
        See `BsrConfig`.
    beat : int, optional
        By default the narrowest, up to 256, with which loading a vector takes no longer than
        computing one, but a block's columns at least.
    order : ndarray of int, shape (M,), optional
        The one that `pack_bsr` will be given.

    Raises
    ------
    TypeError, ValueError
        If the layer or a field is refused, or a weight is wider than `weight_bits`.
    """
    return fit_block_rows(
        BsrConfig,
        layer,
        beat=beat,
        order=order,
        multipliers=multipliers,
        block_size=block_size,
        blocks_a_step=blocks_a_step,
        weight_bits=weight_bits,
        activation_bits=activation_bits,
        queue_depth=queue_depth,
        output_mode=output_mode,
    )


def pack_bsr(
    layer: IntegerLayer, config: BsrConfig, *, order: NDArray[np.integer] | None = None
) -> BaselineImage:
    """Pack a layer for a BSR engine.

    Parameters
    ----------
    layer : IntegerLayer
        Its patterns and its column order mean nothing here.
    config : BsrConfig
    order : ndarray of int, shape (M,), optional
        Row of each packed position, such as `balanced_order`; by default rows as they stand.
        Blocks are cut after it, so that one which tears block rows apart may store more of them.
        It costs nothing at run time, for results are put back in row order anyway.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If the layer is not the config's, or does not fit.
    """
    return pack_block_rows(BsrConfig, layer, config, order=order)


class BsrModel(BlockRowModel):
    """Golden model of the BSR engine.

    Parameters
    ----------
    image : BaselineImage
        Of `pack_bsr`.

    Raises
    ------
    TypeError
        If its config is no `BsrConfig`.
    """

    config_kind = BsrConfig
