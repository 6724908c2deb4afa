"""The CSR engine's image: each lane's entries and row lengths in memories of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from darb.golden.baselines.config import BaselineConfig, check_power_of_two
from darb.golden.baselines.image import BaselineImage, check_layer, check_order, pack_rows
from darb.golden.bitfields import pack_array, pack_struct
from darb.golden.config import OutputMode
from darb.golden.fixed_point import accumulator_magnitude, signed_bits
from darb.golden.formats.csr import Csr
from darb.golden.formats.stored_array import check_count
from darb.golden.network import IntegerLayer

MOST_QUEUE = 256


@dataclass(frozen=True, kw_only=True)
class CsrConfig(BaselineConfig):
    """What fixes the Verilog of a CSR engine.

    Packed row i belongs to lane ``i mod lanes``. Each lane has two memories: ``entries_p``, its
    rows' entries one after the other, each a value (low bits) and a column; ``lengths_p``, the
    number of entries of each of its rows.

    Parameters
    ----------
    queue_depth : int
        Rows that a lane can be ahead of the row post-processor; a power of two.
    entry_depth : int
        Words in each lane's entry memory.
    length_bits : int
        Width of a row's length.
    """

    queue_depth: int = 16
    entry_depth: int
    length_bits: int

    def __post_init__(self) -> None:
        super().__post_init__()
        check_power_of_two("queue_depth", self.queue_depth, 1, MOST_QUEUE)
        check_count("entry_depth", self.entry_depth, 1, 1 << 24)
        check_count("length_bits", self.length_bits, 1, 15)

    @property
    def lanes(self) -> int:
        """Lanes that have a row; a multiplier too many is left out."""
        return min(self.multipliers, self.rows)

    @property
    def entry_layout(self) -> dict[str, int]:
        """Fields of an entry: name to width in bits, lowest first."""
        return {"value": self.weight_bits, "column": self.column_bits}

    def lane_rows(self, lane: int) -> int:
        """Return how many rows a lane has."""
        return -(-(self.rows - lane) // self.lanes)

    @property
    def memory_shapes(self) -> dict[str, tuple[int, int]]:
        """(depth, width in bits) of each memory."""
        entry = (self.entry_depth, sum(self.entry_layout.values()))
        shapes = super().memory_shapes
        for lane in range(self.lanes):
            shapes[f"entries_{lane}"] = entry
            shapes[f"lengths_{lane}"] = (self.lane_rows(lane), self.length_bits)
        return shapes


def balanced_order(weights: ArrayLike, multipliers: int) -> NDArray[np.int64]:
    """Return an order of the rows that gives every lane about as many weights.

    Rows are dealt round by round, those with most weights first; in each round the lane that has
    fewest so far gets the longest row. Ties go by number.

    Parameters
    ----------
    weights : array_like of int, shape (M, N)
    multipliers : int

    Raises
    ------
    TypeError
        If `multipliers` is no int.
    ValueError
        If it is below 1.
    """
    check_count("multipliers", multipliers, 1)
    lengths = np.count_nonzero(weights, axis=1)
    ranked = np.argsort(-lengths, kind="stable")
    order, totals = np.zeros_like(ranked), np.zeros(multipliers, dtype=np.int64)
    for first in range(0, len(ranked), multipliers):
        rows = ranked[first : first + multipliers]
        takers = np.argsort(totals[: len(rows)], kind="stable")
        order[first + takers] = rows
        totals[takers] += lengths[rows]
    return order


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
        By default the narrowest with which loading a vector takes no longer than computing one.
    order : ndarray of int, shape (M,), optional
        The one that `pack_csr` will be given.

    Raises
    ------
    TypeError, ValueError
        If a field is refused, or a weight is wider than `weight_bits`.
    """
    check_count("multipliers", multipliers, 1)
    csr = Csr.from_dense(layer.weights, weight_bits=weight_bits)
    m, n = csr.shape
    lengths = csr.lengths[check_order(order, m)]
    lanes = min(multipliers, m)
    totals = [int(lengths[lane::lanes].sum()) for lane in range(lanes)]
    clocks = max(m, *totals)
    if beat is None:
        beat = 1
        while -(-n // beat) > clocks:
            beat *= 2
    magnitude = accumulator_magnitude(layer.weights, layer.bias, activation_bits)
    return CsrConfig(
        multipliers=multipliers,
        beat=beat,
        weight_bits=weight_bits,
        activation_bits=activation_bits,
        accumulator_bits=max(8, signed_bits(magnitude)),
        columns=n,
        rows=m,
        relu=layer.relu,
        output_mode=output_mode,
        queue_depth=queue_depth,
        entry_depth=max(1, *totals),
        length_bits=max(1, csr.length_bits),
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
    if not isinstance(config, CsrConfig):
        raise TypeError(f"config must be a CsrConfig, not {config!r}")
    check_layer(layer, config)
    order = check_order(order, config.rows)
    csr = Csr.from_dense(layer.weights[order], weight_bits=config.weight_bits)
    if csr.length_bits > config.length_bits:
        raise ValueError(
            f"rows must have lengths of {config.length_bits} bits, not {int(csr.lengths.max())}"
        )
    magnitude = accumulator_magnitude(layer.weights, layer.bias, config.activation_bits)
    if signed_bits(magnitude) > config.accumulator_bits:
        raise ValueError(f"accumulators must fit {config.accumulator_bits} bits, not {magnitude}")
    memories = {"rows": pack_rows(layer, config, order)}
    lane_of = csr.entry_rows() % config.lanes
    for lane in range(config.lanes):
        mine = lane_of == lane
        count = int(mine.sum())
        if count > config.entry_depth:
            raise ValueError(
                f"lane {lane} must have at most {config.entry_depth} entries, not {count}"
            )
        entries = np.zeros((2, config.entry_depth), dtype=np.int64)
        entries[:, :count] = csr.values[mine], csr.columns[mine]
        memories[f"entries_{lane}"] = pack_struct(
            config.entry_layout, {"value": entries[0], "column": entries[1]}
        )
        lengths = csr.lengths[lane :: config.lanes, None]
        memories[f"lengths_{lane}"] = pack_array(lengths, config.length_bits)
    return BaselineImage(config, memories)
