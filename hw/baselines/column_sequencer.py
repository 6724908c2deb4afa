"""A relative CSC lane's control: column after column, one entry a clock."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from darb.golden.baselines.relative_csc import RelativeCscConfig
from darb.golden.memory_map import address_bits

STEP = data.StructLayout({"valid": 1, "first": 1, "ends": 1, "bank": 1})
"""What a lane does in a clock. `valid`: takes an entry. `first`: its column's first. `ends`: its
vector's last step, not valid where the lane has nothing in the last column. `bank`: of its vector.
"""


def column_layout(config: RelativeCscConfig) -> data.StructLayout:
    """Return what a lane has to do for one activation: its first entry, how many, their factor."""
    return data.StructLayout(
        {
            "start": address_bits(config.entry_depth),
            "count": config.count_bits,
            "last": 1,
            "value": signed(config.activation_bits),
        }
    )


class ColumnSequencer(wiring.Component):
    """Issues one lane's steps.

    A column's steps follow from the clock after it is taken; while the last of them is issued the
    next column can be taken. A vector's first waits until a bank is free for it.

    Parameters
    ----------
    config : RelativeCscConfig

    Attributes
    ----------
    waits, head : In; take : Out(1)
        See `ColumnQueue`.
    free : In(1); open : Out(1)
        See `AccumulatorBanks`.
    step : Out(STEP)
    address : Out(address_bits(entry_depth))
        The step's entry.
    value : Out(signed(activation_bits))
        The activation to multiply it by.
    """

    def __init__(self, *, config: RelativeCscConfig) -> None:
        column = column_layout(config)
        super().__init__(
            {
                "waits": In(1),
                "head": In(column),
                "take": Out(1),
                "free": In(1),
                "open": Out(1),
                "step": Out(STEP),
                "address": Out(address_bits(config.entry_depth)),
                "value": Out(signed(config.activation_bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the control."""
        m = Module()
        left, idle, last, fresh = Signal.like(self.head.count), Signal(), Signal(), Signal(init=1)
        first, bank = Signal(), Signal(init=1)
        m.d.comb += [
            self.take.eq(self.waits & (left <= 1) & (self.free | ~fresh)),
            self.open.eq(self.take & fresh),
            self.step.valid.eq((left != 0) & ~idle),
            self.step.first.eq(first),
            self.step.ends.eq((left == 1) & last),
            self.step.bank.eq(bank),
        ]
        with m.If(left != 0):
            m.d.sync += [left.eq(left - 1), self.address.eq(self.address + 1), first.eq(0)]
        with m.If(self.take):
            m.d.sync += [
                left.eq(Mux(self.head.count == 0, 1, self.head.count)),
                idle.eq(self.head.count == 0),
                last.eq(self.head.last),
                self.address.eq(self.head.start),
                self.value.eq(self.head.value),
                first.eq(1),
                fresh.eq(self.head.last),
                bank.eq(bank ^ fresh),
            ]
        return m
