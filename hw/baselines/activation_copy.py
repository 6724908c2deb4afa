"""A lane's own copy of the input vector."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from darb.golden.baselines.config import BaselineConfig
from darb.golden.memory_map import address_bits
from darb.golden.pipeline import GATHER
from darb.hw.delay_line import delay
from darb.hw.memory import Ram


class ActivationCopy(wiring.Component):
    """Two buffers of a whole vector: one is filled from the stream while the other is read.

    A word is a beat; `activations` follow `column` by two clocks: the array's register, then the
    register that picks from the beat. One read and one write a clock.

    Parameters
    ----------
    config : BaselineConfig
    size : int
        Neighbouring activations that are read at once; a power of two, at most a beat.

    Attributes
    ----------
    load_en, load_half, load_addr, load_data : In
        Write one beat; from `VectorLoader`.
    column : In(address_bits(ceil(columns / size)))
        Number of the first one, divided by `size`.
    half : In(1)
    activations : Out(data.ArrayLayout(signed(activation_bits), size))
    """

    def __init__(self, *, config: BaselineConfig, size: int = 1) -> None:
        self._config, self._size = config, size
        activation = signed(config.activation_bits)
        super().__init__(
            {
                "load_en": In(1),
                "load_half": In(1),
                "load_addr": In(address_bits(config.input_beats)),
                "load_data": In(data.ArrayLayout(activation, config.beat)),
                "column": In(address_bits(-(-config.columns // size))),
                "half": In(1),
                "activations": Out(data.ArrayLayout(activation, size)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the copy."""
        m = Module()
        beat, bits = self._config.beat, len(self.load_addr)
        inside = (beat // self._size - 1).bit_length()
        # A power of two deep, so that no address, however stale, leaves the memory.
        m.submodules.words = words = Ram(width=beat * self._config.activation_bits, depth=2 << bits)
        address = Signal(bits)
        m.d.comb += [
            address.eq(self.column[inside:]),
            words.w_en.eq(self.load_en),
            words.w_addr.eq(Cat(self.load_addr, self.load_half)),
            words.w_data.eq(self.load_data),
            words.r_en.eq(1),
            words.r_addr.eq(Cat(address, self.half)),
        ]
        chosen = words.data
        # A signal of no bits would be one of two in Verilog.
        if inside:
            place = delay(m, self.column[:inside], GATHER - 1, name="place")
            chosen = words.data.word_select(place, self._size * self._config.activation_bits)
        m.d.sync += self.activations.eq(chosen)
        return m
