"""From an accumulator to an activation: bias, requantisation, ReLU, saturation."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from darb.golden.config import EngineConfig
from darb.golden.fixed_point import MULTIPLIER_BITS, signed_range
from darb.golden.memory_map import row_layout
from darb.golden.pipeline import POST
from darb.hw.delay_line import delay
from darb.hw.product_register import product_register

_PART = 17
"""Bits, without a sign, that one input of an 18-bit multiplier takes."""
_FINE = 7
"""What the fine shift moves at most."""


def row_struct(config: EngineConfig) -> data.StructLayout:
    """Return the row word as a layout, `bias` signed."""
    fields = row_layout(config)
    return data.StructLayout({**fields, "bias": signed(fields["bias"])})


class RowPostProcessor(wiring.Component):
    """One row a clock, six clocks from accumulator to result.

    Clock by clock: add the bias; multiply in parts; add these; shift right by shift - 1, in two
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
        bits = config.activation_bits

        biased = Signal(signed(config.accumulator_bits), reset_less=True)
        m.d.sync += biased.eq(self.total + self.row.bias)
        multiplier = delay(m, self.row.multiplier, 1, name="multiplier", reset_less=True)
        places = Signal.like(self.row.shift)
        m.d.comb += places.eq(self.row.shift - 1)

        product = Signal(wide, reset_less=True)
        m.d.sync += product.eq(self._product(m, biased, multiplier))

        places = delay(m, places, 3, name="places", reset_less=True)
        by_eights = Signal(wide, reset_less=True)
        m.d.sync += by_eights.eq(product >> (places[3:] << 3))
        fine = delay(m, places[:3], 1, name="fine", reset_less=True)

        # What any shift by less than eight leaves above the result must be all sign.
        shifted, above = Signal(bits + _FINE, reset_less=True), by_eights[bits + _FINE :]
        negative, zeros, ones = (
            Signal(name=name, reset_less=True) for name in ("negative", "zeros", "ones")
        )
        m.d.sync += [
            shifted.eq(by_eights >> fine),
            negative.eq(by_eights < 0),
            zeros.eq(~above.any()),
            ones.eq(above.all()),
        ]
        relu = delay(m, self.relu, POST - 1, name="relu", reset_less=True)
        low, high = signed_range(bits)
        # A half more than the largest result rounds up, out of range.
        over = ~zeros | shifted[bits:].any() | shifted[:bits].all()
        under = ~ones | ~shifted[bits:].all()
        with m.If(~negative & over):
            m.d.sync += self.activation.eq(high)
        with m.Elif(negative & relu):
            m.d.sync += self.activation.eq(0)
        with m.Elif(negative & under):
            m.d.sync += self.activation.eq(low)
        with m.Else():
            m.d.sync += self.activation.eq(shifted[1 : bits + 1] + shifted[0])
        m.d.comb += self.accumulator.eq(delay(m, biased, POST - 1, name="biased", reset_less=True))
        return m

    def _product(self, m: Module, number: Signal, multiplier: Signal) -> Value:
        """Return a product whose parts, each of one multiplier of 18 bits, are in registers."""
        low, high = product_register(signed(_PART + MULTIPLIER_BITS + 1), name="low"), 0
        if len(number) <= _PART + 1:
            m.d.sync += low.eq(number * multiplier)
        else:
            high = product_register(signed(len(number) - _PART + MULTIPLIER_BITS), name="high")
            m.d.sync += [
                low.eq(number[:_PART] * multiplier),
                high.eq(number[_PART:].as_signed() * multiplier),
            ]
        return low + (high << _PART)
