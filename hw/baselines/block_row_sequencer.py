"""A lane's control: block row after block row, one entry a clock."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from darb.golden.baselines.block_row import BlockRowConfig
from darb.golden.memory_map import address_bits
from darb.golden.timeline import BUFFERS
from darb.hw.delay_line import delay

STEP = data.StructLayout({"valid": 1, "first": 1, "last": 1, "final": 1, "half": 1})
"""What a lane does in a clock. `valid`: takes an entry. `first`, `last`: of its block row, of which
an empty one has a single step that is not valid. `final`: of its vector. `half`: the buffer it
reads.
"""


class BlockRowSequencer(wiring.Component):
    """Issues one lane's steps.

    A block row begins once its length is known, a vector is in and its sums have room; its steps
    follow from the next clock on. While the last of them is issued the next block row can begin,
    but no sooner than two clocks after the one before.

    Parameters
    ----------
    config : BlockRowConfig
    lane : int

    Attributes
    ----------
    arrived : In(1)
        One more vector is in.
    room : In(1)
        The block row's sums have room.
    begin : Out(1)
        A block row begins and takes that room.
    length_en, length_addr : Out; length : In(length_bits)
        The lane's length memory, data two clocks later.
    step : Out(STEP)
        Registered.
    finished : Out(1)
        The last step of a vector not yet released was issued.
    release : In(1)
        All lanes have finished a vector.
    """

    def __init__(self, *, config: BlockRowConfig, lane: int) -> None:
        self._rows = config.lane_rows(lane)
        super().__init__(
            {
                "arrived": In(1),
                "room": In(1),
                "begin": Out(1),
                "length_en": Out(1),
                "length_addr": Out(address_bits(self._rows)),
                "length": In(config.length_bits),
                "step": Out(STEP),
                "finished": Out(1),
                "release": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the lane's control."""
        m = Module()
        boot, known, last_row = Signal(init=1), Signal(), Signal()
        vectors, finished = Signal(range(BUFFERS + 1)), Signal(range(BUFFERS + 1))
        half, ends = Signal(), Signal()
        left = Signal.like(self.length)
        now = {name: Signal(name=f"now_{name}") for name in STEP.members}
        m.d.comb += [
            self.begin.eq((left <= 1) & known & (vectors != 0) & self.room),
            self.length_en.eq(boot | self.begin),
            # The address is that of the block row after the one whose length stands.
            last_row.eq(self.length_addr == 0),
            ends.eq(now["final"] & now["last"]),
            self.finished.eq(finished != 0),
        ]
        m.d.sync += [
            boot.eq(0),
            vectors.eq(vectors + self.arrived - (self.begin & last_row)),
            finished.eq(finished + ends - self.release),
            half.eq(half ^ (self.begin & last_row)),
        ]
        with m.If(self.length_en):
            wraps = self.length_addr == self._rows - 1
            m.d.sync += self.length_addr.eq(Mux(wraps, 0, self.length_addr + 1))
        fetched = delay(m, self.length_en, 1, name="fetched")
        with m.If(self.begin):
            m.d.sync += known.eq(0)
        with m.Elif(fetched):
            m.d.sync += known.eq(1)

        empty = Signal()
        with m.If(left != 0):
            m.d.sync += [left.eq(left - 1), now["first"].eq(0)]
        with m.If(self.begin):
            m.d.sync += [
                left.eq(Mux(self.length == 0, 1, self.length)),
                empty.eq(self.length == 0),
                now["first"].eq(1),
                now["final"].eq(last_row),
                now["half"].eq(half),
            ]
        m.d.comb += [now["valid"].eq((left != 0) & ~empty), now["last"].eq(left == 1)]
        for name, value in now.items():
            m.d.sync += self.step[name].eq(value)
        return m
