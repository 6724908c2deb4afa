"""Memories of the engine: ROMs that hold the image, RAMs that hold activations and results.

The image's are ROMs for the engine; a `LoadableRom` has a write port besides.

In Amaranth's simulator they are standard memories. In generated Verilog they are instances of the
modules in ``memories.v``, so that a ROM reads its contents from a file and the Verilog does
not change with the weights.
"""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import ClockSignal, Instance, Module, Signal, ValueLike
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from darb.golden.memory_map import address_bits


class VerilogTarget:
    """Platform under which memories become instances of the modules in ``memories.v``."""


class Rom(wiring.Component):
    """Read-only memory; data follows `addr` and `en` by two clocks, one read a clock.

    Parameters
    ----------
    width, depth : int
        Bits a word, words.
    file : str
        Name of the $readmemh file that generated Verilog reads.
    init : sequence of int
        Contents in Amaranth's simulator, at most `depth` words; the rest is zero.

    Attributes
    ----------
    en : In(1)
        Read; without it `data` stays.
    addr : In(address_bits(depth))
    data : Out(width)

    Raises
    ------
    ValueError
        If `init` holds more than `depth` words, or a word wider than `width`.
    """

    def __init__(self, *, width: int, depth: int, file: str, init: Sequence[int] = ()) -> None:
        if len(init) > depth:
            raise ValueError(f"{file}: init must hold at most {depth} words, not {len(init)}")
        for number, word in enumerate(init):
            if not 0 <= word < 1 << width:
                raise ValueError(f"{file}: word {number} must fit {width} bits, not {word!r}")
        self._width, self._depth = width, depth
        self._file, self._init = file, init
        super().__init__({"en": In(1), "addr": In(address_bits(depth)), "data": Out(width)})

    def elaborate(self, platform: object) -> Module:
        """Build the memory."""
        m = Module()
        if isinstance(platform, VerilogTarget):
            m.submodules.words = Instance(
                "darb_rom",
                p_WIDTH=self._width,
                p_DEPTH=self._depth,
                p_ADDRESS=address_bits(self._depth),
                p_FILE=self._file,
                i_clk=ClockSignal(),
                i_en=self.en,
                i_addr=self.addr,
                o_data=self.data,
            )
            return m
        m.submodules.words = words = memory.Memory(
            shape=self._width, depth=self._depth, init=self._init
        )
        port = words.read_port()
        output = Signal(self._width, reset_less=True)
        m.d.comb += [port.en.eq(self.en), port.addr.eq(self.addr), self.data.eq(output)]
        m.d.sync += output.eq(port.data)
        return m


class LoadableRom(wiring.Component):
    """A `Rom` that is written at run time; zero at first.

    Data follows `addr` and `en` by two clocks, one read a clock. One write a clock; a read that is
    begun beside a write of the same word may get the old word or the new one.

    Parameters
    ----------
    width, depth : int
        Bits a word, words.

    Attributes
    ----------
    w_en, w_addr, w_data : In
    en : In(1)
        Read; without it `data` stays.
    addr : In(address_bits(depth))
    data : Out(width)
    """

    def __init__(self, *, width: int, depth: int) -> None:
        self._width, self._depth = width, depth
        bits = address_bits(depth)
        super().__init__(
            {
                "w_en": In(1),
                "w_addr": In(bits),
                "w_data": In(width),
                "en": In(1),
                "addr": In(bits),
                "data": Out(width),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the memory."""
        m = Module()
        if isinstance(platform, VerilogTarget):
            m.submodules.words = Instance(
                "darb_loadable_rom",
                p_WIDTH=self._width,
                p_DEPTH=self._depth,
                p_ADDRESS=address_bits(self._depth),
                i_clk=ClockSignal(),
                i_w_en=self.w_en,
                i_w_addr=self.w_addr,
                i_w_data=self.w_data,
                i_en=self.en,
                i_addr=self.addr,
                o_data=self.data,
            )
            return m
        m.submodules.words = words = memory.Memory(shape=self._width, depth=self._depth, init=[])
        write, read = words.write_port(), words.read_port()
        output = Signal(self._width, reset_less=True)
        m.d.comb += [
            write.en.eq(self.w_en),
            write.addr.eq(self.w_addr),
            write.data.eq(self.w_data),
            read.en.eq(self.en),
            read.addr.eq(self.addr),
            self.data.eq(output),
        ]
        m.d.sync += output.eq(read.data)
        return m


class Ram(wiring.Component):
    """Memory with one write and one read port; data follows `r_addr` and `r_en` by one clock.

    A read beside a write of the same word gets the old one.

    Parameters
    ----------
    width, depth : int
        Bits a word, words.

    Attributes
    ----------
    w_en, w_addr, w_data : In
    r_en, r_addr : In
        Without `r_en`, `data` stays.
    data : Out(width)
    """

    def __init__(self, *, width: int, depth: int) -> None:
        self._width, self._depth = width, depth
        bits = address_bits(depth)
        super().__init__(
            {
                "w_en": In(1),
                "w_addr": In(bits),
                "w_data": In(width),
                "r_en": In(1),
                "r_addr": In(bits),
                "data": Out(width),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the memory."""
        m = Module()
        if isinstance(platform, VerilogTarget):
            m.submodules.words = Instance(
                "darb_ram",
                p_WIDTH=self._width,
                p_DEPTH=self._depth,
                p_ADDRESS=address_bits(self._depth),
                i_clk=ClockSignal(),
                i_w_en=self.w_en,
                i_w_addr=self.w_addr,
                i_w_data=self.w_data,
                i_r_en=self.r_en,
                i_r_addr=self.r_addr,
                o_data=self.data,
            )
            return m
        m.submodules.words = words = memory.Memory(shape=self._width, depth=self._depth, init=[])
        write, read = words.write_port(), words.read_port()
        m.d.comb += [
            write.en.eq(self.w_en),
            write.addr.eq(self.w_addr),
            write.data.eq(self.w_data),
            read.en.eq(self.r_en),
            read.addr.eq(self.r_addr),
            self.data.eq(read.data),
        ]
        return m


def walk(m: Module, rom: wiring.PureInterface, en: ValueLike, restart: ValueLike) -> None:
    """Read `rom` word after word, one for each `en`, from its start again after `restart`."""
    m.d.comb += rom.en.eq(en)
    with m.If(en):
        m.d.sync += rom.addr.eq(rom.addr + 1)
    with m.If(restart):
        m.d.sync += rom.addr.eq(0)
