"""What every rival engine has around its lanes: its stream ends and what is connected to them."""

from __future__ import annotations

from typing import ClassVar

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from darb.golden.baselines.config import BaselineConfig
from darb.golden.bitfields import Words
from darb.hw.baselines.result_path import ResultPath
from darb.hw.baselines.row_collector import RowCollector
from darb.hw.engine import output_shape
from darb.hw.output_buffer import output_layout
from darb.hw.vector_loader import VectorLoader, input_layout


class BaselineEngine(wiring.Component):
    """One layer in a rival's storage format.

    Takes vectors on `i`, sends results on `o`, both in order; two vectors fit each end. When every
    beat of either stream is transferred is what the rival's `BaselineModel` says. A rival's
    `elaborate` says what is between its `VectorLoader` and its `ResultPath`.

    Parameters
    ----------
    config : BaselineConfig
        Of the engine's own `config_kind`.
    memories : dict of str to ndarray of uint8, optional
        Of the packer, for Amaranth's simulator; generated Verilog reads them from files.

    Attributes
    ----------
    i : In(stream.Signature(input_layout(config.shared)))
        Beat b carries columns ``b * beat`` and on.
    o : Out(stream.Signature(output_layout(output_shape(config.shared))))
        One row a beat, in row order.
    too_short, too_long : Out(1)
        See `VectorLoader`.

    Raises
    ------
    TypeError
        If `config` is of another kind.
    """

    config_kind: ClassVar[type[BaselineConfig]]

    def __init__(self, *, config: BaselineConfig, memories: dict[str, Words] | None = None) -> None:
        if not isinstance(config, self.config_kind):
            raise TypeError(f"config must be a {self.config_kind.__name__}, not {config!r}")
        self._config, self._memories = config, memories or {}
        super().__init__(
            {
                "i": In(stream.Signature(input_layout(config.shared))),
                "o": Out(stream.Signature(output_layout(output_shape(config.shared)))),
                "too_short": Out(1),
                "too_long": Out(1),
            }
        )

    def _connect_ends(self, m: Module, loader: VectorLoader, result: ResultPath) -> None:
        """Connect the streams; the core is told of a vector in the clock in which it is whole."""
        connect(m, flipped(self.i), loader.i)
        connect(m, result.o, flipped(self.o))
        m.d.comb += [
            loader.enable.eq(1),
            loader.last_beat.eq(self._config.input_beats - 1),
            loader.take.eq(loader.waiting),
        ]

    def _connect_results(
        self, m: Module, loader: VectorLoader, collector: RowCollector, result: ResultPath
    ) -> None:
        """Connect the collected sums to their results, and the loader's errors to the ports."""
        m.d.comb += [
            collector.ready.eq(result.ready),
            collector.last.eq(result.last),
            result.take.eq(collector.taken),
            result.total.eq(collector.total),
            self.too_short.eq(loader.too_short),
            self.too_long.eq(loader.too_long),
        ]
