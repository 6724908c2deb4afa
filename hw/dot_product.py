"""One row slot's arithmetic: multipliers, adder tree, accumulator."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from darb.golden.config import EngineConfig
from darb.hw.delay_line import delay
from darb.hw.product_register import product_register


class DotProduct(wiring.Component):
    """S products summed, one set a clock.

    `sum` follows the operands by 2 + ceil(log2(S)) clocks: a register before and one behind each
    multiplier, which are its own where an FPGA's has them, and one after each level of the adder
    tree. Exact: no bit is dropped.

    Parameters
    ----------
    config : EngineConfig

    Attributes
    ----------
    activation : In(data.ArrayLayout(signed(activation_bits), S))
    weight : In(data.ArrayLayout(signed(weight_bits), S))
    sum : Out(signed(activation_bits + weight_bits + ceil(log2(S))))
    """

    def __init__(self, *, config: EngineConfig) -> None:
        self._config = config
        self._product_bits = config.activation_bits + config.weight_bits
        super().__init__(
            {
                "activation": In(data.ArrayLayout(signed(config.activation_bits), config.lanes)),
                "weight": In(data.ArrayLayout(signed(config.weight_bits), config.lanes)),
                "sum": Out(signed(self._product_bits + (config.lanes - 1).bit_length())),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the multipliers and the tree."""
        m = Module()
        config = self._config
        level = []
        for s in range(config.lanes):
            # Registers with a reset would stay outside a multiplier.
            activation = delay(m, self.activation[s], 1, name=f"activation_{s}", reset_less=True)
            weight = delay(m, self.weight[s], 1, name=f"weight_{s}", reset_less=True)
            product = product_register(signed(self._product_bits), name=f"product_{s}")
            m.d.sync += product.eq(activation * weight)
            level.append(product)
        depth = 0
        while len(level) > 1:
            depth += 1
            above = []
            for number in range(len(level) // 2):
                total = level[2 * number] + level[2 * number + 1]
                name = f"sum_{depth}_{number}"
                above.append(delay(m, total, 1, name=name, reset_less=True))
            level = above
        m.d.comb += self.sum.eq(level[0])
        return m


class Accumulator(wiring.Component):
    """Adds up the sums of one row's steps; `total` follows by one clock.

    Parameters
    ----------
    config : EngineConfig

    Attributes
    ----------
    step : In(1)
        `sum` belongs to a step.
    first : In(1)
        The step is its row's first.
    sum : In(signed)
        From `DotProduct`.
    total : Out(signed(accumulator_bits))
    """

    def __init__(self, *, config: EngineConfig, sum_shape: signed) -> None:
        super().__init__(
            {
                "step": In(1),
                "first": In(1),
                "sum": In(sum_shape),
                "total": Out(signed(config.accumulator_bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the accumulator."""
        m = Module()
        total = Signal.like(self.total, reset_less=True)
        with m.If(self.step):
            m.d.sync += total.eq(Mux(self.first, 0, total) + self.sum)
        m.d.comb += self.total.eq(total)
        return m
