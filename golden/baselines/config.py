"""What every rival engine's configuration holds: one layer, its numbers and its stream ends."""

from __future__ import annotations

from dataclasses import dataclass

from darb.golden.config import EngineConfig, OutputMode, check_field
from darb.golden.fixed_point import BIAS_BITS, MULTIPLIER_BITS, SHIFT_BITS
from darb.golden.formats.stored_array import check_count
from darb.golden.memory_map import address_bits

MOST_MULTIPLIERS = 256
MOST_COLUMNS = 1 << 14
MOST_ROWS = 1 << 16
MOST_QUEUE = 256
MOST_ENTRIES = 1 << 24


def check_power_of_two(name: str, value: object, low: int, high: int) -> None:
    """Refuse a number that is no power of two in `low`..`high`.

    Raises
    ------
    TypeError
        If `value` is no int.
    ValueError
        If it is out of range or no power of two.
    """
    check_count(name, value, low, high)
    if value & (value - 1):
        raise ValueError(f"{name} must be a power of two, not {value!r}")


def narrowest_beat(columns: int, clocks: int, least: int = 1) -> int:
    """Return the narrowest beat with which a vector is loaded in so many clocks, or the widest."""
    beat = least
    while beat < MOST_MULTIPLIERS and -(-columns // beat) > clocks:
        beat *= 2
    return beat


@dataclass(frozen=True, kw_only=True)
class BaselineConfig:
    """What fixes the Verilog of a rival engine, but for what its storage format adds.

    A rival serves one layer, so the layer's shape is part of its hardware: nothing has to be read
    before it runs, which is to its advantage.

    Parameters
    ----------
    multipliers : int
        P, 1..256.
    beat : int
        Activations in one beat of the input stream; a power of two. Beat b carries columns
        ``b * beat`` to ``b * beat + beat - 1``, lowest first.
    weight_bits, activation_bits : int
        Widths of the signed multiplier operands.
    accumulator_bits : int
        Width of the exact signed accumulator, bias included.
    columns, rows : int
        N and M of the layer.
    relu : bool
        Clamp activations at zero.
    output_mode : OutputMode
        ``activations`` or ``accumulators``.

    Raises
    ------
    TypeError
        If a field is of the wrong kind.
    ValueError
        If a field is out of its range.
    """

    multipliers: int
    beat: int = 1
    weight_bits: int = 8
    activation_bits: int = 8
    accumulator_bits: int = 32
    columns: int
    rows: int
    relu: bool = False
    output_mode: OutputMode = OutputMode.ACCUMULATORS

    def __post_init__(self) -> None:
        check_count("multipliers", self.multipliers, 1, MOST_MULTIPLIERS)
        check_power_of_two("beat", self.beat, 1, MOST_MULTIPLIERS)
        for name in ("weight_bits", "activation_bits", "accumulator_bits"):
            check_field(name, getattr(self, name))
        check_count("columns", self.columns, 1, MOST_COLUMNS)
        check_count("rows", self.rows, 1, MOST_ROWS)
        if not isinstance(self.relu, bool):
            raise TypeError(f"relu must be a bool, not {self.relu!r}")
        if not isinstance(self.output_mode, OutputMode):
            raise TypeError(f"output_mode must be an OutputMode, not {self.output_mode!r}")
        if self.output_mode is OutputMode.ARGMAX:
            raise ValueError(
                f"output_mode must be activations or accumulators, not {self.output_mode.value!r}"
            )

    @property
    def input_beats(self) -> int:
        """Beats of one vector on the input stream."""
        return -(-self.columns // self.beat)

    @property
    def output_bytes(self) -> int:
        """Bytes of one word of the output stream."""
        return self.shared.output_bytes

    @property
    def column_bits(self) -> int:
        """Width of a column's number, at least 1."""
        return address_bits(self.columns)

    @property
    def row_layout(self) -> dict[str, int]:
        """Fields of a row word: name to width in bits, lowest first; `address` is its row."""
        return {
            "bias": BIAS_BITS,
            "multiplier": MULTIPLIER_BITS,
            "shift": SHIFT_BITS,
            "address": address_bits(self.rows),
        }

    @property
    def memory_shapes(self) -> dict[str, tuple[int, int]]:
        """(depth, width in bits) of each memory that holds the layer."""
        return {"rows": (self.rows, sum(self.row_layout.values()))}

    @property
    def shared(self) -> EngineConfig:
        """The darb engine's config as the components shared with it see it; its lanes are a beat's.

        Of the fields, they read the widths, `input_depth`, `output_depth` and `output_mode`.
        """
        return EngineConfig(
            lanes=self.beat,
            rows=1,
            weight_bits=self.weight_bits,
            activation_bits=self.activation_bits,
            accumulator_bits=self.accumulator_bits,
            weight_depth=1,
            index_depth=1,
            row_depth=1,
            layer_depth=3,
            input_depth=self.input_beats,
            hidden_depth=1,
            output_depth=self.rows,
            output_mode=self.output_mode,
        )
