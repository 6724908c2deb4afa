"""How many hard multipliers synthesis takes for a product, and for a whole engine: exactly.

A product narrower than a family's multiplier is good for goes into logic; one wider is split, and
what is left over of an operand, if it is narrow, goes into logic as well (yosys 0.70's
``mul2dsp``).
"""

from __future__ import annotations

from dataclasses import dataclass

from darb.golden.config import EngineConfig
from darb.hw.boards.devices import Family


@dataclass(frozen=True, kw_only=True)
class _Rules:
    """What a family's synthesis puts into multipliers.

    Parameters
    ----------
    operand_bits, product_bits : int
        Least width of either operand, and of the product.
    widths : tuple of (int, int)
        Widest first operand, and what it takes, in the row post-processor; the second has 16 bits.
    """

    operand_bits: int
    product_bits: int
    widths: tuple[tuple[int, int], ...]


_RULES = {
    Family.ECP5: _Rules(operand_bits=2, product_bits=4, widths=((18, 1), (32, 2))),
    Family.ICE40: _Rules(operand_bits=2, product_bits=11, widths=((17, 1), (32, 2))),
    # One of 18 x 18 counts as two of 9 x 9.
    Family.GOWIN: _Rules(operand_bits=4, product_bits=8, widths=((20, 2), (32, 4))),
    Family.XILINX: _Rules(operand_bits=2, product_bits=9, widths=((25, 1), (32, 2))),
}


def product_multipliers(family: Family, config: EngineConfig) -> int:
    """Return the multipliers that one activation times one weight takes: 1, or 0 in logic."""
    rules = _RULES[family]
    operands = config.activation_bits, config.weight_bits
    fits = min(operands) >= rules.operand_bits and sum(operands) >= rules.product_bits
    return int(fits)


def post_processor_multipliers(family: Family, config: EngineConfig) -> int:
    """Return the multipliers that the row post-processor takes."""
    widths = _RULES[family].widths
    return next(count for widest, count in widths if config.accumulator_bits <= widest)


def engine_multipliers(family: Family, config: EngineConfig) -> int:
    """Return the multipliers that an engine takes, as `darb.hw.flow.resources` counts them."""
    products = config.multipliers * product_multipliers(family, config)
    return products + post_processor_multipliers(family, config)
