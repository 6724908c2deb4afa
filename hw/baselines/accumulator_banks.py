"""A lane's accumulators: one vector's sums grow while another's are taken."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from darb.golden.baselines.relative_csc_model import BANKS, READ
from darb.golden.memory_map import address_bits
from darb.hw.delay_line import delay
from darb.hw.memory import Ram


class AccumulatorBanks(wiring.Component):
    """Two memories of a sum a row; one product a clock is added, to whatever row.

    A sum is read in the clock of `add`, added to and written in the next. A row that comes in both
    of them gets its sum from the adder, for the memory does not have it yet. Sums are taken row by
    row from the other bank, and zero is written where one was; out of reset both banks are
    cleared, a row a clock.

    Parameters
    ----------
    rows : int
    width : int
        Bits of a signed sum.
    product_width : int
        Bits of a signed product.

    Attributes
    ----------
    free : Out(1)
        A vector can be opened.
    open : In(1)
        One is; its adds may begin in the next clock.
    add, row, bank : In
        Add a product to a row. `bank` is 0 for the first vector, then takes turns.
    product : In(signed(product_width))
        One clock later.
    ends : In(1)
        With the vector's last add, or after it.
    finished : Out(1)
        The last add of a vector not yet released came by; its sums can be taken from the next
        clock on.
    release : In(1)
        All lanes have finished a vector.
    take : In(1)
        The next row's sum is taken.
    total : Out(signed(width))
        It, one clock later.
    """

    def __init__(self, *, rows: int, width: int, product_width: int) -> None:
        self._rows = rows
        super().__init__(
            {
                "free": Out(1),
                "open": In(1),
                "add": In(1),
                "row": In(address_bits(rows)),
                "bank": In(1),
                "product": In(signed(product_width)),
                "ends": In(1),
                "finished": Out(1),
                "release": In(1),
                "take": In(1),
                "total": Out(signed(width)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the banks."""
        m = Module()
        width, bits = len(self.total), len(self.row)
        banks = [Ram(width=width, depth=1 << bits) for _ in range(BANKS)]
        clearing, taken = Signal(init=1), Signal(bits)
        taken_bank, taken_last = Signal(), Signal()
        opened, finished = Signal(range(BANKS + 1)), Signal(range(BANKS + 1))
        closes = self.take & taken_last
        m.d.comb += [
            taken_last.eq(taken == self._rows - 1),
            self.free.eq(~clearing & (opened != BANKS)),
            self.finished.eq(finished != 0),
        ]
        m.d.sync += [
            clearing.eq(clearing & ~taken_last),
            taken_bank.eq(taken_bank ^ closes),
            opened.eq(opened + self.open - closes),
            finished.eq(finished + self.ends - self.release),
        ]
        with m.If(clearing | self.take):
            m.d.sync += taken.eq(Mux(taken_last, 0, taken + 1))

        assert READ == 1
        adding = delay(m, self.add, READ, name="add")
        row = delay(m, self.row, READ, name="row")
        in_bank = delay(m, self.bank, READ, name="bank")
        again, before, after, newest = Signal(), *(Signal(signed(width)) for _ in range(3))
        read = Mux(in_bank, banks[1].data, banks[0].data).as_signed()
        m.d.comb += [
            before.eq(Mux(again, newest, read)),
            after.eq(before + self.product),
        ]
        m.d.sync += [
            again.eq(adding & (row == self.row) & (in_bank == self.bank)),
            newest.eq(after),
        ]

        cleared = delay(m, taken, 1, name="taken")
        for number, bank in enumerate(banks):
            m.submodules[f"bank_{number}"] = bank
            reads, writes = Signal(name=f"reads_{number}"), Signal(name=f"writes_{number}")
            # A clock after the sum is read, so that a take does not also decide what is written.
            clears = Signal(name=f"clears_{number}")
            m.d.sync += clears.eq(clearing | (self.take & (taken_bank == number)))
            m.d.comb += [
                reads.eq(self.add & (self.bank == number)),
                writes.eq(adding & (in_bank == number)),
                bank.r_en.eq(1),
                bank.r_addr.eq(Mux(reads, self.row, taken)),
                bank.w_en.eq(writes | clears),
                bank.w_addr.eq(Mux(writes, row, cleared)),
                bank.w_data.eq(Mux(writes, after, 0)),
            ]
        from_bank = delay(m, taken_bank, 1, name="taken_bank")
        m.d.comb += self.total.eq(Mux(from_bank, banks[1].data, banks[0].data))
        return m
