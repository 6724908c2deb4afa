"""One row slot's arithmetic: multipliers, adder tree, accumulator."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from darb.golden.config import EngineConfig


class DotProduct(wiring.Component):
    """S products summed, one set a clock.

    `sum` follows the operands by 2 + ceil(log2(S)) clocks: two registers after each multiplier and
    one after each level of the adder tree. Exact: no bit is dropped.

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
        level = []
        for s in range(self._config.lanes):
            product = Signal(signed(self._product_bits), name=f"product_{s}")
            product_out = Signal.like(product, name=f"product_out_{s}")
            m.d.sync += [
                product.eq(self.activation[s] * self.weight[s]),
                product_out.eq(product),
            ]
            level.append(product_out)
        depth = 0
        while len(level) > 1:
            depth += 1
            above = []
            for number in range(len(level) // 2):
                total = Signal(signed(self._product_bits + depth), name=f"sum_{depth}_{number}")
                m.d.sync += total.eq(level[2 * number] + level[2 * number + 1])
                above.append(total)
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
        with m.If(self.step):
            m.d.sync += self.total.eq(Mux(self.first, 0, self.total) + self.sum)
        return m
