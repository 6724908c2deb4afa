"""Stands in for `AxiEngine` in Amaranth's simulator: answers at its own pace, notes everything."""

from __future__ import annotations

import random

from amaranth.hdl import Cat

from darb.golden.config import EngineConfig
from darb.golden.register_map import CONTROL, REGISTERS, STATUS, Storage, constant_registers

_NAMES = {address: name for name, address in REGISTERS.items()}
_BOOTED = 1 << STATUS["booted"]
SLVERR = 2


class EngineDouble:
    """What a test sets and finds.

    Parameters
    ----------
    config : EngineConfig
    storage : Storage
    beats, rows : int
        Of the image it has.
    seed : int
        Of its pauses.

    Attributes
    ----------
    registers : dict of str to int
        What reads return.
    refused : set of (str, int)
        Writes that it answers with an error.
    writes : list of (str, int)
        All others, in order.
    vectors : list of list of int
        Beats of each vector, as it took them.
    results : callable
        From a vector's beats to its result words; None where no result shall come.
    ends : callable
        From result words to the place of the one with tlast; None where none shall have it.
    boot_reads : int
        Reads of the status after which it is booted, once it is let go.
    """

    def __init__(
        self, config: EngineConfig, storage: Storage, *, beats: int, rows: int, seed: int
    ) -> None:
        self.registers = dict.fromkeys(REGISTERS, 0)
        self.registers.update(constant_registers(config, storage))
        self.registers.update(status=_BOOTED, input_beats=beats, outputs=rows)
        self.refused, self.writes, self.vectors, self.begun = set(), [], [], []
        self.results = lambda beats: [sum(beats) + number for number in range(rows)]
        self.ends = lambda words: len(words) - 1
        self.boot_reads = 3
        self.pending: list[tuple[int, bool]] = []
        self.random = random.Random(seed)

    def _read(self, address: int) -> int:
        name = _NAMES[address]
        value = self.registers[name]
        if name == "status" and not value & _BOOTED and not self.registers["control"]:
            self.boot_reads -= 1
            if self.boot_reads <= 0:
                self.registers["status"] |= _BOOTED
        return value

    def _write(self, address: int, value: int) -> int:
        name = _NAMES[address]
        if (name, value) in self.refused:
            return SLVERR
        self.writes.append((name, value))
        if name == "control":
            self.registers["control"] = value
            if value >> CONTROL["halt"] & 1:
                self.registers["status"] &= ~_BOOTED
                self.begun.clear()
                self.pending.clear()
        return 0

    async def run(self, ctx, e) -> None:
        """Be the engine behind the ports `e`."""
        address = data = None
        taken = Cat(
            e.s_axil_arvalid & e.s_axil_arready,
            e.s_axil_awvalid & e.s_axil_awready,
            e.s_axil_wvalid & e.s_axil_wready,
            e.s_axil_rvalid & e.s_axil_rready,
            e.s_axil_bvalid & e.s_axil_bready,
            e.s_axis_tvalid & e.s_axis_tready,
            e.m_axis_tvalid & e.m_axis_tready,
        )
        read, answered, offered = False, False, False
        readies = ("s_axil_arready", "s_axil_awready", "s_axil_wready", "s_axis_tready")
        buses = (e.s_axil_araddr, e.s_axil_awaddr, Cat(e.s_axil_wdata, e.s_axil_wstrb))
        samples = ctx.tick().sample(taken, *buses, Cat(e.s_axis_tdata, e.s_axis_tlast))
        async for _, _, moved, read_address, write_address, write, beat in samples:
            ar, aw, w, r, b, s, m = (moved >> place & 1 for place in range(7))
            if r:
                ctx.set(e.s_axil_rvalid, 0)
                read = False
            if ar:
                assert not read
                ctx.set(e.s_axil_rvalid, 1)
                ctx.set(e.s_axil_rdata, self._read(read_address))
                read = True
            if b:
                ctx.set(e.s_axil_bvalid, 0)
                answered = False
            if aw:
                address = write_address
            if w:
                assert write >> 32 == 0b1111
                data = write & 0xFFFFFFFF
            if address is not None and data is not None:
                ctx.set(e.s_axil_bresp, self._write(address, data))
                ctx.set(e.s_axil_bvalid, 1)
                address, data, answered = None, None, True
            if s:
                width = len(e.s_axis_tdata)
                self._beat(beat & (1 << width) - 1, beat >> width)
            if m:
                self.pending.pop(0)
                offered = False
                ctx.set(e.m_axis_tvalid, 0)
            # Each end is now ready, now not.
            name = self.random.choice(readies)
            held = {
                "s_axil_arready": read,
                "s_axil_awready": answered or address is not None,
                "s_axil_wready": answered or data is not None,
            }
            for other in readies[:3]:
                if held[other]:
                    ctx.set(getattr(e, other), 0)
            ctx.set(getattr(e, name), not held.get(name, False) and self.random.random() < 0.7)
            if self.pending and not offered and self.random.random() < 0.5:
                word, ends = self.pending[0]
                ctx.set(e.m_axis_tvalid, 1)
                ctx.set(e.m_axis_tdata, word & (1 << len(e.m_axis_tdata)) - 1)
                ctx.set(e.m_axis_tlast, ends)
                offered = True

    def _beat(self, beat: int, last: int) -> None:
        self.begun.append(beat)
        if not last:
            return
        self.vectors.append([*self.begun])
        self.begun.clear()
        words = self.results(self.vectors[-1])
        if words is not None:
            end = self.ends(words)
            self.pending += [(word, place == end) for place, word in enumerate(words)]
