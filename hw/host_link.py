"""The host link: a serial port on one side, the engine's AXI ends on the other."""

from __future__ import annotations

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from darb.golden.config import EngineConfig
from darb.golden.frame import frame_capacity
from darb.golden.register_map import Storage
from darb.hw.command_executor import CommandExecutor, engine_signature
from darb.hw.frame_receiver import FrameReceiver
from darb.hw.frame_sender import FrameSender
from darb.hw.uart import UartReceiver, UartTransmitter

_LEAST_TIMEOUT_BITS = 20


class HostLink(wiring.Component):
    """Serves an engine to a host by the protocol of docs/protocol.md.

    Neither what a host sends nor that it stops in the middle keeps the next frame from being
    answered, and nothing waits for the host to read.

    Parameters
    ----------
    config : EngineConfig
    storage : Storage
    divisor : int
        Clocks a bit.
    timeout : int
        Clocks of silence after which an unfinished frame is given up; more than a byte takes.
    capacity : int, optional
        Bytes of payload of the longest frame, a power of two; by default, and at least,
        `frame_capacity`.
    memory_check : bool
        See `CommandExecutor`.

    Attributes
    ----------
    rx : In(1)
    tx : Out(1)
    engine : In(engine_signature(config))
        To the ports of these names.
    second : In(1)
        High for one clock, about once a second; see `CommandExecutor`.
    busy : Out(1)
        A frame comes in or is carried out.
    answers, failed : Out(1)
        A reply begins; it tells an error.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If one is out of its range, or `config` needs longer frames than there are.
    """

    def __init__(
        self,
        *,
        config: EngineConfig,
        storage: Storage,
        divisor: int,
        timeout: int,
        capacity: int | None = None,
        memory_check: bool = False,
    ) -> None:
        if not isinstance(config, EngineConfig):
            raise TypeError(f"config must be an EngineConfig, not {config!r}")
        least = frame_capacity(config, storage)
        self._receiver = UartReceiver(divisor=divisor)
        self._transmitter = UartTransmitter(divisor=divisor)
        self._frames = FrameReceiver(
            capacity=least if capacity is None else capacity, timeout=timeout
        )
        if capacity is not None and capacity < least:
            raise ValueError(f"capacity must be at least {least} for this config, not {capacity!r}")
        if timeout < _LEAST_TIMEOUT_BITS * divisor:
            raise ValueError(
                f"timeout must be at least {_LEAST_TIMEOUT_BITS * divisor}, two bytes, "
                f"not {timeout!r}"
            )
        self._executor = CommandExecutor(
            config=config, capacity=capacity or least, memory_check=memory_check
        )
        super().__init__(
            {
                "rx": In(1, init=1),
                "tx": Out(1, init=1),
                "engine": In(engine_signature(config)),
                "second": In(1),
                "busy": Out(1),
                "answers": Out(1),
                "failed": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Connect the parts."""
        m = Module()
        m.submodules.receiver = receiver = self._receiver
        m.submodules.frames = frames = self._frames
        m.submodules.executor = executor = self._executor
        m.submodules.sender = sender = FrameSender()
        m.submodules.transmitter = transmitter = self._transmitter
        connect(m, receiver.o, frames.i)
        connect(m, frames.o, executor.frames)
        connect(m, executor.reply, sender.i)
        connect(m, sender.o, transmitter.i)
        connect(m, executor.engine, flipped(self.engine))
        m.d.comb += [
            receiver.rx.eq(self.rx),
            self.tx.eq(transmitter.tx),
            frames.release.eq(executor.release),
            frames.read_en.eq(executor.read_en),
            frames.read_address.eq(executor.read_address),
            executor.read_data.eq(frames.read_data),
            executor.second.eq(self.second),
            self.busy.eq(frames.busy | executor.busy),
            self.answers.eq(executor.answers),
            self.failed.eq(executor.failed),
        ]
        return m
