"""The relative CSC engine's image: each lane's entries and column pointers, as in EIE."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from darb.golden.baselines.config import (
    MOST_ENTRIES,
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
from darb.golden.config import OutputMode
from darb.golden.formats.relative_csc import MOST_INDEX_BITS, RelativeCsc
from darb.golden.formats.stored_array import check_count
from darb.golden.network import IntegerLayer


@dataclass(frozen=True, kw_only=True)
class RelativeCscConfig(BaselineConfig):
    """What fixes the Verilog of a relative CSC engine.

    Packed row i belongs to lane ``i mod lanes``; a lane is one multiplier. Each lane has three
    memories: ``entries_p``, its part of column 0, of column 1 and so on, each entry a value (low
    bits) and a skip, as in `darb.golden.formats.RelativeCsc`; ``even_p`` and ``odd_p``, the
    pointers to the starts of columns 0 to N (where no column starts, but the last one ends), in
    turn, so that a column's pointer and the next one are read together.

    Parameters
    ----------
    queue_depth : int
        Activations that can wait for a lane, beside those on their way to it; a power of two. One
        in whose column the lane has no entries does not wait.
    index_bits : int
        Width of a skip, 1..16.
    entry_depth : int
        Words in each lane's entry memory.
    """

    queue_depth: int = 8
    index_bits: int = 4
    entry_depth: int

    def __post_init__(self) -> None:
        super().__post_init__()
        check_power_of_two("queue_depth", self.queue_depth, 1, MOST_QUEUE)
        check_count("index_bits", self.index_bits, 1, MOST_INDEX_BITS)
        check_count("entry_depth", self.entry_depth, 1, MOST_ENTRIES)

    @property
    def lanes(self) -> int:
        """Lanes that have a row; a multiplier too many is left out."""
        return min(self.multipliers, self.rows)

    @property
    def entry_layout(self) -> dict[str, int]:
        """Fields of an entry: name to width in bits, lowest first."""
        return {"value": self.weight_bits, "skip": self.index_bits}

    @property
    def pointer_bits(self) -> int:
        """Width of a pointer, which may stand after the last entry."""
        return self.entry_depth.bit_length()

    @property
    def count_bits(self) -> int:
        """Width of the number of entries of a lane's part of a column: one a row at most."""
        return self.lane_rows(0).bit_length()

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
            shapes[f"even_{lane}"] = (self.columns // 2 + 1, self.pointer_bits)
            shapes[f"odd_{lane}"] = ((self.columns + 1) // 2, self.pointer_bits)
        return shapes


def fit_relative_csc(
    layer: IntegerLayer,
    *,
    multipliers: int,
    weight_bits: int = 8,
    activation_bits: int = 8,
    beat: int | None = None,
    queue_depth: int = 8,
    index_bits: int = 4,
    output_mode: OutputMode = OutputMode.ACCUMULATORS,
    order: NDArray[np.integer] | None = None,
) -> RelativeCscConfig:
    """Return the smallest config that holds a layer.

    Parameters
    ----------
    layer : IntegerLayer
    multipliers, weight_bits, activation_bits, queue_depth, index_bits, output_mode
        See `RelativeCscConfig`.
    beat : int, optional
        By default the narrowest, up to 256, with which loading a vector takes no longer than the
        row post-processor does: then no vector, however sparse, waits for its beats.
    order : ndarray of int, shape (M,), optional
        The one that `pack_relative_csc` will be given.

    Raises
    ------
    TypeError, ValueError
        If the layer or a field is refused, or a weight is wider than `weight_bits`.
    """
    check_layer(layer)
    m, n = layer.weights.shape
    if beat is None:
        beat = narrowest_beat(n, m)
    draft = RelativeCscConfig(
        multipliers=multipliers,
        beat=beat,
        weight_bits=weight_bits,
        activation_bits=activation_bits,
        columns=n,
        rows=m,
        relu=layer.relu,
        output_mode=output_mode,
        queue_depth=queue_depth,
        index_bits=index_bits,
        entry_depth=1,
    )
    stored = _stored(layer, draft, check_order(order, m))
    return replace(
        draft,
        accumulator_bits=least_accumulator_bits(layer, activation_bits),
        entry_depth=max(1, int(stored.pointers[:, -1].max())),
    )


def pack_relative_csc(
    layer: IntegerLayer, config: RelativeCscConfig, *, order: NDArray[np.integer] | None = None
) -> BaselineImage:
    """Pack a layer for a relative CSC engine.

    Parameters
    ----------
    layer : IntegerLayer
        Its patterns and its column order mean nothing here.
    config : RelativeCscConfig
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
    check_config(RelativeCscConfig, layer, config)
    order = check_order(order, config.rows)
    stored = _stored(layer, config, order)
    check_accumulators(layer, config)
    memories = {"rows": pack_rows(layer, config, order)}
    first = 0
    for lane, pointers in enumerate(stored.pointers):
        count = int(pointers[-1])
        if count > config.entry_depth:
            raise ValueError(
                f"lane {lane} must have at most {config.entry_depth} entries, not {count}"
            )
        mine = slice(first, first + count)
        first += count
        entries = np.zeros((2, config.entry_depth), dtype=np.int64)
        entries[:, :count] = stored.values[mine], stored.skips[mine]
        memories[f"entries_{lane}"] = pack_struct(
            config.entry_layout, {"value": entries[0], "skip": entries[1]}
        )
        memories[f"even_{lane}"] = pack_array(pointers[::2, None], config.pointer_bits)
        memories[f"odd_{lane}"] = pack_array(pointers[1::2, None], config.pointer_bits)
    return BaselineImage(config, memories)


def _stored(
    layer: IntegerLayer, config: RelativeCscConfig, order: NDArray[np.int64]
) -> RelativeCsc:
    return RelativeCsc.from_dense(
        layer.weights[order],
        lanes=config.lanes,
        index_bits=config.index_bits,
        weight_bits=config.weight_bits,
    )
