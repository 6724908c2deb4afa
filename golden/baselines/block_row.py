"""Images of engines whose lanes take block rows in turn: entries and lengths, lane by lane."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from darb.golden.baselines.config import (
    MOST_COLUMNS,
    MOST_ENTRIES,
    MOST_MULTIPLIERS,
    MOST_QUEUE,
    BaselineConfig,
    check_power_of_two,
    narrowest_beat,
)
from darb.golden.baselines.image import (
    BaselineImage,
    check_accumulators,
    check_config,
    check_layer,
    check_order,
    least_accumulator_bits,
    pack_rows,
)
from darb.golden.bitfields import pack_array, pack_struct
from darb.golden.formats.bsr import Bsr
from darb.golden.formats.csr import Csr
from darb.golden.formats.stored_array import check_count
from darb.golden.memory_map import address_bits
from darb.golden.network import IntegerLayer
from darb.golden.pipeline import FETCH

LEAST_ROW = FETCH
"""Clocks that a lane spends on a block row at least: the next length takes them to be read."""


@dataclass(frozen=True, kw_only=True)
class BlockRowConfig(BaselineConfig):
    """What fixes the Verilog of an engine whose lanes take block rows in turn.

    With b = `block_size` and g = `blocks_a_step`, a lane has ``b * b * g`` multipliers and takes g
    blocks of one block row a clock, its step. Packed block row i belongs to lane ``i mod lanes``.
    Each lane has two memories: ``entries_p``, its block rows' entries one after the other, each
    the g blocks of a step; ``lengths_p``, the number of entries of each of its block rows. Where
    g does not divide the blocks of a block row, zeros in block column 0 fill up its last entry.

    Parameters
    ----------
    queue_depth : int
        Block rows that a lane can be ahead of the row post-processor; a power of two.
    entry_depth : int
        Words in each lane's entry memory.
    length_bits : int
        Width of a block row's length.

    Attributes
    ----------
    block_size : int
        b, rows and columns of a block; `beat` is at least as many.
    blocks_a_step : int
        g, a power of two.
    """

    block_size: ClassVar[int]
    blocks_a_step: ClassVar[int]
    queue_depth: int = 16
    entry_depth: int
    length_bits: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.multipliers < self.lane_multipliers:
            raise ValueError(
                f"multipliers must be at least a lane's {self.lane_multipliers}, "
                f"not {self.multipliers!r}"
            )
        if self.beat < self.block_size:
            raise ValueError(
                f"beat must be at least block_size ({self.block_size}), not {self.beat!r}"
            )
        check_power_of_two("queue_depth", self.queue_depth, 1, MOST_QUEUE)
        check_count("entry_depth", self.entry_depth, 1, MOST_ENTRIES)
        check_count("length_bits", self.length_bits, 1, MOST_COLUMNS.bit_length())

    @property
    def block_rows(self) -> int:
        """Block rows, the last of which may have fewer rows."""
        return -(-self.rows // self.block_size)

    @property
    def lane_multipliers(self) -> int:
        """Multipliers of one lane."""
        return self.block_size**2 * self.blocks_a_step

    @property
    def lanes(self) -> int:
        """Lanes that have a block row; multipliers too many are left out."""
        return min(self.multipliers // self.lane_multipliers, self.block_rows)

    @property
    def block_column_bits(self) -> int:
        """Width of a block column's number, at least 1."""
        return address_bits(-(-self.columns // self.block_size))

    @property
    def entry_layout(self) -> dict[str, int]:
        """Fields of an entry: name to width in bits, lowest first.

        Value ``(e * b + r) * b + c`` is that of block e, row r, column c.
        """
        values = {f"value_{n}": self.weight_bits for n in range(self.lane_multipliers)}
        columns = {f"column_{e}": self.block_column_bits for e in range(self.blocks_a_step)}
        return values | columns

    def lane_rows(self, lane: int) -> int:
        """Return how many block rows a lane has."""
        return -(-(self.block_rows - lane) // self.lanes)

    @property
    def memory_shapes(self) -> dict[str, tuple[int, int]]:
        """(depth, width in bits) of each memory."""
        entry = (self.entry_depth, sum(self.entry_layout.values()))
        shapes = super().memory_shapes
        for lane in range(self.lanes):
            shapes[f"entries_{lane}"] = entry
            shapes[f"lengths_{lane}"] = (self.lane_rows(lane), self.length_bits)
        return shapes


Config = TypeVar("Config", bound=BlockRowConfig)


def stored_blocks(weights: NDArray[np.integer], block_size: int, weight_bits: int) -> Bsr | Csr:
    """Return a matrix in BSR, or in CSR where a block is one weight."""
    if block_size == 1:
        return Csr.from_dense(weights, weight_bits=weight_bits)
    return Bsr.from_dense(weights, block_size=block_size, weight_bits=weight_bits)


def fit_block_rows(
    kind: type[Config],
    layer: IntegerLayer,
    *,
    beat: int | None,
    order: NDArray[np.integer] | None,
    **fields: object,
) -> Config:
    """Return the smallest config of `kind` that holds a layer; `fields` are its other fields.

    Raises
    ------
    TypeError, ValueError
        If the layer or a field is refused, or a weight is wider than `weight_bits`.
    """
    check_layer(layer)
    m, n = layer.weights.shape
    draft = kind(
        **fields,
        beat=MOST_MULTIPLIERS if beat is None else beat,
        columns=n,
        rows=m,
        relu=layer.relu,
        entry_depth=1,
        length_bits=1,
    )
    packed = layer.weights[check_order(order, m)]
    blocks = stored_blocks(packed, draft.block_size, draft.weight_bits)
    steps = -(-blocks.lengths // draft.blocks_a_step)
    totals = [int(steps[lane :: draft.lanes].sum()) for lane in range(draft.lanes)]
    if beat is None:
        beat = narrowest_beat(n, max(m, *totals), least=draft.block_size)
    return replace(
        draft,
        beat=beat,
        accumulator_bits=least_accumulator_bits(layer, draft.activation_bits),
        entry_depth=max(1, *totals),
        length_bits=max(1, int(steps.max()).bit_length()),
    )


def pack_block_rows(
    kind: type[Config],
    layer: IntegerLayer,
    config: Config,
    *,
    order: NDArray[np.integer] | None,
) -> BaselineImage:
    """Pack a layer, its rows in `order`, for a config of `kind`.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If the layer is not the config's, or does not fit.
    """
    check_config(kind, layer, config)
    order = check_order(order, config.rows)
    blocks = stored_blocks(layer.weights[order], config.block_size, config.weight_bits)
    steps = -(-blocks.lengths // config.blocks_a_step)
    longest = int(steps.max())
    if longest.bit_length() > config.length_bits:
        raise ValueError(f"lengths must fit {config.length_bits} bits, not {longest}")
    check_accumulators(layer, config)
    row_of = np.repeat(np.arange(config.block_rows), blocks.lengths)
    place = np.arange(row_of.size) - blocks.row_pointers()[row_of]
    memories = {"rows": pack_rows(layer, config, order)}
    for lane in range(config.lanes):
        lengths = steps[lane :: config.lanes]
        count = int(lengths.sum())
        if count > config.entry_depth:
            raise ValueError(
                f"lane {lane} must have at most {config.entry_depth} entries, not {count}"
            )
        mine = row_of % config.lanes == lane
        first = (np.cumsum(lengths) - lengths) * config.blocks_a_step
        slot = first[row_of[mine] // config.lanes] + place[mine]
        slots = config.entry_depth * config.blocks_a_step
        values = np.zeros((slots, config.block_size**2), dtype=np.int64)
        columns = np.zeros(slots, dtype=np.int64)
        values[slot] = blocks.values[mine].reshape(-1, config.block_size**2)
        columns[slot] = blocks.columns[mine]
        fields = np.hstack([part.reshape(config.entry_depth, -1) for part in (values, columns)])
        memories[f"entries_{lane}"] = pack_struct(
            config.entry_layout, dict(zip(config.entry_layout, fields.T, strict=True))
        )
        memories[f"lengths_{lane}"] = pack_array(lengths[:, None], config.length_bits)
    return BaselineImage(config, memories)
