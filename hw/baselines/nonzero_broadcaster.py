"""The walk over the input vector: its non-zero activations to all lanes, one a clock."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from darb.golden.baselines.config import BaselineConfig
from darb.golden.baselines.relative_csc_model import BROADCAST, COUNT
from darb.golden.memory_map import address_bits
from darb.golden.pipeline import FETCH
from darb.golden.timeline import BUFFERS
from darb.hw.baselines.nonzero_beats import beat_layout
from darb.hw.delay_line import delay


def pick_layout(config: BaselineConfig) -> data.StructLayout:
    """Return one pick of the vector.

    `valid`: there is one. `some`: it has a column; only a vector of zeros has a pick without.
    `last`: it is its vector's last. `odd`: its column's number is.
    """
    flags = {"valid": 1, "some": 1, "last": 1, "odd": 1}
    return data.StructLayout({**flags, "value": signed(config.activation_bits)})


class NonzeroBroadcaster(wiring.Component):
    """Picks the non-zero activations of one vector after another, lowest column first.

    The lowest of a beat's non-zeros is picked each clock; while the beat's last one is, the next
    beat stands ready. So there is a pick a clock, however many zeros are between, while all lanes
    have room. The pick goes by in three stages: `column_read` two clocks after it, `at_pointers`
    and `at_count` two and three clocks later.

    Parameters
    ----------
    config : BaselineConfig

    Attributes
    ----------
    arrived : In(1)
        One more vector is in.
    half, read_en, read_addr : Out; count, beat : In
        See `NonzeroBeats`.
    release : Out(1)
        A vector was read to its end. Registered.
    room : In(1)
        All lanes had two places for picks the clock before.
    pick : Out(1)
        One is picked and takes that place.
    column_read, even_addr, odd_addr : Out
        Read the column's two pointers: that of the lower address is in the bank of the even or the
        odd columns, as its number is.
    at_pointers, at_count : Out(pick_layout(config))
    """

    def __init__(self, *, config: BaselineConfig) -> None:
        self._config = config
        super().__init__(
            {
                "arrived": In(1),
                "half": Out(1),
                "count": In(range(config.input_beats + 1)),
                "read_en": Out(1),
                "read_addr": Out(address_bits(config.input_beats)),
                "beat": In(beat_layout(config)),
                "release": Out(1),
                "room": In(1),
                "pick": Out(1),
                "column_read": Out(1),
                "even_addr": Out(address_bits(config.columns // 2 + 1)),
                "odd_addr": Out(address_bits((config.columns + 1) // 2)),
                "at_pointers": Out(pick_layout(config)),
                "at_count": Out(pick_layout(config)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the walk."""
        m = Module()
        held, held_valid, held_last = Signal(self.beat.shape()), Signal(), Signal()
        fewer, single = Signal.like(held.nonzero), Signal()
        m.d.comb += [
            fewer.eq(held.nonzero & (held.nonzero - 1)),
            single.eq(fewer == 0),
            self.pick.eq(held_valid & self.room),
        ]
        move, fetched_last, fetched_none = self._read(m, ~held_valid | (self.pick & single))
        with m.If(move):
            m.d.sync += [
                held.eq(self.beat),
                held.nonzero.eq(Mux(fetched_none, 0, self.beat.nonzero)),
                held_valid.eq(1),
                held_last.eq(fetched_last),
            ]
        with m.Elif(self.pick):
            m.d.sync += [held.nonzero.eq(fewer), held_valid.eq(~single)]
        lowest, column = Signal.like(held.nonzero), Signal(self._config.column_bits)
        value = Signal(signed(self._config.activation_bits))
        within = (self._config.beat - 1).bit_length()
        m.d.comb += [
            lowest.eq(held.nonzero & ~fewer),
            column.eq(
                Cat(
                    *(
                        Cat(lowest[n] for n in range(len(lowest)) if n >> bit & 1).any()
                        for bit in range(within)
                    ),
                    held.number,
                )
            ),
        ]
        for chosen, activation in zip(lowest, held.activations, strict=True):
            with m.If(chosen):
                m.d.comb += value.eq(activation)
        self._broadcast(m, column, value, last=held_last & single, some=held.nonzero.any())
        return m

    def _read(self, m: Module, room: Signal) -> tuple[Signal, Signal, Signal]:
        """Read beat after beat; returns that one moves on, if it is its vector's last, if none."""
        known = Signal(range(BUFFERS + 1))
        fetched, last, none = Signal(), Signal(), Signal()
        move, ends, ended = Signal(), Signal(), Signal()
        after = Signal.like(self.count)
        m.d.comb += [
            move.eq(fetched & room),
            self.read_en.eq((known != 0) & (~fetched | move)),
            after.eq(self.read_addr + 1),
            ends.eq((after == self.count) | (self.count == 0)),
            ended.eq(self.read_en & ends),
        ]
        m.d.sync += [
            known.eq(known + self.arrived - ended),
            self.half.eq(self.half ^ ended),
            self.release.eq(ended),
        ]
        with m.If(self.read_en):
            m.d.sync += [
                self.read_addr.eq(Mux(ends, 0, after)),
                last.eq(ends),
                none.eq(self.count == 0),
            ]
        with m.If(self.read_en | move):
            m.d.sync += fetched.eq(self.read_en)
        return move, last, none

    def _broadcast(
        self, m: Module, column: Signal, value: Signal, *, last: Signal, some: Signal
    ) -> None:
        """Send the pick along."""
        picked = Signal(self.at_pointers.shape())
        m.d.comb += [
            picked.valid.eq(self.pick),
            picked.some.eq(some),
            picked.last.eq(last),
            picked.odd.eq(column[0]),
            picked.value.eq(value),
        ]
        at_column = delay(m, picked, 1, name="picked")
        column = delay(m, column, 1, name="column")
        m.d.sync += [
            self.column_read.eq(at_column.valid & at_column.some),
            self.even_addr.eq(column[1:] + column[0]),
            self.odd_addr.eq(column[1:]),
        ]
        assert BROADCAST == 2
        at_pointers = delay(m, at_column, 1 + FETCH, name="at_column")
        m.d.comb += [
            self.at_pointers.eq(at_pointers),
            self.at_count.eq(delay(m, at_pointers, COUNT, name="at_pointers")),
        ]
