"""What comes after the sums in every rival engine: row memory, post-processor, output buffer."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from darb.golden.baselines.config import BaselineConfig
from darb.golden.baselines.model import TAKE_TO_WRITE
from darb.golden.bitfields import Words
from darb.golden.config import OutputMode
from darb.golden.pipeline import POST
from darb.hw.baselines.layer_memory import layer_memory
from darb.hw.delay_line import delay
from darb.hw.engine import output_shape
from darb.hw.memory import walk
from darb.hw.output_buffer import OutputBuffer, output_layout
from darb.hw.row_post_processor import RowPostProcessor


class ResultPath(wiring.Component):
    """From sums in packed order, one a clock, to the output stream in row order.

    Parameters
    ----------
    config : BaselineConfig
    memories : dict of str to ndarray of uint8
        ``rows``, for Amaranth's simulator.

    Attributes
    ----------
    ready : Out(1)
        The next row can be taken: it is not its vector's first, or half the output buffer is free.
    last : Out(1)
        The next row is its vector's last.
    take : In(1)
        It is taken.
    total : In(signed(accumulator_bits))
        Its sum, two clocks after `take`.
    o : Out(stream.Signature(output_layout(output_shape(config.shared))))
    """

    def __init__(self, *, config: BaselineConfig, memories: dict[str, Words]) -> None:
        self._config, self._memories = config, memories
        super().__init__(
            {
                "ready": Out(1),
                "last": Out(1),
                "take": In(1),
                "total": In(signed(config.accumulator_bits)),
                "o": Out(stream.Signature(output_layout(output_shape(config.shared)))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the path."""
        m = Module()
        config, shared = self._config, self._config.shared
        m.submodules.rows = rows = layer_memory(config, "rows", self._memories)
        m.submodules.post = post = RowPostProcessor(config=shared)
        first, ends, half = Signal(), Signal(), Signal()
        walk(m, rows, self.take, ends)
        m.d.comb += [
            first.eq(rows.addr == 0),
            self.last.eq(rows.addr == config.rows - 1),
            ends.eq(self.take & self.last),
        ]
        m.d.sync += half.eq(half ^ ends)
        fields = config.row_layout
        row = data.View(data.StructLayout({**fields, "bias": signed(fields["bias"])}), rows.data)
        m.d.comb += [
            post.total.eq(self.total),
            post.row.bias.eq(row.bias),
            post.row.multiplier.eq(row.multiplier),
            post.row.shift.eq(row.shift),
            post.relu.eq(config.relu),
        ]
        requantised = config.output_mode is OutputMode.ACTIVATIONS
        result = post.activation if requantised else post.accumulator
        m.submodules.outputs = outputs = OutputBuffer(config=shared, shape=result.shape())
        m.d.comb += [
            self.ready.eq(~first | outputs.free),
            outputs.reserve.eq(self.take & first),
            outputs.last_address.eq(config.rows - 1),
            outputs.write_en.eq(delay(m, self.take, TAKE_TO_WRITE, name="write")),
            outputs.write_half.eq(delay(m, half, TAKE_TO_WRITE, name="half")),
            outputs.complete.eq(delay(m, ends, TAKE_TO_WRITE, name="ends")),
            outputs.write_addr.eq(delay(m, row.address, POST, name="address")),
            outputs.write_data.eq(result),
        ]
        connect(m, outputs.o, flipped(self.o))
        return m
