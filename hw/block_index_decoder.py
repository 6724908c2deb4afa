"""Index words to bank addresses: one shift register a multiplier."""

from __future__ import annotations

from functools import reduce
from operator import or_

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from darb.golden.pipeline import ADDRESS, DECODE
from darb.hw.delay_line import delay

AHEAD = 1
"""Clocks from a step to its index word."""


class BlockIndexDecoder(wiring.Component):
    """Turns fields of an index word into bank addresses, ``base | index``, one a step.

    A field holds several k-bit indices, first index lowest. `refill` loads the field; every other
    step shifts it right by k. A step is told one clock before its word stands; addresses follow it
    by three clocks, one step a clock.

    Parameters
    ----------
    fields : int
        P, the multipliers.
    field_bits : int
        Width of one multiplier's field.
    max_k : int
        Largest k served.
    address_bits : int
        Width of a bank address.

    Attributes
    ----------
    word : In(fields * field_bits)
        The index word of the step told a clock before; multiplier p at bits p * field_bits.
    step : In(1)
        A step is at hand.
    refill : In(1)
        The step is the first that `word` serves.
    k : In(4)
        The step's block size is 2**k; at k = 0 the index is 0 and `word` is ignored.
    base : In(address_bits)
        First column of the step's block inside the segment, a multiple of 2**k.
    address : Out(data.ArrayLayout(address_bits, fields))
    """

    def __init__(self, *, fields: int, field_bits: int, max_k: int, address_bits: int) -> None:
        self._fields, self._field_bits, self._max_k = fields, field_bits, max_k
        super().__init__(
            {
                "word": In(data.ArrayLayout(field_bits, fields)),
                "step": In(1),
                "refill": In(1),
                "k": In(4),
                "base": In(address_bits),
                "address": Out(data.ArrayLayout(address_bits, fields)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the decoder."""
        m = Module()
        # One bit for each way to go on, decided before the word is there: nothing but two levels of
        # look-up tables then stands between a queue and itself.
        step = delay(m, self.step, AHEAD, name="step")
        ways = Signal(self._max_k + 1)
        m.d.sync += ways[0].eq(self.refill)
        for k in range(1, self._max_k + 1):
            m.d.sync += ways[k].eq(~self.refill & (self.k == k))
        k_at_word = delay(m, self.k, AHEAD, name="k", reset_less=True)
        mask = Signal(max(1, self._max_k), reset_less=True)
        with m.Switch(k_at_word):
            for k in range(self._max_k + 1):
                with m.Case(k):
                    m.d.sync += mask.eq((1 << k) - 1)
        base = delay(m, self.base, AHEAD + DECODE, name="base", reset_less=True)
        for p in range(self._fields):
            queue = Signal(unsigned(self._field_bits), name=f"queue_{p}", reset_less=True)
            options = [self.word[p], *(queue >> k for k in range(1, self._max_k + 1))]
            with m.If(step):
                chosen = (Mux(way, option, 0) for way, option in zip(ways, options, strict=True))
                m.d.sync += queue.eq(reduce(or_, chosen))
            address = base | (queue & mask)
            m.d.comb += self.address[p].eq(
                delay(m, address, ADDRESS, name=f"address_{p}", reset_less=True)
            )
        return m
