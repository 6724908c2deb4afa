"""A packed layer of a rival engine: its config and its memories."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from darb.golden.baselines.config import BaselineConfig
from darb.golden.bitfields import Words, pack_struct, to_hex
from darb.golden.fixed_point import accumulator_magnitude, signed_bits
from darb.golden.network import IntegerLayer


@dataclass(frozen=True, eq=False)
class BaselineImage:
    """One layer, packed for a rival engine.

    Parameters
    ----------
    config : BaselineConfig
        Of the engine's own kind.
    memories : dict of str to ndarray of uint8
        The words of each memory of ``config.memory_shapes``, as in `bitfields`.

    Raises
    ------
    ValueError
        If the memories are not those of the config.
    """

    config: BaselineConfig
    memories: dict[str, Words]

    def __post_init__(self) -> None:
        shapes = self.config.memory_shapes
        if self.memories.keys() != shapes.keys():
            raise ValueError(f"memories must be {[*shapes]}, not {[*self.memories]!r}")
        for name, (depth, width) in shapes.items():
            wanted = (depth, -(-width // 8))
            if self.memories[name].shape != wanted:
                raise ValueError(
                    f"memory {name} must have shape {wanted}, not {self.memories[name].shape!r}"
                )

    @property
    def memory_bits(self) -> int:
        """Bits of all memories, unused words too."""
        return sum(depth * width for depth, width in self.config.memory_shapes.values())

    def files(self) -> dict[str, bytes]:
        """Return the $readmemh files that the generated Verilog reads, by name."""
        shapes = self.config.memory_shapes
        return {
            f"{name}.mem": to_hex(words, shapes[name][1]) for name, words in self.memories.items()
        }


def check_layer(layer: object) -> None:
    """Refuse what is no layer.

    Raises
    ------
    TypeError
        If it is no `IntegerLayer`.
    """
    if not isinstance(layer, IntegerLayer):
        raise TypeError(f"layer must be an IntegerLayer, not {layer!r}")


def check_config(kind: type[BaselineConfig], layer: IntegerLayer, config: BaselineConfig) -> None:
    """Refuse a config of another kind, and a layer that is not the config's.

    Raises
    ------
    TypeError
        If `config` is no `kind`, or `layer` no `IntegerLayer`.
    ValueError
        If the layer's shape or its ReLU is another.
    """
    if not isinstance(config, kind):
        raise TypeError(f"config must be a {kind.__name__}, not {config!r}")
    check_layer(layer)
    shape = (config.rows, config.columns)
    if layer.weights.shape != shape:
        raise ValueError(f"layer must have shape {shape}, not {layer.weights.shape!r}")
    if layer.relu != config.relu:
        raise ValueError(f"layer's relu must be {config.relu}, not {layer.relu!r}")


def least_accumulator_bits(layer: IntegerLayer, activation_bits: int) -> int:
    """Return the narrowest `accumulator_bits` that hold every sum of a layer."""
    return max(8, signed_bits(accumulator_magnitude(layer.weights, layer.bias, activation_bits)))


def check_accumulators(layer: IntegerLayer, config: BaselineConfig) -> None:
    """Refuse a layer whose sums are too wide.

    Raises
    ------
    ValueError
        If they do not fit `accumulator_bits`.
    """
    magnitude = accumulator_magnitude(layer.weights, layer.bias, config.activation_bits)
    if signed_bits(magnitude) > config.accumulator_bits:
        raise ValueError(f"accumulators must fit {config.accumulator_bits} bits, not {magnitude}")


def pack_rows(layer: IntegerLayer, config: BaselineConfig, order: NDArray[np.integer]) -> Words:
    """Return the row memory: what the row post-processor needs, in packed order.

    Parameters
    ----------
    layer : IntegerLayer
    config : BaselineConfig
    order : ndarray of int, shape (M,)
        Row of each packed position.
    """
    fields = {name: getattr(layer, name)[order] for name in ("bias", "multiplier", "shift")}
    return pack_struct(config.row_layout, {**fields, "address": order})


def check_order(order: NDArray[np.integer] | None, rows: int) -> NDArray[np.int64]:
    """Return the row of each packed position, by default its own number.

    Raises
    ------
    TypeError
        If `order` is not of integers.
    ValueError
        If it does not name each of the `rows` once.
    """
    if order is None:
        return np.arange(rows)
    order = np.asarray(order)
    if order.dtype.kind not in "iu":
        raise TypeError(f"order must be integers, not {order.dtype}")
    if order.shape != (rows,) or not np.array_equal(np.sort(order), np.arange(rows)):
        raise ValueError(f"order must name each of {rows} rows once, not {order.tolist()!r}")
    return order.astype(np.int64)
