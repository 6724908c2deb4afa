"""The input vector without the beats in which all activations are zero."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from darb.golden.baselines.config import BaselineConfig
from darb.golden.memory_map import address_bits
from darb.hw.delay_line import delay
from darb.hw.memory import Ram


def beat_layout(config: BaselineConfig) -> data.StructLayout:
    """Return a stored beat: its activations, which of them are not zero, its number."""
    return data.StructLayout(
        {
            "activations": data.ArrayLayout(signed(config.activation_bits), config.beat),
            "nonzero": config.beat,
            "number": address_bits(config.input_beats),
        }
    )


class NonzeroBeats(wiring.Component):
    """Two buffers of a vector's beats: one is filled from the stream while the other is read.

    Zeros are found as beats come in, and a beat of zeros alone is not stored, so that whoever reads
    finds a non-zero activation in every beat. `count` is right two clocks after the last beat;
    `beat` follows `read_addr` by one clock. One read and one write a clock.

    Parameters
    ----------
    config : BaselineConfig

    Attributes
    ----------
    load_en, load_half, load_addr, load_data : In
        One beat; from `VectorLoader`.
    half : In(1)
        The buffer to read.
    count : Out(range(input_beats + 1))
        Beats stored in it.
    read_en, read_addr : In
    beat : Out(beat_layout(config))
    """

    def __init__(self, *, config: BaselineConfig) -> None:
        self._layout = beat_layout(config)
        address = address_bits(config.input_beats)
        super().__init__(
            {
                "load_en": In(1),
                "load_half": In(1),
                "load_addr": In(address),
                "load_data": In(self._layout["activations"].shape),
                "half": In(1),
                "count": Out(range(config.input_beats + 1)),
                "read_en": In(1),
                "read_addr": In(address),
                "beat": Out(self._layout),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the buffers."""
        m = Module()
        bits = len(self.load_addr)
        m.submodules.words = words = Ram(width=self._layout.size, depth=2 << bits)
        loaded, counts = Signal(self._layout), [Signal.like(self.count) for _ in range(2)]
        m.d.sync += [
            loaded.activations.eq(self.load_data),
            loaded.nonzero.eq(Cat(activation != 0 for activation in self.load_data)),
            loaded.number.eq(self.load_addr),
        ]
        enable = delay(m, self.load_en, 1, name="enable")
        half = delay(m, self.load_half, 1, name="half")
        stored, place = Signal.like(self.count), Signal(bits)
        m.d.comb += [
            # A vector cut short leaves its beats; the next one begins anew.
            stored.eq(Mux(loaded.number == 0, 0, Mux(half, counts[1], counts[0]))),
            place.eq(stored),
            words.w_en.eq(enable & loaded.nonzero.any()),
            words.w_addr.eq(Cat(place, half)),
            words.w_data.eq(loaded),
            words.r_en.eq(self.read_en),
            words.r_addr.eq(Cat(self.read_addr, self.half)),
            self.beat.eq(words.data),
            self.count.eq(Mux(self.half, counts[1], counts[0])),
        ]
        for number, count in enumerate(counts):
            with m.If(enable & (half == number)):
                m.d.sync += count.eq(stored + words.w_en)
        return m
