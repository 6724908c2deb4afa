"""Activation banks: where every lane finds its columns."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from darb.golden.config import EngineConfig
from darb.golden.memory_map import address_bits
from darb.golden.pipeline import GATHER
from darb.hw.delay_line import delay
from darb.hw.memory import Ram


class ActivationBanks(wiring.Component):
    """S banks of activations, each R times over so that every row slot reads on its own.

    A bank has an input memory, filled from the stream, and a hidden memory, filled by the row
    post-processor; each is two buffers, so that one is filled while the other is read, and each has
    one writer. Data follows the address by two clocks: the array's register, then the register
    that picks the memory. One read a multiplier and one write a memory each clock.

    Parameters
    ----------
    config : EngineConfig

    Attributes
    ----------
    load_en, load_half, load_addr, load_data : In
        Write one activation to every bank's input memory, a clock later.
    write_en : In(lanes)
        Write `write_data` to these banks' hidden memories, at `write_half`, `write_addr`.
    read_addr : In(data.ArrayLayout(address, P))
        Column inside the segment, for multiplier r * S + s.
    read_half : In(1)
    reads_input : In(1)
        Read the input memories, not the hidden ones.
    activation : Out(data.ArrayLayout(signed(activation_bits), P))
    """

    def __init__(self, *, config: EngineConfig) -> None:
        self._config = config
        activation = signed(config.activation_bits)
        self._load_bits = address_bits(config.input_depth)
        self._write_bits = address_bits(config.hidden_depth)
        read_bits = max(self._load_bits, self._write_bits)
        super().__init__(
            {
                "load_en": In(1),
                "load_half": In(1),
                "load_addr": In(self._load_bits),
                "load_data": In(data.ArrayLayout(activation, config.lanes)),
                "write_en": In(config.lanes),
                "write_half": In(1),
                "write_addr": In(self._write_bits),
                "write_data": In(activation),
                "read_addr": In(data.ArrayLayout(read_bits, config.multipliers)),
                "read_half": In(1),
                "reads_input": In(1),
                "activation": Out(data.ArrayLayout(activation, config.multipliers)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the banks."""
        m = Module()
        config = self._config
        from_input = delay(m, self.reads_input, GATHER - 1, name="from_input")
        # The way from the stream's valid to all memories is a clock long.
        load_en = delay(m, self.load_en, 1, name="load_en")
        load_to = Cat(self.load_addr, self.load_half)
        load_to = delay(m, load_to, 1, name="load_to", reset_less=True)
        load_data = delay(m, self.load_data, 1, name="load_data", reset_less=True)
        for p in range(config.multipliers):
            lane = p % config.lanes
            # A power of two deep, so that no address, however stale, leaves the memory.
            inputs = Ram(width=config.activation_bits, depth=2 << self._load_bits)
            hidden = Ram(width=config.activation_bits, depth=2 << self._write_bits)
            m.submodules[f"input_{p}"], m.submodules[f"hidden_{p}"] = inputs, hidden
            address = self.read_addr[p]
            m.d.comb += [
                inputs.w_en.eq(load_en),
                inputs.w_addr.eq(load_to),
                inputs.w_data.eq(load_data[lane]),
                inputs.r_en.eq(1),
                inputs.r_addr.eq(Cat(address[: self._load_bits], self.read_half)),
                hidden.w_en.eq(self.write_en[lane]),
                hidden.w_addr.eq(Cat(self.write_addr, self.write_half)),
                hidden.w_data.eq(self.write_data),
                hidden.r_en.eq(1),
                hidden.r_addr.eq(Cat(address[: self._write_bits], self.read_half)),
            ]
            chosen = Mux(from_input, inputs.data, hidden.data)
            chosen = delay(m, chosen, 1, name=f"activation_{p}", reset_less=True)
            m.d.comb += self.activation[p].eq(chosen)
        return m
