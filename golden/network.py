"""An integer network: what quantisation hands to the packer, and what the image gives back."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from darb.golden.config import check_field
from darb.golden.fixed_point import requantisation_faults, weight_limit
from darb.golden.pattern import MOST_K, Pattern, Segments

MOST_ALIGN = 1 << MOST_K
"""The largest block that a segment can be rounded up to."""
SCALE_RULE = "a finite number above 0"
NAME_RULE = "printable and at most 200 characters long"


def is_scale(value: object) -> bool:
    """Return whether `value` can be what one step of an integer stands for."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and 0 < value <= sys.float_info.max


def is_name(value: str) -> bool:
    """Return whether `value` can name a layer in a line of text."""
    return value.isprintable() and len(value) <= 200


@dataclass(frozen=True, kw_only=True, eq=False)
class IntegerLayer:
    """One fully connected layer in integers, ``y = requantize(W @ x + bias)``.

    Parameters
    ----------
    name : str
        For messages and tables.
    weights : ndarray of int8, shape (M, N)
        In the network's own column order; zero where pruned.
    bias : ndarray of int32, shape (M,)
    multiplier : ndarray of uint16, shape (M,)
        Normalised to 2**15..2**16 - 1, zero only for a null row.
    shift : ndarray of uint8, shape (M,)
        1..63.
    relu : bool
    patterns : tuple of Pattern, length M
        What each row promises, over the stored columns.
    columns : ndarray of int32, shape (C,)
        Original column of each stored position; columns not named are left out.
    align : int
        Segments are rounded up to this many columns (see `Segments`).

    Raises
    ------
    TypeError
        If an array is not of integers, or the name is no str.
    ValueError
        If a shape or a value is out of its range, a column stands twice, or the name would not
        stand in a line of text.
    """

    name: str
    weights: NDArray[np.int8]
    bias: NDArray[np.int32]
    multiplier: NDArray[np.uint16]
    shift: NDArray[np.uint8]
    relu: bool
    patterns: tuple[Pattern, ...]
    columns: NDArray[np.int32]
    align: int = 1

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise TypeError(f"layer name must be a str, not {self.name!r}")
        if not is_name(self.name):
            raise ValueError(f"layer name must be {NAME_RULE}, not {self.name!r}")
        kinds = {"weights": np.int8, "bias": np.int32, "multiplier": np.uint16}
        kinds |= {"shift": np.uint8, "columns": np.int32}
        for name, kind in kinds.items():
            values = np.asarray(getattr(self, name))
            if values.dtype.kind not in "iu":
                raise TypeError(f"layer {self.name}: {name} must be integers, not {values.dtype}")
            limits = np.iinfo(kind)
            if values.size and not limits.min <= values.min() <= values.max() <= limits.max:
                bad = values.flat[np.argmax((values < limits.min) | (values > limits.max))]
                raise ValueError(
                    f"layer {self.name}: {name} must be in {limits.min}..{limits.max}, not {bad}"
                )
            object.__setattr__(self, name, values.astype(kind))
        if self.weights.ndim != 2 or 0 in self.weights.shape:
            raise ValueError(
                f"layer {self.name}: weights must have shape (M, N), not {self.weights.shape!r}"
            )
        m, n = self.weights.shape
        for name in ("bias", "multiplier", "shift"):
            if getattr(self, name).shape != (m,):
                raise ValueError(
                    f"layer {self.name}: {name} must have shape ({m},), "
                    f"not {getattr(self, name).shape!r}"
                )
        if len(self.patterns) != m:
            raise ValueError(
                f"layer {self.name}: patterns must name {m} rows, not {len(self.patterns)}"
            )
        for row, fault in requantisation_faults(self.multiplier, self.shift):
            raise ValueError(f"layer {self.name}: row {row}: {fault}")
        self._check_columns(n)
        if isinstance(self.align, bool) or not isinstance(self.align, int):
            raise TypeError(f"layer {self.name}: align must be an int, not {self.align!r}")
        if not 1 <= self.align <= MOST_ALIGN:
            raise ValueError(
                f"layer {self.name}: align must be in 1..{MOST_ALIGN}, not {self.align!r}"
            )

    def _check_columns(self, n: int) -> None:
        if self.columns.ndim != 1 or not self.columns.size:
            raise ValueError(
                f"layer {self.name}: columns must name at least one column, "
                f"not shape {self.columns.shape!r}"
            )
        counts = np.bincount(np.clip(self.columns, 0, n), minlength=n + 1)
        if self.columns.min() < 0 or counts[n]:
            raise ValueError(f"layer {self.name}: columns must be in 0..{n - 1}")
        if counts.max() > 1:
            raise ValueError(f"layer {self.name}: column {int(counts.argmax())} stands twice")
        stray = np.flatnonzero((counts[:n] == 0) & self.weights.any(axis=0))
        if stray.size:
            row, number = map(int, np.argwhere(self.weights[:, stray])[0])
            column = int(stray[number])
            raise ValueError(
                f"layer {self.name}: row {row} has a weight in column {column}, "
                "which the column order leaves out"
            )

    @property
    def shape(self) -> tuple[int, int]:
        """Outputs M and inputs N."""
        return self.weights.shape

    def segments(self, lanes: int) -> Segments:
        """Return how the stored columns are dealt to `lanes` lanes."""
        return Segments(self.columns.size, lanes, self.align)

    def in_stored_order(self) -> NDArray[np.int8]:
        """Return the weights with their columns in stored order, shape (M, C)."""
        return self.weights[:, self.columns]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, IntegerLayer):
            return NotImplemented
        arrays = ("weights", "bias", "multiplier", "shift", "columns")
        plain = ("name", "relu", "patterns", "align")
        return all(getattr(self, name) == getattr(other, name) for name in plain) and all(
            np.array_equal(getattr(self, name), getattr(other, name)) for name in arrays
        )

    __hash__ = None


@dataclass(frozen=True, kw_only=True)
class IntegerNetwork:
    """A chain of integer layers.

    Parameters
    ----------
    layers : tuple of IntegerLayer
        Each layer has as many columns as the one before has rows.
    weight_bits, activation_bits : int
        Widths that the weights and every activation keep to.
    input_scale : float
        Real value of one step of an input integer; carried for the user, never computed with.
    output_scales : tuple of float
        Real value of one step of each row's output accumulator; carried likewise.

    Raises
    ------
    TypeError
        If a width is no int, or a scale no number.
    ValueError
        If the layers do not chain, a width is out of its range, a weight is wider than
        `weight_bits`, or the scales are not what scales can be.
    """

    layers: tuple[IntegerLayer, ...]
    weight_bits: int = 8
    activation_bits: int = 8
    input_scale: float = 1.0
    output_scales: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not self.layers:
            raise ValueError("a network must have at least one layer, not ()")
        for name in ("weight_bits", "activation_bits"):
            check_field(name, getattr(self, name))
        limit = weight_limit(self.weight_bits)
        for layer in self.layers:
            largest = max(int(layer.weights.max()), -int(layer.weights.min()))
            if largest > limit:
                raise ValueError(
                    f"layer {layer.name}: weights of {self.weight_bits} bits must be in "
                    f"{-limit}..{limit}, not {largest}"
                )
        for before, after in zip(self.layers, self.layers[1:], strict=False):
            if before.shape[0] != after.shape[1]:
                raise ValueError(
                    f"layer {after.name} must take the {before.shape[0]} outputs of layer "
                    f"{before.name}, not {after.shape[1]} columns"
                )
        for name, scales in (
            ("input_scale", (self.input_scale,)),
            ("output_scales", self.output_scales),
        ):
            for scale in scales:
                if not is_scale(scale):
                    kind = ValueError if isinstance(scale, int | float) else TypeError
                    raise kind(f"{name} must be {SCALE_RULE}, not {scale!r}")
        if len(self.output_scales) not in (0, self.outputs):
            raise ValueError(
                f"output_scales must be none or {self.outputs}, one a row, "
                f"not {len(self.output_scales)}"
            )

    @property
    def inputs(self) -> int:
        """N of the first layer."""
        return self.layers[0].shape[1]

    @property
    def outputs(self) -> int:
        """M of the last layer."""
        return self.layers[-1].shape[0]

    def live_rows(self, index: int) -> NDArray[np.int64]:
        """Return the rows of layer `index` that are stored: those the next layer names."""
        if index == len(self.layers) - 1:
            return np.arange(self.outputs)
        return np.sort(self.layers[index + 1].columns).astype(np.int64)

    def drop_dead_rows(self) -> IntegerNetwork:
        """Return the network with every row that is not stored set to zero: what an image keeps."""
        layers = []
        for number, layer in enumerate(self.layers):
            live = np.zeros(layer.shape[0], dtype=bool)
            live[self.live_rows(number)] = True
            kept = {
                "weights": layer.weights * live[:, None],
                "bias": layer.bias * live,
                "multiplier": layer.multiplier * live,
                "shift": np.where(live, layer.shift, 1),
                "patterns": tuple(
                    pattern if alive else Pattern(0)
                    for pattern, alive in zip(layer.patterns, live, strict=True)
                ),
            }
            layers.append(replace(layer, **kept))
        return replace(self, layers=tuple(layers))
