"""The CSR engine's image and model: block rows of one row, one entry a step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from darb.golden.baselines.block_row import BlockRowConfig, fit_block_rows, pack_block_rows
from darb.golden.baselines.block_row_model import BlockRowModel
from darb.golden.baselines.image import BaselineImage
from darb.golden.config import OutputMode
from darb.golden.network import IntegerLayer


@dataclass(frozen=True, kw_only=True)
class CsrConfig(BlockRowConfig):
    """What fixes the Verilog of a CSR engine.

    Packed row i belongs to lane ``i mod lanes``; a lane is one multiplier. Each lane has two
    memories: ``entries_p``, its rows' entries one after the other, each a value (low bits) and a
    column; ``lengths_p``, the number of entries of each of its rows. For the fields see
    `BlockRowConfig`, where a row is a block row.
    """

    block_size: ClassVar[int] = 1
    blocks_a_step: ClassVar[int] = 1


def fit_csr(
    layer: IntegerLayer,
    *,
    multipliers: int,
    weight_bits: int = 8,
    activation_bits: int = 8,
    beat: int | None = None,
    queue_depth: int = 16,
    output_mode: OutputMode = OutputMode.ACCUMULATORS,
    order: NDArray[np.integer] | None = None,
) -> CsrConfig:
    """Return the smallest config that holds a layer.

    Parameters
    ----------
    layer : IntegerLayer
    multipliers, weight_bits, activation_bits, queue_depth, output_mode
        See `CsrConfig`.
    beat : int, optional
        By default the narrowest, up to 256, with which loading a vector takes no longer than
        computing one.
    order : ndarray of int, shape (M,), optional
        The one that `pack_csr` will be given.

    Raises
    ------
    TypeError, ValueError
        If the layer or a field is refused, or a weight is wider than `weight_bits`.
    """
    return fit_block_rows(
        CsrConfig,
        layer,
        beat=beat,
        order=order,
        multipliers=multipliers,
        weight_bits=weight_bits,
        activation_bits=activation_bits,
        queue_depth=queue_depth,
        output_mode=output_mode,
    )


def pack_csr(
    layer: IntegerLayer, config: CsrConfig, *, order: NDArray[np.integer] | None = None
) -> BaselineImage:
    """Pack a layer for a CSR engine.

    Parameters
    ----------
    layer : IntegerLayer
        Its patterns and its column order mean nothing here.
    config : CsrConfig
    order : ndarray of int, shape (M,), optional
        Row of each packed position, such as `balanced_order`; by default rows as they stand. It
        costs nothing at run time, for results are put back in row order anyway.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If the layer is not the config's, or does not fit.
    """
    return pack_block_rows(CsrConfig, layer, config, order=order)


class CsrModel(BlockRowModel):
    """Golden model of the CSR engine.

    Parameters
    ----------
    image : BaselineImage
        Of `pack_csr`.

    Raises
    ------
    TypeError
        If its config is no `CsrConfig`.
    """

    config_kind = CsrConfig
