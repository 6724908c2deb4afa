"""The one configuration that the packer, the golden model and the generator share."""

from __future__ import annotations

import dataclasses
import enum
from dataclasses import dataclass


class OutputMode(enum.StrEnum):
    """What the last layer sends.

    ``activations``: requantised, one signed ``activation_bits`` integer a row.
    ``accumulators``: the exact sum with bias, one signed 32-bit integer a row.
    ``argmax``: one unsigned 16-bit integer a vector, the first row with the largest accumulator.
    """

    ACTIVATIONS = "activations"
    ACCUMULATORS = "accumulators"
    ARGMAX = "argmax"


_RANGES = {
    "lanes": (1, 256),
    "rows": (1, 64),
    "weight_bits": (2, 8),
    "activation_bits": (2, 8),
    "accumulator_bits": (8, 32),
    "index_word_bits": (1, 64),
    "max_k": (0, 12),
    "weight_depth": (1, 1 << 24),
    "index_depth": (1, 1 << 24),
    "row_depth": (1, 1 << 20),
    "layer_depth": (3, 1 << 12),
    "input_depth": (1, 1 << 14),
    "hidden_depth": (1, 1 << 14),
    "output_depth": (1, 1 << 16),
}


def check_field(name: str, value: object) -> None:
    """Refuse what field `name` of `EngineConfig`, a number, cannot be by itself.

    Raises
    ------
    TypeError
        If `value` is no int.
    ValueError
        If it is out of the field's range.
    """
    low, high = _RANGES[name]
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an int, not {value!r}")
    if not low <= value <= high:
        raise ValueError(f"{name} must be in {low}..{high}, not {value!r}")


@dataclass(frozen=True, kw_only=True)
class EngineConfig:
    """Everything that fixes the Verilog of an engine; two images of one config share it.

    Parameters
    ----------
    lanes : int
        S, multipliers that share one row; a power of two.
    rows : int
        R, rows worked on at once; a power of two. The engine has ``lanes * rows`` multipliers.
    weight_bits, activation_bits : int
        Widths of the signed multiplier operands.
    accumulator_bits : int
        Width of the exact signed accumulator, bias included.
    index_word_bits : int
        Width of one multiplier's field in an index word.
    max_k : int
        Largest block size served is ``2**max_k`` columns.
    weight_depth, index_depth, row_depth, layer_depth : int
        Words in each of the four image memories.
    input_depth, hidden_depth : int
        Columns one lane may own in the first layer, and in any later one.
    output_depth : int
        Rows that the last layer may have.
    output_mode : OutputMode
        What the last layer sends.

    Raises
    ------
    TypeError
        If a field is of the wrong kind.
    ValueError
        If a field is out of its range, or fields contradict one another.
    """

    lanes: int
    rows: int
    weight_bits: int = 8
    activation_bits: int = 8
    accumulator_bits: int = 32
    index_word_bits: int = 12
    max_k: int = 6
    weight_depth: int
    index_depth: int
    row_depth: int
    layer_depth: int
    input_depth: int
    hidden_depth: int
    output_depth: int
    output_mode: OutputMode = OutputMode.ACCUMULATORS

    def __post_init__(self) -> None:
        for name in _RANGES:
            check_field(name, getattr(self, name))
        for name in ("lanes", "rows"):
            value = getattr(self, name)
            if value & (value - 1):
                raise ValueError(f"{name} must be a power of two, not {value!r}")
        if self.max_k > self.index_word_bits:
            raise ValueError(
                f"max_k must be at most index_word_bits ({self.index_word_bits}), "
                f"not {self.max_k!r}"
            )
        if not isinstance(self.output_mode, OutputMode):
            raise TypeError(f"output_mode must be an OutputMode, not {self.output_mode!r}")

    @property
    def multipliers(self) -> int:
        """P, the multipliers in the engine."""
        return self.lanes * self.rows

    @property
    def output_bytes(self) -> int:
        """Bytes of one word of the output stream; signed, except in mode ``argmax``."""
        return {
            OutputMode.ACTIVATIONS: 1,
            OutputMode.ACCUMULATORS: 4,
            OutputMode.ARGMAX: 2,
        }[self.output_mode]

    def to_dict(self) -> dict[str, int | str]:
        """Return the fields as JSON values."""
        return {**dataclasses.asdict(self), "output_mode": self.output_mode.value}

    @classmethod
    def from_dict(cls, fields: dict[str, int | str]) -> EngineConfig:
        """Build a config from JSON values; the inverse of `to_dict`.

        Raises
        ------
        TypeError
            If `fields` is no dict, or a field is of the wrong kind.
        ValueError
            If a field is missing, unknown or out of its range.
        """
        if not isinstance(fields, dict):
            raise TypeError(f"config must be an object, not {fields!r}")
        known = {field.name for field in dataclasses.fields(cls)}
        for name in sorted(known ^ fields.keys()):
            raise ValueError(f"config field {name} is {'missing' if name in known else 'unknown'}")
        mode = fields["output_mode"]
        modes = [item.value for item in OutputMode]
        if mode not in modes:
            raise ValueError(f"output_mode must be one of {modes}, not {mode!r}")
        return cls(**{**fields, "output_mode": OutputMode(mode)})
