"""From an accumulator to an activation: bias, requantisation, ReLU, saturation."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from darb.golden.config import EngineConfig
from darb.golden.fixed_point import MULTIPLIER_BITS, signed_range
from darb.golden.memory_map import row_layout
from darb.golden.pipeline import POST
from darb.hw.delay_line import delay


def row_struct(config: EngineConfig) -> data.StructLayout:
    """Return the row word as a layout, `bias` signed."""
    fields = row_layout(config)
    return data.StructLayout({**fields, "bias": signed(fields["bias"])})


class RowPostProcessor(wiring.Component):
    """One row a clock, six clocks from accumulator to result.

    Clock by clock: add the bias; multiply, in two registers; shift right by shift - 1, in two
    (by eights, then the rest); round, clamp and saturate.

    Parameters
    ----------
    config : EngineConfig

    Attributes
    ----------
    total : In(signed(accumulator_bits))
    row : In(row_struct(config))
        The row's word.
    relu : In(1)
    activation : Out(signed(activation_bits))
    accumulator : Out(signed(accumulator_bits))
        The exact sum with bias, at the same clock.
    """

    def __init__(self, *, config: EngineConfig) -> None:
        self._config = config
        super().__init__(
            {
                "total": In(signed(config.accumulator_bits)),
                "row": In(row_struct(config)),
                "relu": In(1),
                "activation": Out(signed(config.activation_bits)),
                "accumulator": Out(signed(config.accumulator_bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the pipeline."""
        m = Module()
        config = self._config
        wide = signed(config.accumulator_bits + MULTIPLIER_BITS + 1)
        low, high = signed_range(config.activation_bits)

        biased = Signal(signed(config.accumulator_bits))
        m.d.sync += biased.eq(self.total + self.row.bias)
        multiplier = delay(m, self.row.multiplier, 1, name="multiplier")
        places = Signal.like(self.row.shift)
        m.d.comb += places.eq(self.row.shift - 1)

        product, product_out = Signal(wide), Signal(wide)
        m.d.sync += [product.eq(biased * multiplier), product_out.eq(product)]

        places = delay(m, places, 3, name="places")
        by_eights, shifted = Signal(wide), Signal(wide)
        m.d.sync += by_eights.eq(product_out >> (places[3:] << 3))
        fine = delay(m, places[:3], 1, name="fine")
        m.d.sync += shifted.eq(by_eights >> fine)

        rounded = Signal(wide)
        relu = delay(m, self.relu, POST - 1, name="relu")
        m.d.comb += rounded.eq((shifted + 1) >> 1)
        with m.If(relu & (rounded < 0)):
            m.d.sync += self.activation.eq(0)
        with m.Elif(rounded > high):
            m.d.sync += self.activation.eq(high)
        with m.Elif(rounded < low):
            m.d.sync += self.activation.eq(low)
        with m.Else():
            m.d.sync += self.activation.eq(rounded)
        m.d.comb += self.accumulator.eq(delay(m, biased, POST - 1, name="biased"))
        return m
